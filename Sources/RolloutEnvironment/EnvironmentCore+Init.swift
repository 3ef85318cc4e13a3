// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import RolloutTracing
import WireJSON

extension EnvironmentCore {
    /// `POST /init`.
    func initialize(_ body: [UInt8], authorization: String?) async -> InitAnswer {
        let arrival = ContinuousClock.now
        var rollout: RolloutMetadata?
        let answer = await answerInit(body, authorization: authorization, arrival: arrival, rollout: &rollout)
        metrics.answered(answer)
        if answer.status >= 400 { configuration.logger.refused(rollout, answer, after: .now - arrival) }
        return answer
    }

    /// - Parameter rollout: Set to what the request says of it, once it can be read.
    private func answerInit(
        _ body: [UInt8], authorization: String?, arrival: ContinuousClock.Instant, rollout: inout RolloutMetadata?
    ) async -> InitAnswer {
        guard body.count <= configuration.maximumBodyBytes else { return tooLarge }
        let request: InitRequest
        let limits: RequestedLimits
        // What is wrong with the body is of no concern to those who may not send one, and their key may be in it.
        var isAuthorized = isAuthorized(authorization)
        do {
            request = try InitRequest(parsing: body)
            rollout = request.metadata
            isAuthorized = isAuthorized || keys.accepts(authorization: nil, key: request.apiKey)
            guard isAuthorized else { return unauthorized }
            limits = try RequestedLimits(request.metadata)
        } catch {
            guard isAuthorized else { return unauthorized }
            guard let error = error as? JSONDecodingError else {
                return .error(400, code: "invalid_json", "The body is \(error).")
            }
            return .error(400, code: "invalid_field", "\(error)", param: error.path.description)
        }
        let tagged = request.modelBaseURL.flatMap { TaggedURL($0) }
        if let url = request.modelBaseURL, !url.isEmpty {
            guard let origin = WebOrigin(url) else {
                return .error(
                    400, code: "invalid_field", "model_base_url: expected an absolute http or https URL",
                    param: "model_base_url")
            }
            guard allowedModelOrigins?.contains(origin) != false else {
                return .error(
                    403, code: "model_origin_not_allowed",
                    "model_base_url: this environment sends no model calls to \(origin); allowedModelOrigins in its "
                        + "configuration lists the origins that it does.", param: "model_base_url")
            }
        }
        if let journalError { return unjournaled(journalError) }
        if reporter.isOverloaded {
            return .error(
                503, code: "statuses_waiting",
                "Too many statuses wait for the gateway to take them; look at the environment's log.", retryAfter: 5)
        }
        let outcome = await admit(
            request, terms(request, limits, arrival: arrival), attempt: request.metadata.attempt ?? tagged?.attempt,
            anew: false)
        return switch configuration.answering {
        case .onceRunning: outcome.answer
        case .onceEnded: await answerOnceEnded(outcome)
        }
    }

    private func unjournaled(_ error: any Error) -> InitAnswer {
        .error(503, code: "journal_unavailable", "\(error) Without it no rollout is accepted.", retryAfter: 30)
    }

    /// What holds for a rollout that came at `arrival`.
    func terms(
        _ request: InitRequest, _ limits: RequestedLimits, arrival: ContinuousClock.Instant
    ) -> ExecutionTerms {
        ExecutionTerms(
            deadline: limits.deadline.map { ExecutionDeadline(at: arrival + $0, limit: .asked($0)) },
            timeout: configuration.timeout, budget: configuration.budget.tightened(by: limits.budget),
            experimentID: request.metadata.experimentID)
    }

    /// Waits for the rollout's end, and for its lines to be delivered.
    private func answerOnceEnded(_ outcome: InitOutcome) async -> InitAnswer {
        let end: (key: RolloutRegistry.Key, status: Status)
        switch outcome {
        case .refused(let answer): return answer
        case .ended(let key, let status): end = (key, status)
        case .accepted(let key, _, let run):
            guard let status = await run?.awaitEnd() else { return outcome.answer }
            end = (key, status)
        }
        let left = await delivery.flush(rolloutID: end.key.rolloutID, within: configuration.flushTimeout)
        guard left == 0 else {
            return .error(
                503, code: "not_delivered",
                "The rollout ended with \(end.status.code.name), but \(left) of its lines did not reach the gateway "
                    + "within \(configuration.flushTimeout), flushTimeout; see whether the gateway can be reached.",
                retryAfter: 5)
        }
        return .ended(end.key, end.status)
    }

    private func admit(
        _ request: InitRequest, _ terms: ExecutionTerms, attempt: AttemptID?, anew: Bool
    ) async -> InitOutcome {
        let admission = registry.admit(request.metadata.rolloutID, attempt: attempt, anew: anew, terms: terms) { key in
            // A task of its own: the caller may go before RUNNING is delivered.
            Task { await self.begin(request, terms, key) }
        }
        switch admission {
        case .begun(let task): return await task.value
        case .running(let key, let run): return await join(request, terms, key, run)
        case .ended(let key, let status): return .ended(key, status)
        case .full:
            return .refused(
                .error(
                    503, code: "overloaded",
                    "\(configuration.maximumConcurrentRollouts) rollouts run and "
                        + "\(configuration.maximumQueuedRollouts) wait; come again, or raise maximumConcurrentRollouts.",
                    retryAfter: 2))
        case .draining: return .refused(stopping)
        }
    }

