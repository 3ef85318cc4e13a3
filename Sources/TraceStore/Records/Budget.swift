// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// What an attempt may use of the model. A bound that is `nil` is none.
package struct Budget: Sendable, Hashable {
    /// Answered model calls.
    package var calls: Int?
    /// Answers in a row within one conversation.
    package var turns: Int?
    package var promptTokens: Int?
    package var completionTokens: Int?

    package init(calls: Int? = nil, turns: Int? = nil, promptTokens: Int? = nil, completionTokens: Int? = nil) {
        self.calls = calls
        self.turns = turns
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
    }

    package enum Limit: String, Sendable, Hashable, CaseIterable {
        case calls
        case turns
        case promptTokens = "prompt_tokens"
        case completionTokens = "completion_tokens"

        package var reason: FailureReason {
            switch self {
            case .calls: .budgetCalls
            case .turns: .budgetTurns
            case .promptTokens: .budgetPromptTokens
            case .completionTokens: .budgetCompletionTokens
            }
        }
    }

    package subscript(limit: Limit) -> Int? {
        get { self[keyPath: Self.path(limit)] }
        set { self[keyPath: Self.path(limit)] = newValue }
    }

    private static func path(_ limit: Limit) -> WritableKeyPath<Budget, Int?> {
        switch limit {
        case .calls: \.calls
        case .turns: \.turns
        case .promptTokens: \.promptTokens
        case .completionTokens: \.completionTokens
        }
    }

    package var isEmpty: Bool { self == Budget() }

    /// The smaller of each bound.
    package func tightened(by other: Budget) -> Budget {
        var result = self
        for limit in Limit.allCases {
            if let bound = other[limit] { result[limit] = min(self[limit] ?? bound, bound) }
        }
        return result
    }

    /// The first bound that leaves no room for another call.
    package func limit(reachedBy spent: Spending) -> Limit? {
        Limit.allCases.first { limit in self[limit].map { spent[limit] >= $0 } ?? false }
    }
}

/// What an attempt has used of the model, by its recorded calls.
package struct Spending: Sendable, Hashable {
    package var calls = 0
    package var turns = 0
    package var promptTokens = 0
    package var completionTokens = 0

    package init() {}

    package subscript(limit: Budget.Limit) -> Int {
        switch limit {
        case .calls: calls
        case .turns: turns
        case .promptTokens: promptTokens
        case .completionTokens: completionTokens
        }
    }

    /// Adds a recorded call.
    ///
    /// - Parameter turn: How many answers in a row its conversation has with it.
    package mutating func add(_ usage: Usage?, turn: Int) {
        calls += 1
        turns = max(turns, turn)
        promptTokens += max(0, usage?.promptTokens ?? 0)
        completionTokens += max(0, usage?.completionTokens ?? 0)
    }
}
