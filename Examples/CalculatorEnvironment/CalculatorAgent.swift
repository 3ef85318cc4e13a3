// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutEnvironment

/// Lets the model work until it has stated an answer, or has had all its turns.
///
/// Actions are JSON by `response_format` instead of tool calls: the smallest models can do that.
struct CalculatorAgent {
    private static let maximumTurns = 6
    private static let instructions = """
        You have a calculator. Copy the two numbers of the question and name the operation, as JSON.
        What is 12 plus 30? {"left": 12, "operation": "plus", "right": 30}
        What is 90 minus 41? {"left": 90, "operation": "minus", "right": 41}
        What is 7 times 8? {"left": 7, "operation": "times", "right": 8}
        """

    let rollout: Rollout

    func run() async throws -> Status {
        var messages = [Message.system(Self.instructions)] + rollout.messages
        var shown: Int?
        for turn in 1...Self.maximumTurns {
            do {
                if let result = shown {
                    let said = try await ask(messages, for: Answer.self)
                    rollout.logger.info("answered \(said.answer.answer), the calculator showed \(result)")
                    return .finished(
                        reason: .stop, info: ["answer": .number(said.answer.answer), "turns": .number(turn)])
                }
                let step = try await ask(messages, for: Calculation.self)
                messages.append(step.message)
                shown = step.answer.result
                let display = step.answer.result.map { "\($0)" } ?? "an overflow"
                rollout.logger.info("turn \(turn): \(step.answer) shows \(display)")
                messages.append(.user("The calculator shows \(display). State it as the answer."))
            } catch let error as ModelError where error.reason == .answerNotAsAsked {
                // Cut at the token limit, say: let it try again.
                messages.append(.user("That was not the JSON asked for. Try again, and be short."))
            }
        }
        return .finished("No answer within \(Self.maximumTurns) turns", reason: .maxSteps)
    }

    private func ask<Form: ToolArguments>(
        _ messages: [Message], for form: Form.Type
    ) async throws -> StructuredCompletion<Form> {
        try await rollout.model.complete(messages, as: form, options: CompletionOptions(maximumTokens: 64))
    }
}

/// What the model enters into the calculator.
struct Calculation: ToolArguments, CustomStringConvertible {
    enum Operation: String, Decodable, CaseIterable {
        case plus, minus, times
    }

    var left: Int
    var operation: Operation
    var right: Int

    /// `nil` when it is too large.
    var result: Int? {
        let (value, isTooLarge) =
            switch operation {
            case .plus: left.addingReportingOverflow(right)
            case .minus: left.subtractingReportingOverflow(right)
            case .times: left.multipliedReportingOverflow(by: right)
            }
        return isTooLarge ? nil : value
    }

    var description: String { "\(left) \(operation) \(right)" }
}

/// What the model says in the end.
struct Answer: ToolArguments {
    var answer: Int
}
