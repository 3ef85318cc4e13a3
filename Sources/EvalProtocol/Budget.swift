// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// What a rollout may use of the model. A bound that is `nil` is none.
public struct Budget: Sendable, Hashable {
    /// Answered model calls.
    public var calls: Int?
    /// Answers in a row within one conversation.
    public var turns: Int?
    public var promptTokens: Int?
    public var completionTokens: Int?

    public init(calls: Int? = nil, turns: Int? = nil, promptTokens: Int? = nil, completionTokens: Int? = nil) {
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

        /// As it is called in a sentence.
        package var words: String {
            switch self {
            case .calls: "model calls"
            case .turns: "turns"
            case .promptTokens: "prompt tokens"
            case .completionTokens: "completion tokens"
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

extension Budget: JSONConvertible {
    /// Reads a budget; a bound that is mistyped would be none, so other names are refused.
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        self.init()
        for member in try reader.object().members {
            let name = member.key.text
            guard let limit = Limit(rawValue: name) else {
                let names = Limit.allCases.map(\.rawValue).joined(separator: ", ")
                throw reader[name].error(expected: "no such name: a budget has \(names)")
            }
            guard let value = reader[name].present else { continue }
            guard let bound = value.value?.int, bound >= 1 else {
                throw value.error(expected: "a whole number, 1 or more")
            }
            self[limit] = bound
        }
    }

    public var json: JSONValue {
        var object: JSONObject = [:]
        for limit in Limit.allCases {
            if let bound = self[limit] { object.append(limit.rawValue, .number(bound)) }
        }
        return .object(object)
    }
}

/// What an attempt has used of the model, by its answered calls.
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

    /// Adds an answered call.
    ///
    /// - Parameter turn: How many answers in a row its conversation has with it.
    package mutating func add(_ usage: Usage?, turn: Int) {
        calls += 1
        turns = max(turns, turn)
        promptTokens += max(0, usage?.promptTokens ?? 0)
        completionTokens += max(0, usage?.completionTokens ?? 0)
    }
}
