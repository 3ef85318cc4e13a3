// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
package import RolloutEnvironment
import Synchronization
public import WireJSON

/// A model that says what a test tells it to, and keeps what it was asked.
///
///     let model = ScriptedModel(["Paris.", .toolCalls([("add", ["a": 1, "b": 2])])])
///     let model = ScriptedModel { call in .text("You said: \(call.messages.last?.text ?? "")") }
public final class ScriptedModel: Sendable {
    /// One call of the model.
    public struct Call: Sendable, Hashable {
        /// 0 for the first.
        public let index: Int
        public let messages: [Message]
        public let tools: [JSONValue]
        public let isStreamed: Bool
        /// The request's whole body.
        public let body: JSONObject
        /// The request's address.
        public let url: String
        /// The request's headers, names in lower case.
        public let headers: [String: String]
    }

    /// A call beyond the end of the script.
    public struct OutOfAnswers: Error, CustomStringConvertible {
        public let description: String
    }

    private let answer: @Sendable (Call) async throws -> ScriptedAnswer
    private let made = Mutex<[Call]>([])

    /// A model that answers from a closure; what that throws, the agent meets as a failed connection.
    public init(_ answer: @escaping @Sendable (Call) async throws -> ScriptedAnswer) { self.answer = answer }

    /// A model that gives these answers in order, and then fails.
    public init(_ answers: [ScriptedAnswer]) {
        answer = { call in
            guard answers.indices.contains(call.index) else {
                throw OutOfAnswers(description: "The script has \(answers.count) answers and was asked for another.")
            }
            return answers[call.index]
        }
    }

    /// The calls so far.
    public var calls: [Call] { made.withLock { $0 } }
}

extension ScriptedModel: ModelTransport {
    package func send(_ request: ModelRequest) async throws -> ModelResponse {
        let messages = try JSONReader(.object(request.body))["messages"].decodeElements(Message.self)
        let call = made.withLock { made in
            let call = Call(
                index: made.count, messages: messages, tools: request.body["tools"]?.array ?? [],
                isStreamed: request.body["stream"]?.bool ?? false, body: request.body, url: request.url,
                headers: Dictionary(request.headers.map { ($0.name.lowercased(), $0.value) }) { $1 })
            made.append(call)
            return call
        }
        return try await answer(call).response(to: call)
    }
}
