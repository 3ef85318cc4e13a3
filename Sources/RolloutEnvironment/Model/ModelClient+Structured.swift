// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
import WireJSON

extension ModelClient {
    /// Asks for one answer in the form of `type`, whose JSON schema is sent as `response_format`.
    ///
    /// - Throws: ``ModelError``, with the reason ``FailureReason/answerNotAsAsked`` when the answer has another form
    ///   (cut short by the token limit, for instance); ``ToolError`` when no schema can be made of `type`.
    public func complete<Answer: ToolArguments>(
        _ messages: [Message], as type: Answer.Type, options: CompletionOptions = CompletionOptions()
    ) async throws -> StructuredCompletion<Answer> {
        var options = options
        options.responseFormat = CompletionOptions.jsonSchema(try type.schema(), name: "\(type)".lowercased())
        let completion = try await complete(messages, tools: [], options: options)
        do {
            let json = try JSONValue(parsing: Array(completion.message.text.utf8))
            return StructuredCompletion(
                answer: try JSONValueDecoder().decode(type, from: json), completion: completion)
        } catch {
            let isCut = completion.choices.first?.finishReason == "length"
            throw ModelError(
                .answerNotAsAsked,
                "The model's answer is not a \(type)"
                    + (isCut ? ": it was cut at the token limit." : ", though its schema was asked for."))
        }
    }
}

/// An answer in an asked-for form.
public struct StructuredCompletion<Answer: Sendable>: Sendable {
    public let answer: Answer
    public let completion: Completion

    /// The message to go on with.
    public var message: Message { completion.message }
}
