// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Tracing

/// The span of one execution, from its acceptance to its end; its model and tool calls have theirs below it.
///
/// They go to the tracer that the process has set up for swift-distributed-tracing, and nowhere without one.
final class RolloutSpan: Sendable {
    private let span: any Span
    /// What tells all spans of a rollout.
    private let ids: SpanAttributes

    /// Continues the trace of the current task, if that is in one.
    init(_ metadata: RolloutMetadata, attempt: AttemptID, model: String) {
        ids = ["rollcall.rollout_id": .string(metadata.rolloutID), "rollcall.attempt": .string("\(attempt)")]
        span = startSpan("rollout", ofKind: .server)
        guard span.isRecording else { return }
        var attributes = ids
        attributes["gen_ai.operation.name"] = "invoke_agent"
        attributes["gen_ai.conversation.id"] = metadata.rolloutID
        attributes["gen_ai.request.model"] = model
        attributes["rollcall.invocation_id"] = metadata.invocationID
        attributes["rollcall.experiment_id"] = metadata.experimentID
        attributes["rollcall.run_id"] = metadata.runID
        attributes["rollcall.row_id"] = metadata.rowID
        span.attributes.merge(attributes)
    }

    /// What the agent's own spans, and its calls of other services, continue.
    var context: InstrumentationContext { span.context }

    /// The agent starts to work: the rollout has had to wait for a place until now.
    func agentStarts() {
        if span.isRecording { span.addEvent("agent started") }
    }

    func end(_ status: Status) {
        defer { span.end() }
        guard span.isRecording else { return }
        span.attributes["rollcall.status.code"] = status.code.rawValue
        span.attributes["rollcall.status.name"] = status.code.name
        if let reward = status.extras["reward"]?.double { span.attributes["rollcall.reward"] = reward }
        guard !status.isSuccess else { return }
        span.fail(FailureReason(status)?.rawValue ?? status.code.name, TracedError(status.message))
    }

    /// Begins the span of a model call.
    func modelCall(_ model: String, at endpoint: ModelEndpoint, isStreamed: Bool) -> ModelCallSpan {
        let call = startSpan("chat \(model)", context: parent, ofKind: .client)
        if call.isRecording {
            var attributes = ids
            attributes["gen_ai.operation.name"] = "chat"
            // Whoever serves the model, this is the form of the call.
            attributes["gen_ai.provider.name"] = "openai"
            attributes["gen_ai.request.model"] = model
            attributes["rollcall.is_streamed"] = isStreamed
            let server = endpoint.origin.split(separator: "/").last ?? ""
            if let colon = server.lastIndex(of: ":") {
                attributes["server.address"] = String(server[..<colon])
                attributes["server.port"] = Int(server[server.index(after: colon)...])
            }
            call.attributes.merge(attributes)
        }
        return ModelCallSpan(call)
    }

    /// Runs a tool call within a span of its own.
    ///
    /// - Parameter name: The tool's; `nil` if there is none of the name that the model gave.
    func toolCall(
        _ name: String?, id: String, _ operation: (ToolCallSpan) async throws -> ToolResult
    ) async rethrows -> ToolResult {
        try await withSpan(name.map { "execute_tool \($0)" } ?? "execute_tool", context: parent) { span in
            if span.isRecording {
                var attributes = ids
                attributes["gen_ai.operation.name"] = "execute_tool"
                attributes["gen_ai.tool.name"] = name
                attributes["gen_ai.tool.call.id"] = String(id.prefix(100))
                attributes["gen_ai.tool.type"] = "function"
                span.attributes.merge(attributes)
            }
            return try await operation(ToolCallSpan(span: span))
        }
    }

    // A task that the agent has detached is not in the trace by itself.
    private var parent: InstrumentationContext { InstrumentationContext.current ?? span.context }
}

/// What a span says went wrong; backends show the description.
struct TracedError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

extension Span {
    /// - Parameter type: The low-cardinality name of the error.
    func fail(_ type: String, _ error: any Error) {
        attributes["error.type"] = type
        setStatus(SpanStatus(code: .error, message: "\(error)"))
        recordError(error)
    }
}
