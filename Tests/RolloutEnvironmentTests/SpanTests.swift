// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import InMemoryTracing
import NIOHTTP1
import RolloutEnvironment
import RolloutTesting
import TestSupport
import Testing
import Tracing
import WireJSON

@Suite("RolloutEnvironment: spans") struct SpanTests {
    struct Add: Tool {
        struct Arguments: ToolArguments { var a: Int; var b: Int }
        let name = "add"
        let description = "Adds two numbers."
        func call(_ arguments: Arguments) async throws -> ToolResult {
            if arguments.a == 0 { throw Broken() }
            return withSpan("inner") { _ in "\(arguments.a + arguments.b)" }
        }
    }

    struct Broken: Error, CustomStringConvertible {
        let description = "broken near scripted-key"
    }

    private static let ids = RolloutMetadata(
        invocationID: "inv", experimentID: "exp", rolloutID: "r-1", runID: "run", rowID: "row")

    /// Runs the agent in memory; the spans, by what they began after.
    private static func spans(
        _ model: ScriptedModel, _ agent: @escaping RolloutEnvironment.Agent
    ) async -> [FinishedInMemorySpan] {
        let tracer = InMemoryTracer()
        await withTracer(tracer) {
            _ = await RolloutEnvironment(agent: agent).test([.user("go")], model: model, metadata: ids)
        }
        #expect(tracer.activeSpans.isEmpty)
        return tracer.finishedSpans
    }

    private static func named(_ name: String, _ spans: [FinishedInMemorySpan]) throws -> FinishedInMemorySpan {
        try #require(spans.first { $0.operationName == name }, "\(spans.map(\.operationName))")
    }

    @Test("a command finds the trace that it continues in its variables") func process() async throws {
        let tracer = InMemoryTracer()
        let agent = try ProcessRollout(["sh", "-c", "echo $IN_MEMORY_TRACE_ID $IN_MEMORY_SPAN_ID"])
        let recording = await withTracer(tracer) {
            await RolloutEnvironment(agent: agent.run).test([.user("go")], model: ScriptedModel([]), metadata: Self.ids)
        }
        await agent.shutdown()
        let rollout = try Self.named("rollout", tracer.finishedSpans)
        #expect(recording.lines.map(\.message) == ["\(rollout.traceID) \(rollout.spanID)"])
    }

    @Test("one for the rollout, one for each model call and each tool call, all with its ids") func all() async throws {
        let model = ScriptedModel([
            .toolCalls([("add", ["a": 1, "b": 2]), ("add", ["a": "x"]), ("add", ["a": 0, "b": 1]), ("sub", [:])]), "3",
        ])
        let spans = await Self.spans(model) { rollout in
            _ = try await rollout.model.run(rollout.messages, tools: [Add()])
            return .finished(reward: 0.5)
        }
        let rollout = try Self.named("rollout", spans)
        #expect(rollout.kind == .server)
        #expect(rollout.parentSpanID == nil)
        #expect(rollout.status == nil)
        #expect(rollout.events.map(\.name) == ["agent started"])
        #expect(rollout.attributes.get("gen_ai.operation.name") == .string("invoke_agent"))
        #expect(rollout.attributes.get("rollcall.experiment_id") == .string("exp"))
        #expect(rollout.attributes.get("rollcall.status.name") == .string("FINISHED"))
        #expect(rollout.attributes.get("rollcall.reward") == .double(0.5))

        let chats = spans.filter { $0.operationName == "chat scripted" }
        #expect(chats.count == 2)
        for chat in chats {
            #expect(chat.kind == .client)
            #expect(chat.parentSpanID == rollout.spanID)
            #expect(chat.attributes.get("gen_ai.request.model") == .string("scripted"))
            #expect(chat.attributes.get("gen_ai.usage.input_tokens") == .int64(10))
            #expect(chat.attributes.get("gen_ai.usage.output_tokens") == .int64(5))
            #expect(chat.attributes.get("server.address") == .string("scripted.invalid"))
            #expect(chat.attributes.get("server.port") == .int64(80))
        }
        #expect(
            chats.map { $0.attributes.get("gen_ai.response.finish_reasons") } == [
                .stringArray(["tool_calls"]), .stringArray(["stop"]),
            ])

