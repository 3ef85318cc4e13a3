// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutTracing
import Testing
import WireJSON

@Suite("RolloutTracing: lines under way") struct DeliveryStateTests {
    private static let gateway = LogDestination(gatewayURL: "http://gateway")
    private static let ours = LogAnswer(knowsAttempts: true, attemptNumber: 1, current: true)
    private let start = ContinuousClock.now

    private func state(_ change: (inout TracingConfiguration) -> Void = { _ in }) -> DeliveryState {
        var configuration = TracingConfiguration(gatewayURL: "http://gateway")
        configuration.backoff = Backoff(first: .seconds(1), longest: .seconds(8))
        change(&configuration)
        return DeliveryState(configuration, idPrefix: "t")
    }

    private func add(
        _ message: String, _ rollout: String = "r", status: Status? = nil, waiter: UInt64? = nil,
        to state: inout DeliveryState
    ) -> Bool {
        state.enqueue(
            line(message, rollout: rollout, status: status), rolloutID: rollout, attempt: nil,
            destination: Self.gateway, waiter: waiter, now: start)
    }

    private func messages(_ post: DeliveryState.Post) -> [String] {
        post.items.compactMap { try? JSONValue(parsing: $0.body)["message"]?.string }
    }

    /// A state that knows its gateway takes batches.
    private func batching(_ change: (inout TracingConfiguration) -> Void = { _ in }) -> DeliveryState {
        var state = state(change)
        _ = add("first", to: &state)
        let post = state.nextPosts(now: start)[0]
        #expect(!post.isBatch)
        _ = state.complete(post.number, .accepted(Self.ours, route: .logs), now: start, jitter: 0)
        return state
    }

    @Test("a rollout's lines go one after the other, other rollouts' beside them")
    func lanes() {
        var state = state()
        for message in ["a1", "a2"] { _ = add(message, "a", to: &state) }
        _ = add("b1", "b", to: &state)
        let posts = state.nextPosts(now: start)
        #expect(posts.map(messages) == [["a1"], ["b1"]])
        #expect(state.nextPosts(now: start).isEmpty)
        let plain = LogAnswer()
        _ = state.complete(posts[0].number, .accepted(plain, route: .logs), now: start, jitter: 0)
        #expect(state.nextPosts(now: start).map(messages) == [["a2"]])
    }

    @Test("batches once the gateway has shown that it is one of ours, and singles after it has turned one down")
    func batches() {
        var state = batching()
        for number in 1...3 { _ = add("l\(number)", to: &state) }
        let batch = state.nextPosts(now: start)
        #expect(batch.map(messages) == [["l1", "l2", "l3"]])
        #expect(batch[0].isBatch)
        _ = state.complete(batch[0].number, .refused(code: 404, retryAfter: nil, reason: ""), now: start, jitter: 0)
        let single = state.nextPosts(now: start)
        #expect(single.map(messages) == [["l1"]])
        #expect(!single[0].isBatch)
        #expect(state.statistics.retries == 0)
    }

    @Test("a batch that is too large is halved down to the line at fault, and the others get through")
    func halving() {
        var state = batching()
        for number in 1...4 { _ = add("l\(number)", to: &state) }
        var sizes: [Int] = []
        var taken: [String] = []
        while let post = state.nextPosts(now: start).first {
            sizes.append(post.items.count)
            let isBad = messages(post).contains("l2")
            let outcome: PostOutcome =
                isBad
                ? .refused(code: 413, retryAfter: nil, reason: "large")
                : post.isBatch
                    ? .results(post.items.map { _ in .accepted(Self.ours) }) : .accepted(Self.ours, route: .logs)
            if !isBad { taken += messages(post) }
            _ = state.complete(post.number, outcome, now: start, jitter: 0)
        }
        #expect(taken == ["l1", "l3", "l4"])
        #expect(sizes == [4, 2, 1, 2, 1, 1, 1, 1])
        #expect(state.statistics.dropped == 1)
        #expect(state.statistics.waiting == 0)
    }

    @Test("what an HTTP status means for a line", arguments: [401, 403, 404, 405, 408, 429, 500, 503, 400, 413, 422])
    func errorTable(code: Int) throws {
        let isLineAtFault = [400, 413, 422].contains(code)
        var state = state()
        _ = add("plain", "p", to: &state)
        _ = add("status", "s", status: .finished(), to: &state)
        for post in state.nextPosts(now: start) {
            _ = state.complete(post.number, .refused(code: code, retryAfter: nil, reason: "no"), now: start, jitter: 0)
        }
        if isLineAtFault {
            #expect(state.statistics.waiting == 0)
            #expect(state.statistics.dropped == 1)
            let bare = try #require(state.nextPosts(now: start).first)
            let body = try JSONValue(parsing: bare.items[0].body)
            #expect(body.object?.keys == ["tags", "status"])
            let effects = state.complete(
                bare.number, .refused(code: code, retryAfter: nil, reason: "no"), now: start, jitter: 0)
            #expect(effects.problems.count == 1)
            #expect(state.statistics.statusesRefused == 1)
            #expect(state.health != .healthy)
            #expect(state.statistics.statusesWaiting == 0)
        } else {
            #expect(state.statistics.waiting == 1)
            #expect(state.statistics.statusesWaiting == 1)
            #expect(state.nextPosts(now: start).isEmpty)
            let next = state.nextWake(now: start)
            let wake = try #require(next)
            #expect(state.nextPosts(now: wake).count == 1)
            #expect(state.health == .healthy)
        }
    }

