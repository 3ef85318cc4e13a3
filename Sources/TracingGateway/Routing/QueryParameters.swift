// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import HummingbirdCore
import TraceStore

/// The query of a request, read strictly: what is not as it should be is answered 422 with the parameter's name.
struct QueryParameters {
    private let pairs: [(name: String, value: String)]

    init(_ request: Request) throws(Problem) {
        var pairs: [(name: String, value: String)] = []
        for pair in request.uri.query?.split(separator: "&") ?? [] {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(halves[0]) else {
                throw .parameter(String(halves[0]), "a name in percent-encoded UTF-8", found: String(halves[0]))
            }
            let raw = halves.count > 1 ? halves[1] : ""
            guard let value = Self.decoded(raw) else {
                throw .parameter(name, "a value in percent-encoded UTF-8", found: String(raw))
            }
            pairs.append((name, value))
        }
        self.pairs = pairs
    }

    /// The decoded text; `nil` when an escape is broken or the bytes are not UTF-8.
    private static func decoded(_ text: Substring) -> String? {
        text.replacing("+", with: " ").removingPercentEncoding
    }

    /// Refuses parameters of other names, where one that is overlooked would do harm.
    func expectOnly(_ names: [String]) throws(Problem) {
        guard let other = pairs.first(where: { !names.contains($0.name) }) else { return }
        throw .parameter(other.name, "one of \(names.joined(separator: ", "))", found: other.name)
    }

    /// All values of a parameter that may be repeated.
    func all(_ name: String) -> [String] { pairs.compactMap { $0.name == name ? $0.value : nil } }

    /// The last value.
    func last(_ name: String) -> String? { pairs.last { $0.name == name }?.value }

    func required(_ name: String) throws(Problem) -> String {
        guard let value = last(name), !value.isEmpty else {
            throw .parameter(name, "a non-empty value", found: last(name))
        }
        return value
    }

    /// Values of a required, repeatable parameter.
    func requiredList(_ name: String, _ expected: String) throws(Problem) -> [String] {
        let values = all(name)
        guard !values.isEmpty, !values.contains("") else { throw .parameter(name, expected, found: values.first) }
        return values
    }

    /// Ids of rollouts and of what they belong to, each repeatable.
    func rolloutFilter() throws(Problem) -> RolloutFilter {
        func ids(_ name: String) throws(Problem) -> [String] {
            all(name).isEmpty ? [] : try requiredList(name, "a non-empty id")
        }
        return RolloutFilter(
            experimentIDs: try ids("experiment_id"), runIDs: try ids("run_id"),
            invocationIDs: try ids("invocation_id"), rolloutIDs: try ids("rollout_id"))
    }

    /// A whole number that is not negative; what does not fit an `Int` counts as the largest.
    func count(_ name: String) throws(Problem) -> Int? {
        guard let text = last(name) else { return nil }
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            throw .parameter(name, "a whole number, 0 or more", found: text)
        }
        return Int(text) ?? .max
    }

    /// A number from 0 up to `maximum`.
    func number(_ name: String, upTo maximum: Double = .greatestFiniteMagnitude) throws(Problem) -> Double? {
        guard let text = last(name) else { return nil }
        // Swift reads hexadecimal numbers, too.
        guard !text.utf8.contains(where: { $0 | 0x20 == UInt8(ascii: "x") }), let number = Double(text),
            number.isFinite, (0...maximum).contains(number)
        else {
            let bound = maximum == .greatestFiniteMagnitude ? "0 or more" : "from 0 to \(Int(maximum))"
            throw .parameter(name, "a number, \(bound)", found: text)
        }
        return number
    }

    /// `true`, `false`, `1` or `0`; Python's clients write `True` and `False`.
    func flag(_ name: String) throws(Problem) -> Bool {
        switch last(name) {
        case nil: return false
        case "true", "True", "1": return true
        case "false", "False", "0": return false
        case let text: throw .parameter(name, "true or false", found: text)
        }
    }

    func timestamp(_ name: String) throws(Problem) -> Timestamp? {
        guard let text = last(name) else { return nil }
        guard let timestamp = Timestamp(text) else {
            throw .parameter(name, "a time such as 2026-01-31T12:00:00Z", found: text)
        }
        return timestamp
    }

    func attempt(_ name: String = "attempt") throws(Problem) -> AttemptID? {
        guard let text = last(name) else { return nil }
        guard let attempt = AttemptID(text) else {
            throw .parameter(name, "an attempt id: 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'", found: text)
        }
        return attempt
    }

    /// `attempt=all`, `attempt=ID`, or nothing for the newest.
    func attempts() throws(Problem) -> AttemptSelection {
        guard let text = last("attempt") else { return .newest }
        return text == "all" ? .all : try attempt().map { .named($0) } ?? .newest
    }
}

extension QueryParameters {
    /// The time `hours` before now, in microseconds since 1970.
    static func since(hoursBack hours: Double, now: Int64) -> Int64 {
        let micros = hours * 3_600_000_000
        return micros < Double(now) ? now - Int64(micros) : 0
    }
}