        let tools = spans.filter { $0.operationName.hasPrefix("execute_tool") }
        #expect(tools.count == 4)
        let expected: [String: SpanAttribute?] = [
            "call_0": nil, "call_1": .string("invalid_arguments"), "call_2": .string("Broken"),
            "call_3": .string("unknown_tool"),
        ]
        for (id, type) in expected {
            let tool = tools.first { $0.attributes.get("gen_ai.tool.call.id") == .string(id) }
            #expect(try #require(tool).attributes.get("error.type") == type, "\(id)")
        }
        #expect(tools.allSatisfy { $0.parentSpanID == rollout.spanID })
        // A model may write any name: that is no name for a span.
        #expect(Set(tools.map(\.operationName)) == ["execute_tool add", "execute_tool"])
        let broken = try #require(tools.first { $0.attributes.get("error.type") == .string("Broken") })
        #expect(broken.errors.map { "\($0.error)" } == ["broken near [redacted]"])
        #expect(broken.status?.code == .error)
        let inner = try Self.named("inner", spans)
        #expect(tools.contains { $0.spanID == inner.parentSpanID })

        for span in spans where span.operationName != "inner" {
            #expect(span.traceID == rollout.traceID)
            #expect(span.attributes.get("rollcall.rollout_id") == .string("r-1"))
            #expect(span.attributes.get("rollcall.attempt") != nil)
        }
    }

    @Test("a failed rollout and its failed call say why; a call that is repeated has one span") func errors()
        async throws
    {
        let model = ScriptedModel { _ in .failure(httpStatus: 503, message: "busy") }
        let spans = await Self.spans(model) { rollout in
            _ = try await rollout.model.complete(rollout.messages)
            return .finished()
        }
        #expect(spans.count == 2)
        let chat = try Self.named("chat scripted", spans)
        #expect(chat.events.map(\.name) == ["repeat", "repeat"])
        #expect(chat.attributes.get("error.type") == .string("MODEL_UNAVAILABLE"))
        #expect(chat.attributes.get("http.response.status_code") == .int64(503))
        #expect(chat.errors.count == 1)
        let rollout = try Self.named("rollout", spans)
        #expect(rollout.attributes.get("error.type") == .string("MODEL_UNAVAILABLE"))
        #expect(rollout.attributes.get("rollcall.status.code") == .int64(14))
        #expect(rollout.status?.code == .error)
        #expect(rollout.errors.map { "\($0.error)" }.first?.contains("busy") == true)
    }

    @Test("a streamed call's span lasts until its last piece, its break, or until nobody reads on") func streams()
        async throws
    {
        let script: [ScriptedAnswer] = ["The whole answer.", .broken(after: "The"), "The answer that nobody reads."]
        let spans = await Self.spans(ScriptedModel(script)) { rollout in
            _ = try await rollout.model.stream(rollout.messages).collect()
            _ = try? await rollout.model.stream(rollout.messages).collect()
            for try await _ in try await rollout.model.stream(rollout.messages) { break }
            return .finished()
        }
        let chats = spans.filter { $0.operationName == "chat scripted" }
        #expect(chats.map { $0.attributes.get("rollcall.is_streamed") } == [.bool(true), .bool(true), .bool(true)])
        #expect(chats.map { $0.attributes.get("error.type") } == [nil, .string("MODEL_STREAM_BROKEN"), nil])
        #expect(chats.first?.attributes.get("gen_ai.response.finish_reasons") == .stringArray(["stop"]))
        #expect(chats.last?.attributes.get("gen_ai.response.finish_reasons") == nil)
    }

    @Test("the trace goes on in the headers of model calls, also from detached tasks") func headers() async throws {
        let model = ScriptedModel { _ in "ok" }
        let spans = await Self.spans(model) { rollout in
            try await withSpan("thinking") { _ in _ = try await rollout.model.complete(rollout.messages) }
            let tracer = InstrumentationSystem.tracer
            try await Task.detached {
                try await withTracer(tracer) { _ = try await rollout.model.complete(rollout.messages) }
            }.value
            return .finished()
        }
        let rollout = try Self.named("rollout", spans)
        let thinking = try Self.named("thinking", spans)
        let chats = spans.filter { $0.operationName == "chat scripted" }
        #expect(chats.map(\.parentSpanID) == [thinking.spanID, rollout.spanID])
        #expect(model.calls.map { $0.headers[InMemoryTracer.spanIDKey] } == chats.map(\.spanID))
        #expect(model.calls.allSatisfy { $0.headers[InMemoryTracer.traceIDKey] == rollout.traceID })
    }

    @Test("without a tracer, requests are as without tracing") func none() async {
        let model = ScriptedModel(["ok"])
        let environment = RolloutEnvironment { rollout in
            _ = try await rollout.model.complete(rollout.messages)
            return .finished()
        }
        _ = await environment.test([.user("go")], model: model)
        #expect(
            model.calls.first.map { Set($0.headers.keys) } == ["accept", "authorization", "content-type", "user-agent"])
    }

    @Test("the caller's trace goes on in the rollout, which ends its span when it ends") func callersTrace()
        async throws
    {
        // A client has the tracer that there was when it was made: this one, which others share, gets none.
        _ = HTTPClient.shared
        let tracer = InMemoryTracer()
        try await withTracer(tracer) {
            try await FakeGateway.with { gateway in
                var configuration = RolloutEnvironment.Configuration.test
                configuration.maximumConcurrentRollouts = 1
                let release = Latchlike()
                let environment = RolloutEnvironment(configuration) { rollout in
                    await release.wait()
                    _ = try await rollout.model.complete(rollout.messages)
                    return .finished()
                }
                try await ServedEnvironment.with(environment) { environment in
                    for number in 1...3 {
                        let answer = try await environment.post(
                            "/init", InitRequest.test("r\(number)", gateway: gateway.url).json,
                            headers: [
                                (InMemoryTracer.traceIDKey, "trace-of-caller-\(number)"),
                                (InMemoryTracer.spanIDKey, "span-of-caller-\(number)"),
                            ])
                        #expect(answer.status == 200)
                    }
                    _ = try await environment.post("/cancel", ["rollout_id": "r3"])
                    release.open()
                    try await eventually("ends") {
                        (1...3).allSatisfy { !gateway.terminal(of: "r\($0)").isEmpty }
                    }
                }
                for number in 1...3 {
                    let rollout = try #require(
                        tracer.finishedSpans.first {
                            $0.operationName == "rollout" && $0.traceID == "trace-of-caller-\(number)"
                        })
                    #expect(rollout.parentSpanID == "span-of-caller-\(number)")
                    #expect(rollout.attributes.get("rollcall.rollout_id") == .string("r\(number)"))
                    // The third was cancelled while it waited.
                    #expect(rollout.events.count == (number == 3 ? 0 : 1))
                    #expect(
                        rollout.attributes.get("error.type")
                            == (number == 3 ? .string("CANCELLED") : nil as SpanAttribute?))
                }
                let calls = gateway.server.requests.filter { $0.path.hasSuffix("/chat/completions") }
                #expect(
                    Set(calls.compactMap { $0.header(InMemoryTracer.traceIDKey) }) == [
                        "trace-of-caller-1", "trace-of-caller-2",
                    ])
                // Deliveries of lines are no traces of their own, and calls no spans of the HTTP client's besides.
                #expect(Set(tracer.finishedSpans.map(\.operationName)) == ["rollout", "chat m"])
                #expect(tracer.activeSpans.isEmpty)
            }
        }
    }
}