    /// Joins what runs, unless the gateway has ended it.
    private func join(
        _ request: InitRequest, _ terms: ExecutionTerms, _ key: RolloutRegistry.Key, _ run: RolloutRun?
    ) async -> InitOutcome {
        // The pass keeps the run's end from being reported before this RUNNING.
        guard let run, let pass = run.holdEnd() else { return .accepted(key, joined: true, run) }
        defer { pass.release() }
        let result = await reporter.deliver(
            .running, for: run.context, message: Status.running.message,
            within: configuration.runningTimeout)
        if case .acknowledged(let answer) = result, let final = answer.final {
            registry.stop(key, .endedByGateway(final))
            return await admit(request, terms, attempt: nil, anew: true)
        }
        return .accepted(key, joined: true, run)
    }

    /// Delivers RUNNING and starts the agent.
    private func begin(
        _ request: InitRequest, _ terms: ExecutionTerms, _ key: RolloutRegistry.Key
    ) async -> InitOutcome {
        let chosen = ChosenDestination.choose(for: request, configuration)
        var metadata = request.metadata
        metadata.attempt = key.attempt
        let context = RolloutContext(metadata: metadata, attempt: key.attempt, destination: chosen.destination)
        let secrets = secrets(of: request)
        // Ends of the process before this one go first, and the note before anybody knows of the rollout.
        await hasRecovered.wait()
        let record = JournalRecord(
            metadata: metadata, attempt: key.attempt, gatewayURL: chosen.destination.gatewayURL,
            gatewayKey: chosen.keyOwner(
                ownKey: configuration.gatewayAPIKey ?? configuration.variable("FIREWORKS_API_KEY")),
            acceptedAt: Int(Date().timeIntervalSince1970))
        if let error = await journal?.add(.accepted(record)) {
            registry.withdraw(key)
            journal?.append(.forgotten(key))
            return .refused(unjournaled(error))
        }
        if !terms.budget.isEmpty, let problem = await register(context, terms, chosen) {
            registry.withdraw(key)
            journal?.append(.forgotten(key))
            return .refused(problem)
        }
        let result = await reporter.deliver(
            .running, for: context, message: Status.running.message, within: configuration.runningTimeout)
        switch result {
        case .acknowledged(let answer):
            if let status = answer.ending(callerNamedAttempt: request.metadata.attempt != nil) {
                registry.recordEnded(key, status)
                if answer.final == nil {
                    journal?.append(.ended(key, status))
                    reporter.reportEnd(status, for: context)
                } else {
                    journal?.append(.forgotten(key))
                }
                return .ended(key, status)
            }
            // Before the caller is told: whoever has been told is owed an end.
            await journal?.add(.begun(key))
        case .refused(let code, let reason):
            registry.withdraw(key)
            journal?.append(.forgotten(key))
            let advice = code == 401 || code == 403 ? chosen.keyAdvice : chosen.addressAdvice
            return .refused(
                .error(
                    503, code: "gateway_refused",
                    secrets.redact(
                        "The gateway \(chosen.destination) refused RUNNING with \(code): \(reason). \(advice)"),
                    retryAfter: 5))
        case .unreachable(let reason):
            registry.withdraw(key)
            journal?.append(.forgotten(key))
            return .refused(
                .error(
                    503, code: "gateway_unreachable",
                    secrets.redact(
                        "RUNNING could not be delivered to the gateway \(chosen.destination) within "
                            + "\(configuration.runningTimeout): \(reason). \(chosen.addressAdvice)"),
                    retryAfter: 2))
        }
        let run = makeRun(
            request, budget: terms.budget, context: context, reporter: reporter,
            transport: HTTPModelTransport(client: client, timeout: configuration.model.timeout, metrics: metrics),
            secrets: secrets)
        let stopped = FailureReason.environmentStopped.status("The environment was stopped.")
        configuration.logger.accepted(key)
        guard let ended = registry.begin(run, stopped: stopped) else {
            leases?.start()
            return .accepted(key, joined: false, run)
        }
        run.report(ended)
        run.logEnd(to: configuration.logger)
        return FailureReason(ended) == .environmentStopped ? .refused(stopping) : .ended(key, ended)
    }
}

extension LogAnswer {
    /// The status of an attempt that must not start, since the gateway has seen it end or another begin.
    fileprivate func ending(callerNamedAttempt: Bool) -> Status? {
        guard callerNamedAttempt else { return nil }
        if let final {
            return Status(code: final, message: "The gateway has the attempt as ended with \(final.name).")
        }
        if current == false {
            return FailureReason.superseded.status("The gateway knows a newer attempt of the rollout.")
        }
        return nil
    }
}