    @Test("pauses double, and Retry-After prolongs them")
    func pauses() throws {
        var state = state()
        _ = add("l", to: &state)
        var now = start
        for seconds in [1, 2, 4, 8, 8] {
            let post = try #require(state.nextPosts(now: now).first)
            _ = state.complete(post.number, .failed(reason: "down"), now: now, jitter: 0)
            let wake = state.nextWake(now: now)
            #expect(wake == now + .seconds(seconds))
            now += .seconds(seconds)
        }
        let post = try #require(state.nextPosts(now: now).first)
        _ = state.complete(post.number, .refused(code: 503, retryAfter: .seconds(30), reason: ""), now: now, jitter: 1)
        let wake = state.nextWake(now: now)
        #expect(wake == now + .seconds(30))
    }

    @Test("a full queue refuses plain lines, says so once, and takes every status")
    func full() throws {
        var state = state {
            $0.queueCapacity = 4
            $0.rolloutCapacity = 3
        }
        #expect((1...3).allSatisfy { add("a\($0)", "a", to: &state) })
        #expect(!add("a4", "a", to: &state))
        #expect(add("b1", "b", to: &state))
        #expect(!add("b2", "b", to: &state))
        #expect(!add("c1", "c", to: &state))
        #expect(add("end", "a", status: .finished(), to: &state))
        #expect(state.statistics.dropped == 3)
        var taken: [String] = []
        var posts = state.nextPosts(now: start)
        while !posts.isEmpty {
            for post in posts {
                taken += messages(post)
                _ = state.complete(post.number, .accepted(LogAnswer(), route: .logs), now: start, jitter: 0)
            }
            posts = state.nextPosts(now: start)
        }
        #expect(taken.filter { $0.hasPrefix("1 log line of this rollout") }.count == 3)
        #expect(Set(taken).isSuperset(of: ["a1", "a2", "a3", "b1", "end"]))
        #expect(state.statistics.waiting == 0)
        #expect(state.statistics.statusesWaiting == 0)
    }

    @Test("a line that would be one too many whenever it came is dropped, and the status behind it goes out")
    func tooManyLines() throws {
        var state = state()
        _ = add("plain", "r", to: &state)
        _ = add("end", "r", status: .finished(), to: &state)
        let post = try #require(state.nextPosts(now: start).first)
        _ = state.complete(
            post.number, .refused(code: 429, retryAfter: nil, reason: "full", isFinal: true), now: start, jitter: 0)
        #expect(state.statistics.dropped == 1)
        #expect(state.nextPosts(now: start).map(messages) == [["end"]])
    }

    @Test("results of a batch: put off, refused for good, taken")
    func results() throws {
        var state = batching()
        _ = add("later", "a", to: &state)
        _ = add("bad", "b", to: &state)
        _ = add("good", "c", to: &state)
        _ = add("too many", "d", to: &state)
        let post = try #require(state.nextPosts(now: start).first)
        let results: [PostOutcome.LineResult] = messages(post).map {
            switch $0 {
            case "later": .refused(code: 503, reason: "")
            case "bad": .refused(code: 422, reason: "")
            case "too many": .refused(code: 429, reason: "", isFinal: true)
            default: .accepted(Self.ours)
            }
        }
        let effects = state.complete(post.number, .results(results), now: start, jitter: 0)
        #expect(effects.delivered.map(\.rolloutID) == ["c"])
        #expect(state.statistics.dropped == 2)
        #expect(state.nextPosts(now: start).isEmpty)
        let next = state.nextWake(now: start)
        let wake = try #require(next)
        #expect(state.nextPosts(now: wake).map(messages) == [["later"]])
    }

    @Test("somebody who waits is tried at once, told of a wrong key, and can withdraw")
    func waiting() throws {
        var state = state()
        _ = add("l", "a", to: &state)
        let failed = try #require(state.nextPosts(now: start).first)
        _ = state.complete(failed.number, .failed(reason: "down"), now: start, jitter: 0)
        #expect(state.nextPosts(now: start).isEmpty)
        _ = add("", "b", status: .running, waiter: 7, to: &state)
        let soon = start + .milliseconds(100)
        let post = try #require(state.nextPosts(now: soon).first)
        #expect(post.items.first?.waiter == 7)
        let effects = state.complete(
            post.number, .refused(code: 401, retryAfter: nil, reason: "key"), now: soon, jitter: 0)
        #expect(effects.results.map(\.result) == [.refused(code: 401, reason: "key")])
        #expect(state.statistics.statusesWaiting == 0)

        _ = add("", "c", status: .running, waiter: 8, to: &state)
        let (reason, _) = state.withdraw(8)
        #expect(reason == "key")
        #expect(state.statistics.statusesWaiting == 0)
    }
}
