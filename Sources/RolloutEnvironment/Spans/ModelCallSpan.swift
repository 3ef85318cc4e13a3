// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Synchronization
import Tracing

/// The span of one model call, its repeats included. It ends once: with the answer, an error, or when nobody reads on.
final class ModelCallSpan: Sendable {
    private let span: any Span
    private let isOver = Atomic(false)

    init(_ span: any Span) { self.span = span }

    deinit { end() }

    /// The headers with which the trace goes on at the server.
    var headers: [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        InstrumentationSystem.instrument.inject(span.context, into: &headers, using: HeaderInjector())
        return headers
    }

    func repeats(after error: ModelError, in wait: Duration) {
        guard span.isRecording else { return }
        let attributes: SpanAttributes = [
            "error.type": .string(error.reason.rawValue), "rollcall.wait_seconds": .double(wait / .seconds(1)),
        ]
        span.addEvent(SpanEvent(name: "repeat", attributes: attributes))
    }

    func answered(_ completion: Completion) {
        if span.isRecording {
            var attributes: SpanAttributes = [
                "gen_ai.response.finish_reasons": .stringArray(completion.choices.compactMap(\.finishReason))
            ]
            if !completion.id.isEmpty { attributes["gen_ai.response.id"] = completion.id }
            if !completion.model.isEmpty { attributes["gen_ai.response.model"] = completion.model }
            attributes["gen_ai.usage.input_tokens"] = completion.usage?.promptTokens
            attributes["gen_ai.usage.output_tokens"] = completion.usage?.completionTokens
            span.attributes.merge(attributes)
        }
        end()
    }

    func failed(_ error: any Error) {
        if span.isRecording {
            if let error = error as? ModelError {
                span.attributes["http.response.status_code"] = error.httpStatus
                span.fail(error.reason.rawValue, error)
            } else {
                let type = error is CancellationError ? "cancelled" : "\(type(of: error))"
                span.fail(type, TracedError("The model call ended early: \(type)."))
            }
        }
        end()
    }

    private func end() {
        if !isOver.exchange(true, ordering: .acquiringAndReleasing) { span.end() }
    }
}

/// The span of a tool call.
struct ToolCallSpan: Sendable {
    let span: any Span

    /// - Parameter why: Without keys.
    func failed(_ type: String, _ why: String) {
        if span.isRecording { span.fail(type, TracedError(why)) }
    }
}
