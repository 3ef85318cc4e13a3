// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import SQLiteTraceStore
import Testing
import TraceStore
import WireJSON

/// Folders, records and numbers that the tests of this target share.
enum Samples {
    static let account = Account.default

    static func metadata(
        _ rollout: String, attempt: String? = nil, experiment: String = "e", run: String = "u"
    ) -> RolloutMetadata {
        RolloutMetadata(
            invocationID: "i", experimentID: experiment, rolloutID: rollout, runID: run, rowID: "row",
            attempt: attempt.flatMap { AttemptID($0) })
    }

    static func call(
        _ rollout: String, attempt: String? = nil, body: String = #"{"messages":[{"role":"user"}]}"#,
        state: CallRecord.State = .recorded, account: Account = account, answer: String = #"{"choices":[]}"#
    ) -> CallRecord {
        CallRecord(
            account: account, metadata: metadata(rollout, attempt: attempt), state: state, request: request(body),
            upstream: "http://up/v1/chat/completions", answer: Array(answer.utf8), startedAt: 1, microsecondsToEnd: 2,
            requestID: "req")
    }

    static func request(_ body: String) -> RecordedRequest {
        let bytes = Array(body.utf8)
        guard let fields = try? JSONFields(of: bytes.span) else { return RecordedRequest(body: bytes, parts: []) }
        return RecordedRequest(body: bytes, fields: fields)
    }

    static func log(
        _ rollouts: String..., code: StatusCode? = nil, attempt: String? = nil, message: String = "m",
        extraTags: [String] = [], account: Account = account, clientID: String? = nil, sentAt: Int64? = nil
    ) -> LogRecord {
        LogRecord(
            account: account, program: "eval_protocol", message: message, severity: "INFO",
            tags: rollouts.map { "rollout_id:\($0)" } + extraTags,
            status: code.map { Array(#"{"code": \#($0.rawValue), "message": "", "details": []}"#.utf8) }, code: code,
            extras: Array(#"{"n": 1.0}"#.utf8), sentAt: sentAt, attempt: attempt.flatMap { AttemptID($0) },
            clientID: clientID)
    }

    static func key(_ rollout: String, account: Account = account) -> RolloutKey {
        RolloutKey(account: account, rolloutID: rollout)
    }

    static func receipt(_ outcome: RecordOutcome?) throws -> StoredReceipt {
        guard case .stored(let receipt) = outcome else {
            throw Unexpected(description: "\(String(describing: outcome))")
        }
        return receipt
    }

    struct Unexpected: Error, CustomStringConvertible { let description: String }
}

/// A folder that goes with the test.
final class Folder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "rollcall-store-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}

/// The stores that keep the contract.
enum StoreKind: String, CaseIterable, Sendable {
    case sqlite

    func open(_ folder: Folder, now: @escaping @Sendable () -> Int64 = SQLiteTraceStore.now) throws -> any TraceStore {
        switch self {
        case .sqlite: try SQLiteTraceStore(path: folder.file("store.sqlite"), now: now)
        }
    }
}

/// SplitMix64, so that a failure can be repeated.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
