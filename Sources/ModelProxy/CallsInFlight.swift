// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Synchronization
import TraceStore

/// Calls whose request has come and whose end has not: all of them, each account's and each rollout's, bounded.
///
/// One for all event loops, so that a bound means what it says. A call takes the lock twice, each time for two
/// look-ups.
final class CallsInFlight: Sendable {
    private struct Counts {
        var total = 0
        var accounts: [Account: Int] = [:]
        var rollouts: [RolloutKey: Int] = [:]
    }

    private let limits: CallLimits
    private let counts = Mutex(Counts())

    init(limits: CallLimits) { self.limits = limits }

    var total: Int { counts.withLock { $0.total } }

    /// Counts a call that begins, or tells why it may not.
    func begin(_ account: Account, _ rollout: RolloutKey?) -> GatewayProblem? {
        let limits = limits
        return counts.withLock { counts in
            let ofAccount = counts.accounts[account, default: 0]
            guard counts.total < limits.total else { return .tooManyCalls(.total, limit: limits.total) }
            guard ofAccount < limits.account else { return .tooManyCalls(.account, limit: limits.account) }
            if let rollout {
                let ofRollout = counts.rollouts[rollout, default: 0]
                guard ofRollout < limits.rollout else { return .tooManyCalls(.rollout, limit: limits.rollout) }
                counts.rollouts[rollout] = ofRollout + 1
            }
            counts.accounts[account] = ofAccount + 1
            counts.total += 1
            return nil
        }
    }

    /// A call that was counted has ended.
    func end(_ account: Account, _ rollout: RolloutKey?) {
        counts.withLock { counts in
            counts.total -= 1
            if let count = counts.accounts[account] { counts.accounts[account] = count > 1 ? count - 1 : nil }
            if let rollout, let count = counts.rollouts[rollout] {
                counts.rollouts[rollout] = count > 1 ? count - 1 : nil
            }
        }
    }
}

extension GatewayProblem {
    /// Whose calls are too many.
    enum CallScope: String {
        case total, account, rollout
    }

    static func tooManyCalls(_ scope: CallScope, limit: Int) -> GatewayProblem {
        let (whose, code, flag) =
            switch scope {
            case .total: ("", "too_many_calls", "--max-calls")
            case .account: (" of this account", "too_many_account_calls", "--max-calls-per-account")
            case .rollout: (" of this rollout", "too_many_rollout_calls", "--max-calls-per-rollout")
            }
        return GatewayProblem(
            status: 429,
            "\(limit) calls\(whose) are in flight, as many as \(flag) allows. Send the call again when one has ended, or "
                + "start the gateway with a larger \(flag).",
            type: "rate_limit_error", code: code, param: flag, retryAfter: 1, isWorthRepeating: true)
    }
}
