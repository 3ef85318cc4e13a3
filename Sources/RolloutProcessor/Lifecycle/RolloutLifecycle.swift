// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
package import WireJSON

/// The life of one rollout from its registration to the status that counts, retries included.
///
/// A value without clock, network or randomness: ``handle(_:of:random:)`` takes what has happened and returns what is
/// to be done. What happened to an earlier execution is ignored.
package struct RolloutLifecycle: Sendable {
    package enum Event: Sendable {
        case start
        case registration(Registration)
        /// `/init` was answered.
        case answered(code: Int, text: String, retryAfter: Duration?)
        /// `/init` got no answer; `sent` says whether the environment may have seen it.
        case lost(reason: String, sent: Bool)
        /// The gateway has told a status.
        case status(Status, extras: JSONObject?)
        /// The status that `check` found; `nil`: none.
        case checked(Status?, extras: JSONObject?)
        /// The time of `wait` is over.
        case waited
        case deadline
    }

    /// What became of announcing an attempt.
    package enum Registration: Sendable, Hashable {
        ///
        /// `number` is the gateway's own count of the rollout's attempts.
        case taken(number: Int?)
        /// The gateway has no such route.
        case unsupported
        /// The gateway knows a rollout of that id which is another one.
        case conflict
        /// The gateway will not have it, however often it is asked.
        case refused(Status)
        /// The gateway could not be reached, or could not do it now.
        case failed(String)
    }

    package enum Action: Sendable, Hashable {
        case register
        /// Send `/init` and listen for statuses.
        case trigger
        /// Ask the gateway for the status, once.
        case check
        case wait(Duration)
        case cancel(RolloutExecution)
        case end(RolloutEnding)
    }

    private enum Phase: Sendable, Hashable {
        case idle
        case registering
        case awaiting
        case checking(Pending)
        case waiting
        case ended
    }

    /// What happens when a check finds no terminal status.
    private enum Pending: Sendable, Hashable {
        case refusal(code: Int, Status, retryAfter: Duration?)
        case unreachable(Status)
        case deadline
    }

    private let policy: RetryPolicy
    private let timeout: Duration
    private let makeRolloutID: @Sendable () -> String
    private let makeAttempt: @Sendable () -> AttemptID

    private var phase = Phase.idle
    private var deadlinePassed = false
    /// Whether an environment may be busy with the current execution.
    private var mayRun = false
    private var accepted = false
    private var lastStatus: Status?

    /// The execution in hand.
    package private(set) var execution: RolloutExecution
    /// Times `/init` was sent.
    package private(set) var tries = 0

    /// - Parameter timeout: Only told in the message of a passed deadline.
    package init(
        rolloutID: String, policy: RetryPolicy, timeout: Duration,
        makeRolloutID: @escaping @Sendable () -> String = { Identifier.random() },
        makeAttempt: @escaping @Sendable () -> AttemptID = { AttemptID.random() }
    ) {
        self.policy = policy
        self.timeout = timeout
        self.makeRolloutID = makeRolloutID
        self.makeAttempt = makeAttempt
        execution = RolloutExecution(serial: 0, rolloutID: rolloutID, attempt: makeAttempt())
    }

    /// - Parameters:
    ///   - serial: The execution that the event is of; `nil`: the rollout as a whole.
    ///   - random: Between 0 and 1, for the backoff.
    package mutating func handle(_ event: Event, of serial: Int? = nil, random: Double = 0.5) -> [Action] {
        guard phase != .ended, serial == nil || serial == execution.serial else { return [] }
        switch event {
        case .start: return start()
        case .registration(let registration): return registered(registration, random)
        case .answered(let code, let text, let retryAfter): return answered(code, text, retryAfter)
        case .lost(let reason, let sent): return lost(reason, sent: sent, random)
        case .status(let status, let extras): return told(status, extras, random)
        case .checked(let status, let extras): return checked(status, extras, random)
        case .waited: return waited()
        case .deadline: return deadlineCame()
        }
    }
}

extension RolloutLifecycle {
    private mutating func start() -> [Action] {
        guard phase == .idle else { return [] }
        phase = .registering
        return [.register]
    }

