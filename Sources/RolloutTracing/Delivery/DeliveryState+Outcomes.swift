// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol

extension DeliveryState {
    /// What has to be told to others after a change.
    package struct Effects: Sendable {
        /// Answers that somebody waits for.
        package var results: [(waiter: UInt64, result: DeliveryResult)] = []
        /// Flushes that have come to their end.
        package var flushed: [UInt64] = []
        /// Lines that a gateway took.
        package var delivered: [DeliveredLine] = []
        /// Losses that a person should read of.
        package var problems: [String] = []
    }

    /// Takes the outcome of a post.
    ///
    /// - Parameter jitter: A random number from 0 to 1, which shortens pauses.
    package mutating func complete(
        _ number: Int, _ outcome: PostOutcome, now: ContinuousClock.Instant, jitter: Double
    ) -> Effects {
        var effects = Effects()
        guard let post = posts.removeValue(forKey: number), let gateway = gatewayNumbers[post.destination] else {
            return effects
        }
        gateways[gateway]?.posts -= 1
        for lane in post.lanes { lanes[lane]?.isBusy = false }

        switch outcome {
        case .accepted(let answer, let route):
            succeed(post.destination, gateway: gateway) { known in
                known.route = route
                if answer.knowsAttempts { known.knowsAttempts = true }
                // The batch with this line alone was refused, the line was not: it is batches that it does not take.
                if post.items.first?.goesAlone == true { known.refusesBatches = true }
            }
            for (item, lane) in zip(post.items, post.lanes) { deliver(item, lane, answer, post.destination, &effects) }
        case .results(let results):
            let batchSize = configuration.batchSize
            succeed(post.destination, gateway: gateway) { known in
                known.batchLimit = min(max(known.batchLimit, 1) * 2, batchSize)
            }
            take(results, of: post, now: now, jitter: jitter, &effects)
        case .refused(let code, let retryAfter, let reason, _) where post.isBatch:
            refuseBatch(post, gateway, code, retryAfter, reason, now: now, jitter: jitter, &effects)
        case .refused(let code, let retryAfter, let reason, let isFinal):
            refuseLine(
                post, gateway, Fault(code: code, isFinal: isFinal), code, retryAfter, reason, now: now, jitter: jitter,
                &effects)
        case .failed(let reason):
            fail(gateway, reason: reason, retryAfter: nil, now: now, jitter: jitter)
            putBack(post, first: post.isBatch, &effects)
        }

        for lane in post.lanes {
            queue(lane)
            removeIfDone(lane)
        }
        settleDrops()
        return effects
    }

    // MARK: Success

    private mutating func succeed(
        _ destination: LogDestination, gateway: Int, learning change: (inout GatewayCapabilities) -> Void
    ) {
        gateways[gateway]?.failures = 0
        gateways[gateway]?.notBefore = nil
        gateways[gateway]?.lastFailure = nil
        statistics.lastFailure = nil
        learn(destination, change)
    }

    private mutating func deliver(
        _ item: DeliveryItem, _ lane: Int, _ answer: LogAnswer, _ destination: LogDestination, _ effects: inout Effects
    ) {
        statistics.delivered += 1
        lanes[lane]?.failures = 0
        effects.delivered.append(
            DeliveredLine(
                rolloutID: item.rolloutID, attempt: item.attempt, status: item.status, destination: destination,
                answer: answer))
        finish(item, lane, .acknowledged(answer), &effects)
    }

    private mutating func take(
        _ results: [PostOutcome.LineResult], of post: Post, now: ContinuousClock.Instant, jitter: Double,
        _ effects: inout Effects
    ) {
        var returned: [(DeliveryItem, Int)] = []
        for (index, item) in post.items.enumerated() {
            let lane = post.lanes[index]
            switch results[index] {
            case .accepted(let answer): deliver(item, lane, answer, post.destination, &effects)
            case .refused(let code, _, let isFinal) where code == 408 || code == 429 && !isFinal || code >= 500:
                statistics.retries += 1
                pause(lane, now: now, retryAfter: nil, jitter: jitter)
                returned.append((item, lane))
            case .refused(let code, let reason, _):
                if let stripped = stripped(item, lane, code, reason, &effects) { returned.append((stripped, lane)) }
            }
        }
        putBack(returned, first: false, &effects)
    }

    // MARK: Refusal and failure

    private mutating func refuseBatch(
        _ post: Post, _ gateway: Int, _ code: Int, _ retryAfter: Duration?, _ reason: String,
        now: ContinuousClock.Instant, jitter: Double, _ effects: inout Effects
    ) {
        var post = post
        if code == 404 || code == 405 || code == 501 {
            learn(post.destination) { $0.refusesBatches = true }
        } else if Fault(code: code, isFinal: false) == .gateway {
            fail(gateway, reason: reason, retryAfter: retryAfter, now: now, jitter: jitter)
            if Fault.isLasting(code: code) { answerWaiters(of: &post, code: code, reason: reason, &effects) }
        } else if post.items.count > 1 {
            learn(post.destination) { $0.batchLimit = max(1, post.items.count / 2) }
        } else {
            post.items[0].goesAlone = true
        }
        putBack(post, first: true, &effects)
    }

