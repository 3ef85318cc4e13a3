// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// What lines, calls and registrations do to a rollout. No I/O and no clock.
extension RolloutState {
    /// What one record did.
    package struct Effect: Sendable, Hashable {
        /// The number of the attempt that the record belongs to; `nil` when it belongs to none.
        package var attempt: Int?
        /// Whether that attempt is the newest; `nil` for a rollout without attempts.
        package var isCurrent: Bool?
        /// That attempt's terminal code, which no later line changes.
        package var final: StatusCode?
        /// Whether the line came too late to count.
        package var isSuperseded = false
        /// Whether the line is the rollout's status now.
        package var isStatus = false
        /// The ids before, when the record brought other ones.
        package var formerIDs: RolloutIDs?

        package init(attempt: Int? = nil, isCurrent: Bool? = nil, final: StatusCode? = nil) {
            self.attempt = attempt
            self.isCurrent = isCurrent
            self.final = final
        }
    }

    /// As many attempts as a rollout may have. What names another one belongs to none.
    package static let maximumAttempts = 1000

    // MARK: Lines

    /// A line of this rollout, with the attempt it names and the status it carries.
    ///
    /// For a rollout that is not the line's first one, the line names no attempt.
    /// - Parameter lease: What its sender promises with RUNNING, in microseconds.
    package mutating func receive(
        line name: AttemptID?, status new: CurrentStatus?, lease: Int64? = nil, ids newIDs: RolloutIDs, at time: Int64
    ) -> Effect {
        let formerIDs = learn(newIDs)
        var effect = receive(line: name, status: new, at: time)
        effect.formerIDs = formerIDs
        if let lease, new?.code == .running, !effect.isSuperseded, effect.isCurrent != false { terms.lease = lease }
        return effect
    }

    private mutating func receive(line name: AttemptID?, status new: CurrentStatus?, at time: Int64) -> Effect {
        guard let name else {
            return attempts.isEmpty ? receiveUntagged(new) : receive(new, inAttempt: attempts.count - 1)
        }
        if let index = index(of: name) { return receive(new, inAttempt: index) }
        guard attempts.isEmpty || new?.code == .running, let index = open(name, at: time) else {
            var effect = Effect(isCurrent: false)
            effect.isSuperseded = true
            return effect
        }
        return receive(new, inAttempt: index)
    }

    /// Within an attempt the first terminal status is final.
    private mutating func receive(_ new: CurrentStatus?, inAttempt index: Int) -> Effect {
        let isFinal = attempts[index].status?.code.isTerminal ?? false
        if let new, !isFinal { attempts[index].status = new }
        var effect = self.effect(inAttempt: index)
        effect.isSuperseded = new != nil && isFinal
        effect.isStatus = new != nil && !isFinal && effect.isCurrent == true
        return effect
    }

    /// While no attempt has a name, and the gateway has not decided, the latest line wins in order of arrival. Only a RUNNING that was sent before the
    /// terminal line that it follows does not undo it: not every sender keeps its lines in order.
    private mutating func receiveUntagged(_ new: CurrentStatus?) -> Effect {
        var effect = effect(of: nil)
        guard let new else { return effect }
        guard effect.final == nil else {
            effect.isSuperseded = true
            return effect
        }
        if let current = untaggedStatus, current.code.isTerminal, new.code == .running,
            let ended = current.sentAt, let sent = new.sentAt, sent <= ended
        {
            return effect
        }
        untaggedStatus = new
        effect.isStatus = true
        return effect
    }

    // MARK: Calls

    /// A model call of this rollout, with the attempt in its path.
    package mutating func receive(call name: AttemptID?, ids newIDs: RolloutIDs, at time: Int64) -> Effect {
        let formerIDs = learn(newIDs)
        var effect: Effect
        if let name {
            effect =
                (index(of: name) ?? open(name, at: time)).map { self.effect(inAttempt: $0) } ?? Effect(isCurrent: false)
        } else {
            effect = self.effect(of: nil)
        }
        effect.formerIDs = formerIDs
        return effect
    }

    /// A call that was recorded: counted where there is a budget.
    package mutating func spend(_ usage: Usage?, turn: Int, inAttempt number: Int?) {
        if let number {
            if attempts[number - 1].terms.spent != nil { attempts[number - 1].terms.spent?.add(usage, turn: turn) }
        } else if untaggedTerms.spent != nil {
            untaggedTerms.spent?.add(usage, turn: turn)
        }
    }

    // MARK: Verdicts

    /// The gateway ends the attempt with this number, 0 for a rollout without; `nil` when that has ended by itself, or
    /// a newer one has taken its place.
    package mutating func receive(verdict status: CurrentStatus, inAttempt number: Int) -> Effect? {
        guard number == attempts.count, self.status?.code.isTerminal != true else { return nil }
        if attempts.isEmpty { untaggedStatus = status } else { attempts[number - 1].status = status }
        var effect = self.effect(of: nil)
        effect.isStatus = true
        return effect
    }

    // MARK: Registration

    /// Announces the rollout, and the attempt when it has a name; `nil` when it contradicts an earlier registration,
    /// or names one attempt too many. Nothing has changed then.
    ///
    /// - Parameters:
    ///   - deadline: in microseconds since 1970. The smaller one holds, and so does the smaller budget, and the larger capture.
    package mutating func register(
        _ newIDs: RolloutIDs, attempt name: AttemptID?, deadline: Int64? = nil, budget: Budget? = nil,
        capture: Capture? = nil, at time: Int64
    ) -> Effect? {
        if let registeredIDs, registeredIDs != newIDs { return nil }
        var effect: Effect
        if let name {
            guard let index = index(of: name) ?? open(name, at: time) else { return nil }
            attempts[index].terms.tighten(deadline: deadline, budget: budget, capture: capture)
            effect = self.effect(inAttempt: index)
        } else {
            terms.tighten(deadline: deadline, budget: budget, capture: capture)
            effect = self.effect(of: nil)
        }
        registeredIDs = newIDs
        effect.formerIDs = learn(newIDs)
        return effect
    }

    // MARK: Reading

    /// The number of the attempt with this name.
    package func number(of name: AttemptID) -> Int? { index(of: name).map { attempts[$0].number } }

    /// What a record would be told that belongs to this attempt, or to the rollout if it names none, and changes
    /// nothing.
    package func effect(of name: AttemptID?) -> Effect {
        guard let name else {
            return attempts.isEmpty
                ? Effect(final: untaggedStatus.flatMap { $0.isVerdict ? $0.code : nil })
                : effect(inAttempt: attempts.count - 1)
        }
        return index(of: name).map { effect(inAttempt: $0) } ?? Effect(isCurrent: attempts.isEmpty ? nil : false)
    }

    private func effect(inAttempt index: Int) -> Effect {
        let code = attempts[index].status?.code
        return Effect(
            attempt: attempts[index].number, isCurrent: index == attempts.count - 1,
            final: code.flatMap { $0.isTerminal ? $0 : nil })
    }

    private func index(of name: AttemptID) -> Int? { attempts.lastIndex { $0.name == name.description } }

    private mutating func open(_ name: AttemptID, at time: Int64) -> Int? {
        guard attempts.count < Self.maximumAttempts else { return nil }
        attempts.append(
            Attempt(
                number: attempts.count + 1, name: name.description, openedAt: time, terms: untaggedTerms.inherited))
        return attempts.count - 1
    }

    /// The newest mapping wins; the ids before, if it changed them.
    private mutating func learn(_ newer: RolloutIDs) -> RolloutIDs? {
        guard !ids.has(newer) else { return nil }
        let before = ids
        ids.merge(newer)
        return before
    }
}
