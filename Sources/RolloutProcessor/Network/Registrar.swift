// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Synchronization

/// Announces attempts to the gateway, as many a request as have come together.
///
/// While one request is under way the next ones gather, so that a thousand rollouts that begin at once cost a few
/// requests and one that begins alone does not wait.
final class Registrar: Sendable {
    private typealias Answer = CheckedContinuation<RolloutLifecycle.Registration, Never>

    private struct State {
        var nextTicket = 0
        var waiting: [(ticket: Int, metadata: RolloutMetadata)] = []
        var answers: [Int: Answer] = [:]
        var isSending = false
        var isUnsupported = false
    }

    private static let batch = 1_000

    private let gateway: GatewayAccess
    private let deadline: Duration
    private let state = Mutex(State())

    /// - Parameter deadline: When the gateway ends an attempt, should the caller be gone by then.
    init(gateway: GatewayAccess, deadline: Duration) {
        self.gateway = gateway
        self.deadline = deadline
    }

    /// Registers one attempt; a cancelled task gets its answer at once, and it is of no use.
    func register(_ metadata: RolloutMetadata) async -> RolloutLifecycle.Registration {
        let ticket = state.withLock { state in
            state.nextTicket += 1
            return state.nextTicket
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: Answer) in
                let answer = join(ticket, metadata, continuation)
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            answer(ticket, .failed("cancelled"))
        }
    }

    private func join(
        _ ticket: Int, _ metadata: RolloutMetadata, _ continuation: Answer
    ) -> RolloutLifecycle.Registration? {
        state.withLock { state in
            // Checked under the lock that the cancellation takes: one of the two always sees the other.
            if Task.isCancelled { return .failed("cancelled") }
            if state.isUnsupported { return .unsupported }
            state.waiting.append((ticket, metadata))
            state.answers[ticket] = continuation
            if !state.isSending {
                state.isSending = true
                // A task of its own: the request serves others too, and must not end with the one who began it.
                Task { await self.send() }
            }
            return nil
        }
    }

    private func answer(_ ticket: Int, _ answer: RolloutLifecycle.Registration) {
        state.withLock { $0.answers.removeValue(forKey: ticket) }?.resume(returning: answer)
    }

    private func send() async {
        while let batch = takeBatch() {
            let answers = await gateway.register(batch.map(\.metadata), deadline: deadline)
            if answers.contains(.unsupported) { state.withLock { $0.isUnsupported = true } }
            for (item, answer) in zip(batch, answers) { self.answer(item.ticket, answer) }
        }
    }

    private func takeBatch() -> [(ticket: Int, metadata: RolloutMetadata)]? {
        state.withLock { state in
            // Those who have gone meanwhile are not announced.
            let answers = state.answers
            state.waiting.removeAll { answers[$0.ticket] == nil }
            guard !state.waiting.isEmpty else {
                state.isSending = false
                return nil
            }
            let batch = Array(state.waiting.prefix(Self.batch))
            state.waiting.removeFirst(batch.count)
            return batch
        }
    }
}