    private mutating func registered(_ registration: Registration, _ random: Double) -> [Action] {
        guard phase == .registering else { return [] }
        switch registration {
        case .taken(let number):
            execution.number = number
            return trigger()
        case .unsupported:
            execution.attempt = nil
            return trigger()
        case .conflict:
            execution.rolloutID = makeRolloutID()
            return [.register]
        case .refused(let status):
            return end(status)
        case .failed(let reason):
            tries += 1
            let status = RolloutFailures.gatewayUnreachable(reason)
            return canRetry ? wait(nil, random) : end(status)
        }
    }

    private mutating func trigger() -> [Action] {
        phase = .awaiting
        tries += 1
        mayRun = true
        return [.trigger]
    }

    private mutating func answered(_ code: Int, _ text: String, _ retryAfter: Duration?) -> [Action] {
        guard phase == .awaiting else { return [] }
        guard code >= 400 else {
            accepted = true
            return []
        }
        // An inline environment logs its status before it answers; that status says more than the answer.
        phase = .checking(.refusal(code: code, RolloutFailures.refused(code: code, text: text), retryAfter: retryAfter))
        return [.check]
    }

    private mutating func lost(_ reason: String, sent: Bool, _ random: Double) -> [Action] {
        guard phase == .awaiting else { return [] }
        if !sent { mayRun = false }
        guard canRetry else {
            phase = .checking(.unreachable(RolloutFailures.environmentUnreachable(reason)))
            return [.check]
        }
        // With an attempt id the environment can tell a repetition from a second execution.
        guard execution.attempt == nil, sent else { return wait(nil, random) }
        let old = execution
        return [.cancel(old)] + next(nil, random)
    }

    private mutating func told(_ status: Status, _ extras: JSONObject?, _ random: Double) -> [Action] {
        guard phase != .idle else { return [] }
        lastStatus = status
        guard status.isTerminal else { return [] }
        mayRun = false
        // A used-up budget is the policy's doing, and another attempt would use up another one.
        let retryable =
            (status.code == .resourceExhausted || status.code == .unavailable)
            && FailureReason(status)?.blame != .policy
        guard retryable, canRetry else { return end(status, extras: extras) }
        return next(nil, random)
    }

    private mutating func checked(_ status: Status?, _ extras: JSONObject?, _ random: Double) -> [Action] {
        guard case .checking(let pending) = phase else { return [] }
        if let status, status.isTerminal { return told(status, extras, random) }
        switch pending {
        case .refusal(let code, let status, let retryAfter):
            mayRun = false
            return code >= 500 && canRetry ? next(retryAfter, random) : end(status)
        case .unreachable(let status):
            return mayRun ? [.cancel(execution)] + end(status) : end(status)
        case .deadline:
            let status = RolloutFailures.deadlineExceeded(
                timeout, accepted: accepted, lastStatus: status ?? lastStatus)
            return mayRun ? [.cancel(execution)] + end(status) : end(status)
        }
    }

    private mutating func waited() -> [Action] {
        guard phase == .waiting else { return [] }
        phase = .registering
        return [.register]
    }

    private mutating func deadlineCame() -> [Action] {
        deadlinePassed = true
        switch phase {
        case .checking: return []
        case .idle: return end(deadlineStatus)
        case .registering where !mayRun, .waiting where !mayRun: return end(deadlineStatus)
        default:
            phase = .checking(.deadline)
            return [.check]
        }
    }

    private var deadlineStatus: Status {
        RolloutFailures.deadlineExceeded(timeout, accepted: accepted, lastStatus: lastStatus)
    }

    private var canRetry: Bool { tries < policy.attempts && !deadlinePassed }

    /// Goes on with a new execution: another attempt where attempts are told apart, another rollout elsewhere.
    private mutating func next(_ retryAfter: Duration?, _ random: Double) -> [Action] {
        let takesAttempts = execution.attempt != nil
        execution = RolloutExecution(
            serial: execution.serial + 1, rolloutID: takesAttempts ? execution.rolloutID : makeRolloutID(),
            attempt: makeAttempt())
        mayRun = false
        accepted = false
        lastStatus = nil
        return wait(retryAfter, random)
    }

    private mutating func wait(_ retryAfter: Duration?, _ random: Double) -> [Action] {
        phase = .waiting
        return [.wait(policy.backoff(afterTries: tries, random: random, retryAfter: retryAfter))]
    }

    private mutating func end(_ status: Status, extras: JSONObject? = nil) -> [Action] {
        phase = .ended
        return [.end(RolloutEnding(status: status, extras: extras, execution: execution, tries: tries))]
    }
}
