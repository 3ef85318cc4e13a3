// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
public import EvalProtocol
import NIOCore
public import WireJSON

/// A rollout's model: chat completions with the rollout's parameters, through its gateway.
///
/// What fails for a moment (no connection, a time-out, 408, 409, 429, 5xx) is repeated, as the server's
/// `Retry-After` and `x-should-retry` say; what remains is thrown as ``ModelError``. Once the rollout has ended,
/// every call throws `CancellationError`.
public struct ModelClient: Sendable {
    /// The model and the sampling parameters of every call; change a copy to call with others.
    public var parameters: CompletionParameters

    let tools: [JSONValue]
    let endpoint: Result<ModelEndpoint, ModelError>
    let transport: any ModelTransport
    let gate: ModelCallGate
    let meter: BudgetMeter
    let retries: RetryPolicy
    let maximumAnswerBytes: Int
    let secrets: Secrets
    let span: RolloutSpan

    /// Asks for one answer.
    ///
    /// - Parameters:
    ///   - messages: The conversation so far.
    ///   - tools: Function definitions the model may call; by default the rollout's own, `[]` for none.
    ///   - options: What this call asks beyond and over the rollout's parameters.
    /// - Throws: ``ModelError``; `CancellationError` when the rollout is cancelled or over.
    public func complete(
        _ messages: [Message], tools: [JSONValue]? = nil, options: CompletionOptions = CompletionOptions()
    ) async throws -> Completion {
        let call = try begin(messages, isStreamed: false)
        let request = request(messages, tools: tools, options: options, of: call, isStreamed: false)
        do {
            let completion = try await repeating(call) {
                do {
                    return try await readCompletion(
                        try await open(request, endpoint: call.endpoint), from: call.endpoint)
                } catch {
                    throw modelError(error, at: call.endpoint)
                }
            }
            call.answered(completion)
            return completion
        } catch {
            call.failed(error)
            throw error
        }
    }

    /// Asks for one answer and gives it out as it comes.
    ///
    /// Parameters and errors as in ``complete(_:tools:options:)``; what goes wrong after the first bytes is thrown
    /// while iterating, and not repeated.
    public func stream(
        _ messages: [Message], tools: [JSONValue]? = nil, options: CompletionOptions = CompletionOptions()
    ) async throws -> CompletionStream {
        let call = try begin(messages, isStreamed: true)
        let request = request(messages, tools: tools, options: options, of: call, isStreamed: true)
        do {
            let response = try await repeating(call) {
                do {
                    return try await open(request, endpoint: call.endpoint)
                } catch {
                    throw modelError(error, at: call.endpoint)
                }
            }
            return CompletionStream(body: response.body, call: call, maximumBytes: maximumAnswerBytes) {
                modelError($0, at: call.endpoint, isMidStream: true)
            }
        } catch {
            call.failed(error)
            throw error
        }
    }

    /// - Throws: ``ModelError`` when the budget has no room; `CancellationError` when the rollout is over.
    private func begin(_ messages: [Message], isStreamed: Bool) throws -> CallUnderWay {
        let pass = try gate.enter()
        let endpoint = try endpoint.get()
        let budget = try meter.begin(messages)
        let span = span.modelCall(parameters.model, at: endpoint, isStreamed: isStreamed)
        return CallUnderWay(endpoint: endpoint, pass: pass, budget: budget, span: span)
    }

    private func request(
        _ messages: [Message], tools: [JSONValue]?, options: CompletionOptions, of call: CallUnderWay, isStreamed: Bool
    ) -> ModelRequest {
        var headers: [(name: String, value: String)] = [
            ("content-type", "application/json"),
            ("accept", isStreamed ? "text/event-stream" : "application/json"),
            ("user-agent", "rollcall"),
        ]
        headers += call.span.headers
        if let key = call.endpoint.apiKey { headers.append(("authorization", "Bearer \(key)")) }
        return ModelRequest(
            url: call.endpoint.url, headers: headers,
            body: ModelRequest.body(
                parameters, messages: messages, tools: tools ?? self.tools, options: options, isStreamed: isStreamed))
    }

    /// Sends the call; an answer that is not a success is thrown.
    private func open(_ request: ModelRequest, endpoint: ModelEndpoint) async throws -> ModelResponse {
        let response = try await transport.send(request)
        if (200...299).contains(response.status) { return response }
        let body = (try? await response.collect(upTo: 65_536)) ?? []
        throw ModelError(answer: response, body: body, endpoint: endpoint, secrets: secrets)
    }

    private func readCompletion(_ response: ModelResponse, from endpoint: ModelEndpoint) async throws -> Completion {
        let bytes = try await response.collect(upTo: maximumAnswerBytes)
        do {
            let completion = try Completion(parsing: bytes)
            guard !completion.choices.isEmpty else { throw unreadable("it has no choices", at: endpoint) }
            return completion
        } catch let error as ModelError {
            throw error
        } catch {
            throw unreadable("\(error)", at: endpoint)
        }
    }

    private func repeating<Value>(
        _ call: CallUnderWay, _ operation: () async throws -> Value
    ) async throws -> Value {
        var retry = 0
        while true {
            try Task.checkCancellation()
            do {
                return try await operation()
            } catch let error as ModelError {
                guard let wait = retries.wait(after: error, retry: retry) else { throw error }
                call.span.repeats(after: error, in: wait)
                try await Task.sleep(for: wait)
                retry += 1
            }
        }
    }

    private func unreadable(_ why: String, at endpoint: ModelEndpoint) -> ModelError {
        ModelError(
            .modelAnswerUnreadable,
            secrets.redact("The answer of \(endpoint.origin) is not a chat completion: \(why).", limit: 500))
    }

    /// What an error of the transport means.
    private func modelError(_ error: any Error, at endpoint: ModelEndpoint, isMidStream: Bool = false) -> any Error {
        switch error {
        case is ModelError, is CancellationError: return error
        case let error as HTTPClientError where error == .cancelled: return CancellationError()
        default: break
        }
        if Task.isCancelled { return CancellationError() }
        let what = secrets.redact((error as? HTTPClientError)?.shortDescription ?? "\(error)", limit: 300)
        if isMidStream {
            return ModelError(.modelStreamBroken, "The model's answer from \(endpoint.origin) broke off: \(what).")
        }
        let isTimeout = Status.thrown(error, secrets: secrets).code == .deadlineExceeded
        return ModelError(
            isTimeout ? .modelTimeout : .modelUnavailable,
            isTimeout
                ? "The model server \(endpoint.origin) did not answer in time: \(what)."
                : "The model server \(endpoint.origin) cannot be reached: \(what).",
            isTransient: true)
    }
}
