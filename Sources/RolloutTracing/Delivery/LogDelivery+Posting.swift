// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import NIOCore
import NIOHTTP1
import Synchronization
import WireJSON

/// Posts run on event loops alone: they come and go whatever the threads of tasks do.
extension LogDelivery {
    /// Takes the posts that may go out, and sets the alarm for what pauses.
    func startPosts(_ shared: inout Shared, now: ContinuousClock.Instant) -> [DeliveryState.Post] {
        let posts = shared.state.nextPosts(now: now)
        if let wake = shared.state.nextWake(now: now) {
            if let alarm = shared.alarm, alarm.at <= wake { return posts }
            shared.alarm?.timer.cancel()
            shared.alarm = (wake, schedule(in: now.duration(to: wake)) { $0.wakeUp() })
        }
        return posts
    }

    /// Does something later. A year is as good as for ever, and fits.
    func schedule(
        in delay: Duration, _ action: @escaping @Sendable (LogDelivery) -> Void
    ) -> Scheduled<Void> {
        loop.scheduleTask(in: TimeAmount(min(max(delay, .zero), .seconds(365 * 86_400)))) { action(self) }
    }

    private func wakeUp() {
        let posts = locked.withLock { shared in
            shared.alarm = nil
            return startPosts(&shared, now: .now)
        }
        send(posts)
    }

    /// Sends the posts from an event loop: whoever logs may hold locks, and has other things to do.
    func send(_ posts: [DeliveryState.Post]) {
        guard !posts.isEmpty else { return }
        HTTPClient.defaultEventLoopGroup.any().execute { [self] in
            for post in posts {
                let outcome = post.isBatch ? sendBatch(post) : sendLine(post)
                outcome.whenSuccess { [self] in complete(post, $0) }
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

    private func sendLine(_ post: DeliveryState.Post) -> EventLoopFuture<PostOutcome> {
        let body = post.items[0].body
        let first = sendLine(body, to: post, route: post.route)
        return first.flatMap { [self] outcome in
            // 404 is how some gateways say that they have the other route.
            if case .refused(404, _, _, _) = outcome { return sendLine(body, to: post, route: post.route.other) }
            return first.eventLoop.makeSucceededFuture(outcome)
        }
    }

    private func sendLine(
        _ body: [UInt8], to post: DeliveryState.Post, route: LogRoute
    ) -> EventLoopFuture<PostOutcome> {
        request(post.destination.gatewayURL + route.rawValue, post, body) { answer in
            .accepted(LogAnswer(JSONReader(try? JSONValue(parsing: answer.body))), route: route)
        }
    }

    private func sendBatch(_ post: DeliveryState.Post) -> EventLoopFuture<PostOutcome> {
        let url = post.destination.gatewayURL + "/v1/logs/batch"
        var body: [UInt8] = [UInt8(ascii: "[")]
        body.reserveCapacity(post.items.reduce(2) { $0 + $1.body.count + 64 })
        for (index, item) in post.items.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            item.appendBatchElement(to: &body)
        }
        body.append(UInt8(ascii: "]"))
        return request(url, post, body) { answer in
            guard let results = try? JSONValue(parsing: answer.body)["results"]?.array,
                results.count == post.items.count
            else { return .failed(reason: "\(url) answered \(answer.code) without a result for each line") }
            return .results(results.map { PostOutcome.LineResult(JSONReader($0)) })
        }
    }

    private func request(
        _ url: String, _ post: DeliveryState.Post, _ body: [UInt8],
        read: @escaping @Sendable (GatewayHTTP.Answer) -> PostOutcome
    ) -> EventLoopFuture<PostOutcome> {
        http.send(
            .POST, url, apiKey: post.destination.apiKey, body: body, timeout: configuration.requestTimeout,
            maximumBytes: 4 << 20
        ).map { answer -> PostOutcome in
            guard !answer.isSuccess else { return read(answer) }
            return .refused(
                code: answer.code, retryAfter: answer.retryAfter,
                reason: "\(url) answered \(answer.code)\(answer.errorMessage.map { ": \($0)" } ?? "")",
                isFinal: answer.isFinal)
        }.recover { .failed(reason: "\(url): \(GatewayHTTP.reason($0))") }
            .map { [self] outcome in
                tellOfPost(url, lines: post.items.count, outcome: outcome)
                return outcome
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
