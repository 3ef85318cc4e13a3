// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// What is known of a rollout: its ids, its attempts, and their statuses.
///
/// A value without I/O; the rules stand in `RolloutState+Rules.swift`.
package struct RolloutState: Sendable, Hashable {
    private struct Parts: Sendable, Hashable {
        var ids = RolloutIDs()
        var registeredIDs: RolloutIDs?
        var attempts: [Attempt] = []
        var untaggedStatus: CurrentStatus?
        var untaggedTerms = RolloutTerms()
    }

    private var parts = Shared(Parts())

    package init() {}

    package var ids: RolloutIDs {
        _read { yield parts.value.ids }
        _modify { yield &parts.value.ids }
    }

    /// What the rollout was registered with, `nil` when it was not. Other ids in another registration conflict.
    package var registeredIDs: RolloutIDs? {
        _read { yield parts.value.registeredIDs }
        _modify { yield &parts.value.registeredIDs }
    }

    /// In the order they were opened; empty for a rollout whose lines and calls name no attempt.
    package var attempts: [Attempt] {
        _read { yield parts.value.attempts }
        _modify { yield &parts.value.attempts }
    }

    /// The status of a rollout without attempts.
    package var untaggedStatus: CurrentStatus? {
        _read { yield parts.value.untaggedStatus }
        _modify { yield &parts.value.untaggedStatus }
    }

    /// What holds for a rollout without attempts, and, but for the lease, for each that opens.
    package var untaggedTerms: RolloutTerms {
        _read { yield parts.value.untaggedTerms }
        _modify { yield &parts.value.untaggedTerms }
    }

    /// One execution of the rollout.
    package struct Attempt: Sendable, Hashable {
        /// From 1 on, in the order they were opened.
        package var number: Int
        package var name: String
        package var status: CurrentStatus?
        /// When it was opened, in microseconds since 1970.
        package var openedAt: Int64
        package var terms: RolloutTerms

        package init(
            number: Int, name: String, status: CurrentStatus? = nil, openedAt: Int64, terms: RolloutTerms = .init()
        ) {
            self.number = number
            self.name = name
            self.status = status
            self.openedAt = openedAt
            self.terms = terms
        }
    }

    /// The line that set a status.
    package struct CurrentStatus: Sendable, Hashable {
        package var code: StatusCode
        /// The status as it was posted, JSON.
        package var status: [UInt8]
        /// The line's extras as they were posted, JSON.
        package var extras: [UInt8]?
        /// The line's id.
        package var logID: Int64
        /// The line's `extras.timestamp`, in microseconds since 1970.
        package var sentAt: Int64?
        /// Whether the gateway itself decided it, which nothing undoes.
        package var isVerdict: Bool

        package init(
            code: StatusCode, status: [UInt8], extras: [UInt8]?, logID: Int64, sentAt: Int64?, isVerdict: Bool = false
        ) {
            self.code = code
            self.status = status
            self.extras = extras
            self.logID = logID
            self.sentAt = sentAt
            self.isVerdict = isVerdict
        }

        package var byteCount: Int { status.count + (extras?.count ?? 0) + 64 }
    }

    package var newestAttempt: Attempt? { attempts.last }

    /// The rollout's status: that of its newest attempt.
    package var status: CurrentStatus? { attempts.isEmpty ? untaggedStatus : attempts[attempts.count - 1].status }

    /// What holds for the rollout: for its newest attempt.
    package var terms: RolloutTerms {
        get { attempts.isEmpty ? untaggedTerms : attempts[attempts.count - 1].terms }
        set {
            if attempts.isEmpty { untaggedTerms = newValue } else { attempts[attempts.count - 1].terms = newValue }
        }
    }

    /// Roughly the memory it holds.
    package var byteCount: Int {
        attempts.reduce(512 + (untaggedStatus?.byteCount ?? 0)) { $0 + 128 + ($1.status?.byteCount ?? 0) }
    }
}
