// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOHTTP1
import RolloutEnvironment
import Synchronization
import TestSupport
import Testing
import WireJSON

@Suite("RolloutEnvironment: /init over a socket") struct InitOverSocketTests {
    private static func hello() -> RolloutEnvironment {
        RolloutEnvironment(.test) { rollout in
            let answer = try await rollout.model.complete(rollout.messages)
            rollout.logger.info("answered with \(answer.message.text.count) characters")
            return .finished()
        }
    }

    private static func valid(_ change: (inout JSONObject) -> Void) -> [UInt8] {
        var object = InitRequest.test("r", gateway: "http://127.0.0.1:9").json.object ?? [:]
        change(&object)
        return JSONValue.object(object).serialized()
    }

    @Test("a rollout goes all the way: RUNNING before the answer, the call tagged, its log, one terminal status")
    func allTheWay() async throws {
        try await FakeGateway.with { gateway in
            try await ServedEnvironment.with(Self.hello()) { environment in
                let answer = try await environment.initialize(.test("r1", gateway: gateway.url))
                #expect(answer.status == 200)
                #expect(answer.json?["status"] == "accepted")
                let attempt = try #require(answer.json?["attempt"]?.string)
                #expect(gateway.codes(of: "r1").first == .running)
                try await eventually("terminal status") { !gateway.terminal(of: "r1").isEmpty }
                #expect(gateway.codes(of: "r1") == [.running, .finished])
                let lines = gateway.lines(of: "r1")
                #expect(lines.map(\.message).contains("answered with 2 characters"))
                #expect(lines.last?.code == .finished)
                #expect(lines.allSatisfy { $0.attempt == attempt && $0.authorization == "Bearer caller-key-1234" })
                #expect(
                    gateway.callPaths == [
                        "/attempt/\(attempt)/rollout_id/r1/invocation_id/inv/experiment_id/exp/run_id/run/row_id/row"
                            + "/chat/completions"
                    ])
                let status = try await environment.send(.GET, "/status?rollout_id=r1")
                #expect(status.json?["terminated"] == true)
                #expect(status.json?["status"]?["code"] == 100)
            }
        }
    }

    @Test("a gateway that knows no attempts gets none in the model URL") func plainGateway() async throws {
        try await FakeGateway.with { gateway in
            gateway.onLine { _ in FakeGateway.takenPlain }
            try await ServedEnvironment.with(Self.hello()) { environment in
                #expect(try await environment.initialize(.test("r1", gateway: gateway.url)).status == 200)
                try await eventually("terminal status") { !gateway.terminal(of: "r1").isEmpty }
                #expect(gateway.callPaths.allSatisfy { $0.hasPrefix("/rollout_id/r1/") })
            }
        }
    }

    @Test("bad input is answered with the field and a request id") func badInput() async throws {
        let table: [([UInt8], Int, String)] = [
            (Array("{".utf8), 400, "JSON"), (Array("[]".utf8), 400, "object"), ([], 400, "JSON"),
            (Self.valid { $0["completion_params"] = nil }, 400, "completion_params"),
            (Self.valid { $0["completion_params"] = ["model": ""] }, 400, "completion_params.model"),
            (Self.valid { $0["completion_params"] = ["model": 7] }, 400, "completion_params.model"),
            (Self.valid { $0["messages"] = "hi" }, 400, "messages"),
            (Self.valid { $0["messages"] = [["content": "x"]] }, 400, "messages[0].role"),
            (Self.valid { $0["messages"] = [["role": "user", "content": 1]] }, 400, "messages[0].content"),
            (Self.valid { $0["tools"] = [1] }, 400, "tools[0]"),
            (Self.valid { $0["metadata"] = nil }, 400, "metadata"),
            (Self.valid { $0["metadata"] = ["rollout_id": "x"] }, 400, "metadata."),
            (Self.valid { $0["model_base_url"] = "nonsense" }, 400, "model_base_url"),
            (Self.valid { $0["model_base_url"] = 1 }, 400, "model_base_url"),
            (Self.valid { $0["api_key"] = ["x"] }, 400, "api_key"),
            (
                Self.valid {
                    var metadata = $0["metadata"]?.object ?? [:]
                    metadata["attempt"] = "no spaces"
                    $0["metadata"] = .object(metadata)
                }, 400, "metadata.attempt"
            ),
            (Self.valid { $0.setInMetadata("budget", 5) }, 400, "metadata.budget"),
            (Self.valid { $0.setInMetadata("budget", ["turns": 0]) }, 400, "metadata.budget.turns"),
            (Self.valid { $0.setInMetadata("budget", ["tokens": 5]) }, 400, "completion_tokens"),
            (Self.valid { $0.setInMetadata("deadline_seconds", 0) }, 400, "metadata.deadline_seconds"),
            (Self.valid { $0.setInMetadata("deadline_seconds", "5") }, 400, "metadata.deadline_seconds"),
            (Self.valid { $0.setInMetadata("deadline_seconds", 1e10) }, 400, "metadata.deadline_seconds"),
            (Array(repeating: UInt8(ascii: "["), count: 100_000), 400, "JSON"),
            (Array(repeating: UInt8(ascii: " "), count: 200_001), 413, "200000"),
        ]
        var configuration = RolloutEnvironment.Configuration.test
        configuration.maximumBodyBytes = 200_000
        let environment = RolloutEnvironment(configuration) { _ in .finished() }
        try await ServedEnvironment.with(environment) { environment in
            for (body, status, word) in table {
                let answer = try await environment.send(.POST, "/init", body: body)
                #expect(answer.status == status, "\(answer.text)")
                #expect(answer.message.contains(word), "\(word): \(answer.text)")
                #expect(answer.json?["detail"]?.string == answer.message)
                #expect(answer.json?["request_id"]?.string == answer.headers.first(name: "x-rollcall-request-id"))
            }
            #expect(try await environment.send(.GET, "/init").status == 405)
            #expect(try await environment.send(.GET, "/nothing").status == 404)
            #expect(try await environment.send(.GET, "/nothing").message.contains("/init"))
            #expect(try await environment.send(.GET, "/status").status == 400)
            let unknown = try await environment.send(.GET, "/status?rollout_id=none")
            #expect(unknown.status == 200)
            #expect(unknown.json == ["terminated": false, "status": nil, "info": nil])
            for body: JSONValue in [[], [:], ["rollout_id": 1], ["rollout_id": [1]], ["all": false], ["all": "yes"]] {
                #expect(try await environment.post("/cancel", body).status == 400)
            }
            let health = try await environment.send(.GET, "/health")
            #expect(health.json == ["status": "healthy", "capacity": 256, "running": 0, "queued": 0, "abandoned": 0])
        }
    }

    @Test(
        "503 and nothing started when RUNNING cannot be delivered",
        arguments: [
            (401, "FIREWORKS_API_KEY", .seconds(20)), (403, "FIREWORKS_API_KEY", .seconds(20)),
            // What may be over in a moment is waited for.
            (503, "FW_TRACING", .seconds(1)), (nil, "http://127.0.0.1:9", .seconds(1)),
        ] as [(Int?, String, Duration)])
    func undelivered(status: Int?, word: String, limit: Duration) async throws {
        let started = Atomic(0)
        try await FakeGateway.with { gateway in
            var configuration = RolloutEnvironment.Configuration.test
            configuration.runningTimeout = limit
            let environment = RolloutEnvironment(configuration) { _ in
                started.add(1, ordering: .relaxed)
                return .finished()
            }
            if let status { gateway.onLine { _ in .json(["detail": "no"], status: status) } }
            try await ServedEnvironment.with(environment) { environment in
                let url = status == nil ? "http://127.0.0.1:9" : gateway.url
                let answer = try await environment.initialize(.test("r", gateway: url))
                #expect(answer.status == 503)
                #expect(answer.message.contains(word), "\(answer.text)")
                #expect(answer.headers.first(name: "retry-after") != nil)
                gateway.onLine { _ in FakeGateway.taken }
                #expect(try await environment.send(.GET, "/health").json?["running"] == 0)
            }
        }
        #expect(started.load(ordering: .relaxed) == 0)
    }

    @Test("keys: bearer or api_key, else 401") func keys() async throws {
        try await FakeGateway.with { gateway in
            var configuration = RolloutEnvironment.Configuration.test
            configuration.acceptedAPIKeys = ["caller-key-1234"]
            let environment = RolloutEnvironment(configuration) { _ in .finished() }
            try await ServedEnvironment.with(environment) { environment in
                let wrong = try await environment.initialize(.test("r", gateway: gateway.url, key: "wrong"))
                #expect(wrong.status == 401)
                #expect(wrong.message.contains("acceptedAPIKeys"))
                #expect(!wrong.text.contains("caller-key"))
                #expect(try await environment.initialize(.test("r", gateway: gateway.url)).status == 200)
                #expect(try await environment.post("/cancel", ["all": true]).status == 401)
                let headers = [("authorization", "Bearer caller-key-1234")]
                #expect(try await environment.post("/cancel", ["all": true], headers: headers).status == 200)
            }
        }
    }

    @Test("no key gets into a log line or an error") func noKeys() async throws {
        try await FakeGateway.with { gateway in
            gateway.onCall { request in
                .json(["error": ["message": .string("Wrong: \(request.headers["authorization"])")]], status: 401)
            }
            let environment = RolloutEnvironment(.test) { rollout in
                rollout.logger.info("got \(rollout.request)")
                _ = try await rollout.model.complete(rollout.messages)
                return .finished()
            }
            try await ServedEnvironment.with(environment) { environment in
                #expect(try await environment.initialize(.test("r", gateway: gateway.url)).status == 200)
                try await eventually("terminal status") { !gateway.terminal(of: "r").isEmpty }
                #expect(gateway.terminal(of: "r") == [.unauthenticated])
                #expect(gateway.lines.contains { $0.message.contains("[redacted]") })
                #expect(!gateway.lines.contains { $0.json.description.contains("caller-key-1234") })
            }
        }
    }

    @Test("a streamed answer through the socket, and one that breaks off") func streaming() async throws {
        try await FakeGateway.with { gateway in
            let chunks = ["Hel", "lo"].map { piece in
                "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\(piece)\"},\"finish_reason\":null}]}\r\n\r\n"
            }
            let end =
                "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
            gateway.onCall { request in
                request.path.contains("/whole/") ? .events([": hi\n\n"] + chunks + [end]) : .events(chunks, cut: true)
            }
            let environment = RolloutEnvironment(.test) { rollout in
                let completion = try await rollout.model.stream(rollout.messages).collect()
                return .finished(completion.message.text)
            }
            try await ServedEnvironment.with(environment) { environment in
                for id in ["whole", "broken"] {
                    #expect(try await environment.initialize(.test(id, gateway: gateway.url)).status == 200)
                }
                try await eventually("both ends") { gateway.lines.filter { $0.code?.isTerminal == true }.count == 2 }
                #expect(gateway.terminal(of: "whole") == [.finished])
                #expect(gateway.lines(of: "whole").last?.message == "Hello")
                #expect(gateway.terminal(of: "broken") == [.unavailable])
            }
        }
    }

    @Test("localhost is IPv4 and, where there is one, IPv6") func localhost() async throws {
        let environment = RolloutEnvironment(.test) { _ in .finished() }
        try await ServedEnvironment.with(environment, host: "localhost") { environment in
            let health = try await environment.send(.GET, "/health")
            #expect(health.status == 200)
        }
    }
}

extension JSONObject {
    mutating func setInMetadata(_ key: String, _ value: JSONValue) {
        var metadata = self["metadata"]?.object ?? [:]
        metadata[key] = value
        self["metadata"] = .object(metadata)
    }
}
