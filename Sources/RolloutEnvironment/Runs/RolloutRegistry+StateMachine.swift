// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

extension RolloutRegistry {
    /// One execution of a rollout.
    package struct Key: Sendable, Hashable {
        package var rolloutID: String
        package var attempt: AttemptID

        package init(rolloutID: String, attempt: AttemptID) {
            self.rolloutID = rolloutID
            self.attempt = attempt
        }
    }

    /// Who may run, wait, join or end, without doing any of it.
    ///
    /// An execution is admitted (its RUNNING on its way), then queued or running, then ended. A running one that
    /// does not heed its end is given up: it has a receipt, and keeps its slot until it returns.
    package struct StateMachine: Sendable {
        package typealias Instant = ContinuousClock.Instant

        package enum Phase: Sendable { case admitted, queued, running }

        struct Execution: Sendable {
            var phase: Phase
            var terms: ExecutionTerms
            var deadline: ExecutionDeadline?
            /// The end that was decided from outside; it beats what the agent gives.
            var verdict: Status?
        }

        let maximumRunning: Int
        let maximumQueued: Int
        private(set) var isDraining = false
        private var live: [Key: Execution] = [:]
        // The live attempts of a rollout, in the order of their admission.
        private var attempts: [String: [AttemptID]] = [:]
        private var queue = FairQueue()
        private var running: [Key: String] = [:]
        // How many of an experiment run.
        private var shares: [String: Int] = [:]
        // Those among the running that have been given up.
        private var abandoned: Set<Key> = []
        private var receipts: ReceiptCache

        package init(maximumRunning: Int, maximumQueued: Int, maximumReceipts: Int) {
            self.maximumRunning = max(1, maximumRunning)
            self.maximumQueued = max(0, maximumQueued)
            receipts = ReceiptCache(capacity: maximumReceipts)
        }

        package var runningCount: Int { running.count }
        package var queuedCount: Int { queue.count }
        /// Running ones that were given up: their agents go on whatever they are told.
        package var abandonedCount: Int { abandoned.count }
        /// Admitted, queued and running ones; not those given up.
        package var liveCount: Int { live.count }
        package var liveKeys: [Key] { Array(live.keys) }

        // MARK: Beginning

        package enum Admission: Sendable, Equatable {
            case begin(Key)
            /// `isAdmitted`: wait for the first answer; otherwise it runs or waits its turn.
            case join(Key, isAdmitted: Bool)
            case ended(Key, Status)
            case full
            case draining
        }

        /// An `/init` came.
        ///
        /// - Parameters:
        ///   - fresh: The attempt's name if the caller gave none and a new one begins.
        ///   - terms: What holds if one begins.
        package mutating func admit(
            _ rolloutID: String, attempt: AttemptID?, fresh: AttemptID, terms: ExecutionTerms = ExecutionTerms()
        ) -> Admission {
            if let attempt {
                let key = Key(rolloutID: rolloutID, attempt: attempt)
                if let execution = live[key] { return .join(key, isAdmitted: execution.phase == .admitted) }
                if let status = receipts.status(of: key) { return .ended(key, status) }
            } else if let newest = newestUndecided(rolloutID), let execution = live[newest] {
                return .join(newest, isAdmitted: execution.phase == .admitted)
            }
            return begin(Key(rolloutID: rolloutID, attempt: attempt ?? fresh), terms)
        }

        /// Begins whatever else is under way: the gateway has ended what runs.
        package mutating func admitAnew(
            _ rolloutID: String, fresh: AttemptID, terms: ExecutionTerms = ExecutionTerms()
        ) -> Admission {
            begin(Key(rolloutID: rolloutID, attempt: fresh), terms)
        }

        private mutating func begin(_ key: Key, _ terms: ExecutionTerms) -> Admission {
            if isDraining { return .draining }
            let waiting = live.values.lazy.filter { $0.phase != .running }.count
            guard running.count + waiting < maximumRunning + maximumQueued else { return .full }
            live[key] = Execution(phase: .admitted, terms: terms, deadline: terms.deadline)
            attempts[key.rolloutID, default: []].append(key.attempt)
            return .begin(key)
        }

        package enum Confirmation: Sendable, Equatable {
            case run(superseded: [Key])
            case queue(superseded: [Key])
            /// Ended before it began.
            case ended(Status)
        }

        /// The gateway has taken RUNNING. Others of the rollout that run or wait are to be ended by ``stop(_:_:)``.
        package mutating func confirm(_ key: Key, stopped: Status, now: Instant) -> Confirmation {
            guard let execution = live[key] else { return .ended(stopped) }
            let expired = execution.deadline.flatMap { $0.status(in: .admitted, now: now) }
            if let status = execution.verdict ?? (isDraining ? stopped : nil) ?? expired {
                end(key, status)
                return .ended(status)
            }
            let superseded = (attempts[key.rolloutID] ?? [])
                .map { Key(rolloutID: key.rolloutID, attempt: $0) }
                .filter { $0 != key && live[$0].map { $0.phase != .admitted } == true }
            if running.count < maximumRunning, queue.isEmpty {
                run(key, now: now)
                return .run(superseded: superseded)
            }
            live[key]?.phase = .queued
            queue.append(key, of: execution.terms.experimentID)
            return .queue(superseded: superseded)
        }

        private mutating func run(_ key: Key, now: Instant) {
            guard let terms = live[key]?.terms else { return }
            live[key]?.phase = .running
            live[key]?.deadline = terms.deadline(startingAt: now)
            running[key] = terms.experimentID
            shares[terms.experimentID, default: 0] += 1
        }

        /// RUNNING could not be delivered: nothing has begun.
        package mutating func withdraw(_ key: Key) { remove(key) }

        /// The gateway says of an admitted attempt that it has ended already.
        package mutating func recordEnded(_ key: Key, _ status: Status) { end(key, status) }

        // MARK: Ending

        package enum Stop: Sendable, Equatable {
            /// Cancel its task; it ends by ``finish(_:_:)`` or ``giveUp(_:)``.
            case cancel
            /// It waited; it has ended with this.
            case ended(Status)
            /// Its admission will find out.
            case noted
            case nothing
        }

        /// Decides how an execution ends; the first decision stands.
        package mutating func stop(_ key: Key, _ status: Status) -> Stop {
            guard var execution = live[key] else { return .nothing }
            guard execution.verdict == nil else { return .nothing }
            execution.verdict = status
            live[key] = execution
            switch execution.phase {
            case .admitted: return .noted
            case .running: return .cancel
            case .queued:
                end(key, status)
                return .ended(status)
            }
        }

        /// What follows from an agent's return.
        package struct Finish: Sendable {
            /// The status to report, unless one has been.
            package var status: Status?
            /// Who runs next.
            package var next: Key?
            /// Whose deadlines passed while they waited: they have ended.
            package var expired: [(key: Key, status: Status)] = []
            /// Whether it was given up before.
            package var wasAbandoned = false
        }

        /// The agent has returned.
        package mutating func finish(_ key: Key, _ status: Status, now: Instant) -> Finish {
            var finish = Finish()
            if let execution = live[key] {
                let final = execution.verdict ?? status
                end(key, final)
                finish.status = final
            }
            finish.wasAbandoned = abandoned.remove(key) != nil
            if let experiment = running.removeValue(forKey: key) {
                shares[experiment, default: 0] -= 1
                if shares[experiment] == 0 { shares[experiment] = nil }
            }
            while finish.next == nil, running.count < maximumRunning,
                let key = queue.next(running: { shares[$0] ?? 0 })
            {
                if let status = live[key]?.deadline?.status(in: .queued, now: now) {
                    end(key, status)
                    finish.expired.append((key, status))
                } else {
                    run(key, now: now)
                    finish.next = key
                }
            }
            return finish
        }

        /// The agent does not return.
        ///
        /// - Returns: The status to report, unless one has been.
        package mutating func giveUp(_ key: Key) -> Status? {
            guard let execution = live[key], execution.phase == .running, let status = execution.verdict else {
                return nil
            }
            end(key, status)
            abandoned.insert(key)
            return status
        }

        /// Admits nothing from now on, and ends what waits.
        package mutating func drain(_ status: Status) -> [Key] {
            isDraining = true
            let waiting = queue.keys
            for key in waiting { end(key, status) }
            return waiting
        }

        // MARK: Asking

        package enum Cancellation: String, Sendable {
            case cancelled, ended, unknown
            case otherAttempt = "other_attempt"
        }

        /// What a `/cancel` means: who is to be stopped, and the answer.
        package mutating func cancellation(
            _ rolloutID: String, attempt: AttemptID?
        ) -> (keys: [Key], result: Cancellation) {
            let liveAttempts = attempts[rolloutID] ?? []
            let ended = receipts.latest(of: rolloutID)
            guard let attempt else {
                if !liveAttempts.isEmpty {
                    return (liveAttempts.map { Key(rolloutID: rolloutID, attempt: $0) }, .cancelled)
                }
                return ([], ended == nil ? .unknown : .ended)
            }
            let key = Key(rolloutID: rolloutID, attempt: attempt)
            if live[key] != nil { return ([key], .cancelled) }
            if receipts.status(of: key) != nil { return ([], .ended) }
            return ([], liveAttempts.isEmpty && ended == nil ? .unknown : .otherAttempt)
        }

        /// How a rollout stands here: its newest execution's status, RUNNING while it lives; `nil` when unknown.
        package func status(of rolloutID: String) -> (attempt: AttemptID, status: Status)? {
            if let newest = attempts[rolloutID]?.last { return (newest, .running) }
            return receipts.latest(of: rolloutID).map { ($0.key.attempt, $0.status) }
        }

        /// When an execution ends at the latest.
        package func deadline(of key: Key) -> ExecutionDeadline? { live[key]?.deadline }

        /// The end of an execution whose deadline has passed.
        package func expiry(of key: Key, now: Instant) -> Status? {
            live[key].flatMap { $0.deadline?.status(in: $0.phase, now: now) }
        }

        // MARK: Parts

        private func newestUndecided(_ rolloutID: String) -> Key? {
            (attempts[rolloutID] ?? []).reversed()
                .map { Key(rolloutID: rolloutID, attempt: $0) }
                .first { live[$0]?.verdict == nil }
        }

        private mutating func end(_ key: Key, _ status: Status) {
            receipts.insert(status, for: key)
            remove(key)
        }

        private mutating func remove(_ key: Key) {
            if let execution = live.removeValue(forKey: key), execution.phase == .queued {
                queue.remove(key, of: execution.terms.experimentID)
            }
            attempts[key.rolloutID]?.removeAll { $0 == key.attempt }
            if attempts[key.rolloutID]?.isEmpty == true { attempts[key.rolloutID] = nil }
        }
    }
}
