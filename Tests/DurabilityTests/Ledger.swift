// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import GRDB
import SQLiteTraceStore
import Synchronization
import Testing
import TraceStore

/// What was sent to a gateway and what it has acknowledged, kept apart from it.
final class Ledger: Sendable {
    enum Fact: Hashable, Sendable, CustomStringConvertible {
        /// A call, by its request's body, and its answer.
        case call(body: String, answer: String)
        case line(message: String)
        case status(rollout: String, code: Int)

        var description: String {
            switch self {
            case .call(let body, let answer): "call of \(body.utf8.count) bytes answered \(answer.suffix(80))"
            case .line(let message): "line \(message)"
            case .status(let rollout, let code): "status \(code) of \(rollout)"
            }
        }
    }

    private struct State {
        var sent: Set<Fact> = []
        /// Where the disk's record was when each was acknowledged.
        var acknowledged: [Fact: Int] = [:]
    }

    private let state = Mutex(State())

    func send(_ fact: Fact) { _ = state.withLock { $0.sent.insert(fact) } }

    func acknowledge(_ fact: Fact, at position: Int) { state.withLock { $0.acknowledged[fact] = position } }

    var count: Int { state.withLock { $0.acknowledged.count } }

    /// A new record of the disk begins; all that there is was there before.
    func beginRecord() { state.withLock { $0.acknowledged = $0.acknowledged.mapValues { _ in 0 } } }

    /// What is wrong with a store in which everything acknowledged by `position` must be, and nothing that was not sent.
    func faults(in store: URL, at position: Int) async -> [String] {
        let (sent, acknowledged) = state.withLock { ($0.sent, $0.acknowledged.filter { $0.value <= position }) }
        do {
            let found = try await Self.facts(in: store)
            return acknowledged.keys.filter { !found.contains($0) }.map { "lost: \($0)" }
                + found.filter { !sent.contains($0) }.map { "never sent: \($0)" }
        } catch {
            return ["cannot be read: \(error)"]
        }
    }

    /// All that a store holds, each call's request put together again.
    private static func facts(in path: URL) async throws -> Set<Fact> {
        let store = try SQLiteTraceStore(path: path.path)
        var facts: Set<Fact> = []
        for id in try await store.calls(CallQuery(account: .default, tags: [], limit: .max, attempts: .all)) {
            let call = try #require(try await store.call(id, account: .default))
            facts.insert(
                .call(
                    body: String(decoding: call.record.request.body, as: UTF8.self),
                    answer: String(decoding: call.record.answer, as: UTF8.self)))
        }
        for line in try await store.logs(LogQuery(account: .default, tags: [], limit: .max, attempts: .all)) {
            facts.insert(.line(message: line.message))
        }
        for event in try await store.events(after: 0, limit: .max) ?? [] {
            facts.insert(.status(rollout: event.rollout.rolloutID, code: event.status.code.rawValue))
            // The newest is also what the rollout's own row says.
            guard event.status.code != .running else { continue }
            let state = try await store.state(of: event.rollout)
            guard state?.status == event.status else {
                throw StoreError(.unusable, "rollout \(event.rollout.rolloutID) has another status than its event")
            }
        }
        try store.close()
        let result = try await DatabaseQueue(path: path.path).read {
            try String.fetchAll($0, sql: "PRAGMA integrity_check")
        }
        guard result == ["ok"] else { throw StoreError(.unusable, result.joined(separator: "; ")) }
        return facts
    }
}
