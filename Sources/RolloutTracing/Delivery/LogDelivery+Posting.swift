// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOHTTP1
import Synchronization
import WireJSON

extension LogDelivery {
    /// Takes the posts that may go out, and sets the alarm for what pauses.
    func startPosts(_ shared: inout Shared, now: ContinuousClock.Instant) -> [DeliveryState.Post] {
        let posts = shared.state.nextPosts(now: now)
        if let wake = shared.state.nextWake(now: now) {
            if let alarm = shared.alarm, alarm.at <= wake { return posts }
            shared.alarm?.task.cancel()
            // Detached, as it belongs to no rollout: whoever logs must not lend it task-local values or its priority.
            let task = Task.detached { [self] in
                try? await Task.sleep(until: wake, clock: .continuous)
                if !Task.isCancelled { wakeUp() }
            }
            shared.alarm = (wake, task)
        }
        return posts
    }

    private func wakeUp() {
        let posts = locked.withLock { shared in
            shared.alarm = nil
            return startPosts(&shared, now: .now)
        }
        send(posts)
    }

    func send(_ posts: [DeliveryState.Post]) {
        for post in posts {
            // Detached for the same reason as the alarm.
            Task.detached { [self] in
                await LogDelivery.$isDelivering.withValue(true) {
                    let outcome = post.isBatch ? await sendBatch(post) : await sendLine(post)
                    complete(post, outcome)
                }
            }
        }
    }

    private func complete(_ post: DeliveryState.Post, _ outcome: PostOutcome) {
        let (posts, effects, waits, flushes, handlers) = locked.withLock { shared in
            let now = ContinuousClock.now
            let effects = shared.state.complete(post.number, outcome, now: now, jitter: .random(in: 0...1))
            let waits = effects.results.compactMap { entry in
                shared.waits.removeValue(forKey: entry.waiter).map { ($0, entry.result) }
            }
            let flushes = effects.flushed.compactMap { shared.flushes.removeValue(forKey: $0) }
            return (startPosts(&shared, now: now), effects, waits, flushes, shared.handlers)
        }
        send(posts)
        tell(effects, handlers: handlers)
        for (wait, result) in waits {
            wait.timeout.cancel()
            wait.continuation.resume(returning: result)
        }
        for flush in flushes { flush.end() }
    }

    // MARK: Requests

    private func sendLine(_ post: DeliveryState.Post) async -> PostOutcome {
        let body = post.items[0].body
        var outcome = await sendLine(body, to: post, route: post.route)
        // 404 is how some gateways say that they have the other route.
        if case .refused(404, _, _, _) = outcome { outcome = await sendLine(body, to: post, route: post.route.other) }
        return outcome
    }

    private func sendLine(_ body: [UInt8], to post: DeliveryState.Post, route: LogRoute) async -> PostOutcome {
        let url = post.destination.gatewayURL + route.rawValue
        let outcome = await request(url, post, body) { answer in
            .accepted(LogAnswer(JSONReader(try? JSONValue(parsing: answer.body))), route: route)
        }
        tellOfPost(url, lines: 1, outcome: outcome)
        return outcome
    }

    private func sendBatch(_ post: DeliveryState.Post) async -> PostOutcome {
        let url = post.destination.gatewayURL + "/v1/logs/batch"
        var body: [UInt8] = [UInt8(ascii: "[")]
        body.reserveCapacity(post.items.reduce(2) { $0 + $1.body.count + 64 })
        for (index, item) in post.items.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            item.appendBatchElement(to: &body)
        }
        body.append(UInt8(ascii: "]"))
        let outcome = await request(url, post, body) { answer in
            guard let results = try? JSONValue(parsing: answer.body)["results"]?.array,
                results.count == post.items.count
            else { return .failed(reason: "\(url) answered \(answer.code) without a result for each line") }
            return .results(results.map { PostOutcome.LineResult(JSONReader($0)) })
        }
        tellOfPost(url, lines: post.items.count, outcome: outcome)
        return outcome
    }

    private func request(
        _ url: String, _ post: DeliveryState.Post, _ body: [UInt8], read: (GatewayHTTP.Answer) -> PostOutcome
    ) async -> PostOutcome {
        do {
            let answer = try await http.send(
                .POST, url, apiKey: post.destination.apiKey, body: body, timeout: configuration.requestTimeout,
                maximumBytes: 4 << 20)
            guard !answer.isSuccess else { return read(answer) }
            return .refused(
                code: answer.code, retryAfter: answer.retryAfter,
                reason: "\(url) answered \(answer.code)\(answer.errorMessage.map { ": \($0)" } ?? "")",
                isFinal: answer.isFinal)
        } catch {
            return .failed(reason: "\(url): \(GatewayHTTP.reason(error))")
        }
    }
}

extension LogAnswer {
    /// Reads an answer to a line; what it does not say, or says in another form, is unknown.
    init(_ reader: JSONReader) {
        let attempt = reader["attempt"]
        self.init(
            knowsAttempts: attempt.value != nil, attemptNumber: attempt.value?.int,
            current: reader["current"].value?.bool,
            final: reader["final"].value?.int.flatMap(StatusCode.init))
    }
}

extension PostOutcome.LineResult {
    /// Reads one of a batch's results; one without `ok` counts as put off.
    init(_ reader: JSONReader) {
        if reader["ok"].value?.bool == true {
            self = .accepted(LogAnswer(reader))
        } else {
            let error = reader["error"]
            self = .refused(
                code: reader["code"].value?.int ?? 503,
                reason: error.value?.string ?? error["message"].value?.string ?? "no reason given",
                isFinal: reader["should_retry"].value?.bool == false)
        }
    }
}

extension GatewayHTTP.Answer {
    /// What an error's body says, shortened; both OpenAI's form and `detail` are understood.
    package var errorMessage: String? {
        guard let value = try? JSONValue(parsing: body) else { return nil }
        let text = value["error"]?["message"]?.string ?? value["error"]?.string ?? value["detail"]?.string
        return text.map { String($0.prefix(300)) }
    }
}
