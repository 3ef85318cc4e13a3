// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import GRDB
import TraceStore
import WireJSON

/// How what was captured of a call stands in columns.
enum CaptureColumns {
    /// What was to be captured and what of it is missing; `nil` where nothing was.
    static func outcome(of captured: CapturedTokens) -> String? {
        guard captured.capture != .none else { return nil }
        var object: JSONObject = ["capture": .string(captured.capture.rawValue)]
        if !captured.missing.isEmpty { object.append("missing", .array(captured.missing.map { .string($0) })) }
        if !captured.reasons.isEmpty { object.append("reasons", .array(captured.reasons.map { .string($0) })) }
        return JSONValue.object(object).description
    }

    /// For each choice the log probabilities and the experts, each behind its length; `nil` where there are none.
    static func tokens(of captured: CapturedTokens) -> [UInt8]? {
        guard !captured.choices.isEmpty else { return nil }
        var bytes: [UInt8] = []
        for piece in captured.choices.flatMap({ [$0.logprobs, $0.routing] }) {
            VariableInteger.append(piece.count, to: &bytes)
            bytes += piece
        }
        return bytes
    }

    static func captured(_ row: Row, promptTokenIDs: [Int32]) -> CapturedTokens {
        var captured = CapturedTokens(promptTokenIDs: promptTokenIDs)
        if let outcome = (row["capture"] as String?).flatMap({ try? JSONValue(parsing: Array($0.utf8)) }) {
            captured.capture = outcome["capture"]?.string.flatMap { Capture(rawValue: $0) } ?? .none
            captured.missing = outcome["missing"]?.array?.compactMap(\.string) ?? []
            captured.reasons = outcome["reasons"]?.array?.compactMap(\.string) ?? []
        }
        var reader = VariableIntegerReader(row.bytes("tokens") ?? [])
        while !reader.isAtEnd, let logprobs = reader.next().flatMap({ reader.next(count: $0) }),
            let routing = reader.next().flatMap({ reader.next(count: $0) })
        {
            captured.choices.append(.init(logprobs: Array(logprobs), routing: Array(routing)))
        }
        return captured
    }
}