    private mutating func refuseLine(
        _ post: Post, _ gateway: Int, _ fault: Fault, _ code: Int, _ retryAfter: Duration?, _ reason: String,
        now: ContinuousClock.Instant, jitter: Double, _ effects: inout Effects
    ) {
        var post = post
        switch fault {
        case .line:
            var returned: [(DeliveryItem, Int)] = []
            for (item, lane) in zip(post.items, post.lanes) {
                if let stripped = stripped(item, lane, code, reason, &effects) { returned.append((stripped, lane)) }
            }
            putBack(returned, first: true, &effects)
        case .gateway:
            fail(gateway, reason: reason, retryAfter: retryAfter, now: now, jitter: jitter)
            // It may be this line that the gateway stumbles over: let the others try first.
            for lane in post.lanes { pause(lane, now: now, retryAfter: retryAfter, jitter: jitter) }
            if Fault.isLasting(code: code) { answerWaiters(of: &post, code: code, reason: reason, &effects) }
            putBack(post, first: false, &effects)
        }
    }

    /// Tells those who wait for a line that the gateway is not going to take it, and gives their lines up.
    private mutating func answerWaiters(of post: inout Post, code: Int, reason: String, _ effects: inout Effects) {
        var kept: [(item: DeliveryItem, lane: Int)] = []
        for (item, lane) in zip(post.items, post.lanes) {
            if item.waiter == nil {
                kept.append((item, lane))
            } else {
                finish(item, lane, .refused(code: code, reason: reason), &effects)
            }
        }
        post.items = kept.map(\.item)
        post.lanes = kept.map(\.lane)
    }

    /// What is left to send of a line that the gateway will not take: of one with a status its bare form, once.
    private mutating func stripped(
        _ item: DeliveryItem, _ lane: Int, _ code: Int, _ reason: String, _ effects: inout Effects
    ) -> DeliveryItem? {
        var item = item
        if item.isWithdrawn || item.strip() { return item }
        if let status = item.status {
            statistics.statusesRefused += 1
            let problem =
                "The gateway refused the status \(status.name) of rollout \(item.rolloutID) with \(code): \(reason)"
            health = .failed(problem)
            effects.problems.append(problem)
        } else {
            statistics.dropped += 1
        }
        finish(item, lane, .refused(code: code, reason: reason), &effects)
        return nil
    }

    private mutating func fail(
        _ gateway: Int, reason: String, retryAfter: Duration?, now: ContinuousClock.Instant, jitter: Double
    ) {
        statistics.retries += 1
        statistics.lastFailure = reason
        let failures = (gateways[gateway]?.failures ?? 0) + 1
        gateways[gateway]?.failures = failures
        gateways[gateway]?.lastFailure = reason
        gateways[gateway]?.notBefore =
            now + configuration.backoff.pause(afterFailures: failures, retryAfter: retryAfter, jitter: jitter)
    }

    private mutating func pause(_ lane: Int, now: ContinuousClock.Instant, retryAfter: Duration?, jitter: Double) {
        let failures = (lanes[lane]?.failures ?? 0) + 1
        lanes[lane]?.failures = failures
        lanes[lane]?.notBefore =
            now + configuration.backoff.pause(afterFailures: failures, retryAfter: retryAfter, jitter: jitter)
    }

    // MARK: Bookkeeping

    private mutating func putBack(_ post: Post, first: Bool, _ effects: inout Effects) {
        putBack(Array(zip(post.items, post.lanes)), first: first, &effects)
    }

    /// Returns lines to the front of their lanes, in their order.
    private mutating func putBack(_ returned: [(DeliveryItem, Int)], first: Bool, _ effects: inout Effects) {
        for (item, lane) in returned.reversed() {
            if item.isWithdrawn {
                finish(item, lane, .unreachable(reason: ""), &effects)
            } else {
                lanes[lane]?.items.insert(item, at: 0)
            }
        }
        if first {
            for (_, lane) in returned.reversed() { queue(lane, first: true) }
        }
    }

    mutating func finish(_ item: DeliveryItem, _ lane: Int, _ result: DeliveryResult, _ effects: inout Effects) {
        if item.isPlain {
            statistics.waiting -= 1
            plainBytes -= item.body.count
            lanes[lane]?.plainCount -= 1
        } else {
            statistics.statusesWaiting -= 1
        }
        if let waiter = item.waiter { effects.results.append((waiter, result)) }
        for (flush, wait) in flushes where item.number <= wait.upTo {
            if let rolloutID = wait.rolloutID, rolloutID != item.rolloutID { continue }
            flushes[flush]?.remaining -= 1
            if wait.remaining == 1 { effects.flushed.append(flush) }
        }
    }
}
