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
        var waiting: [(metadata: RolloutMetadata, answer: Answer)] = []
        var isSending = false
        var isUnsupported = false
    }

    private static let batch = 1_000

    private let gateway: GatewayAccess
    private let state = Mutex(State())

    init(gateway: GatewayAccess) { self.gateway = gateway }

    func register(_ metadata: RolloutMetadata) async -> RolloutLifecycle.Registration {
        await withCheckedContinuation { (continuation: Answer) in
            enum Next { case answer, wait, send }
            let next: Next = state.withLock { state in
                if state.isUnsupported { return .answer }
                state.waiting.append((metadata, continuation))
                if state.isSending { return .wait }
                state.isSending = true
                return .send
            }
            switch next {
            case .answer: continuation.resume(returning: .unsupported)
            case .wait: break
            // A task of its own: the request serves others too, and must not end with the one who began it.
            case .send: Task { await self.send() }
            }
        }
    }

    private func send() async {
        while let batch = takeBatch() {
            let answers = await gateway.register(batch.map(\.metadata))
            if answers.contains(.unsupported) { state.withLock { $0.isUnsupported = true } }
            for (item, answer) in zip(batch, answers) { item.answer.resume(returning: answer) }
        }
    }

    private func takeBatch() -> [(metadata: RolloutMetadata, answer: Answer)]? {
        state.withLock { state in
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
