// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging
import RolloutTracing
import Synchronization
import TestSupport
import Testing
import WireJSON

@Suite("RolloutTracing: delivery") struct LogDeliveryTests {
    @Test("a line as the contract wants it")
    func body() async throws {
        let gateway = ScriptedGateway()
        try await ScriptedHTTPServer.with(gateway.answer) { server in
            let delivery = LogDelivery(quick(server.url, apiKey: "k"))
            let logger = Logger(label: "agent") { label in
                RolloutLogHandler(
                    label: label, delivery: delivery, metadataProvider: .init { ["provided": "p", "who": "provider"] })
            }
            RolloutContext.$current.withValue(context("r", attempt: "a1")) {
                logger.debug("not at this level")
                logger.warning(
                    "done",
                    metadata: [
                        "status": .status(.finished()), "who": "call", "n": .stringConvertible(7),
                        "flag": .stringConvertible(true), "list": ["x"],
                    ])
            }
            logger.info("of no rollout")
            #expect(await delivery.flush(within: .seconds(20)) == 0)
            let line = try #require(gateway.lines.first)
            #expect(gateway.lines.count == 1)
            #expect(line["program"] == "eval_protocol")
            #expect(line["message"] == "done")
            #expect(line["status"]?["code"]?.int == 100)
            #expect(line["tags"] == ["rollout_id:r", "experiment_id:e", "run_id:u"])
            let extras = try #require(line["extras"]?.object)
            #expect(extras["who"] == "call" && extras["provided"] == "p" && extras["list"] == ["x"])
            #expect(extras["n"] == 7 && extras["flag"] == true)
            #expect(extras["logger_name"] == "agent" && extras["level"] == "WARNING")
            #expect(extras["timestamp"]?.string?.count == 27)
            #expect(extras["rollcall"]?["attempt"] == "a1")
            #expect(extras["status"] == nil)
            #expect(server.requests.first?.header("authorization") == "Bearer k")
        }
    }

    @Test("many rollouts at once: every rollout's lines in order, in batches")
    func order() async throws {
        let gateway = ScriptedGateway()
        try await ScriptedHTTPServer.with(gateway.answer) { server in
            let delivery = LogDelivery(quick(server.url))
            await withTaskGroup(of: Void.self) { group in
                for rollout in 0..<50 {
                    group.addTask {
                        for number in 0..<20 {
                            delivery.enqueue(line("\(number)", rollout: "r\(rollout)"))
                            await Task.yield()
                        }
                        delivery.report(.finished(), for: context("r\(rollout)"))
                    }
                }
            }
            #expect(await delivery.flush(within: .seconds(30)) == 0)
            var byRollout: [String: [String]] = [:]
            for line in gateway.lines {
                byRollout[line["tags"]?[0]?.string ?? "", default: []].append(line["message"]?.string ?? "")
            }
            #expect(byRollout.count == 50)
            let expected = (0..<20).map(String.init) + ["Rollout finished"]
            #expect(byRollout.values.allSatisfy { $0 == expected })
            #expect(delivery.statistics.delivered == 1_050)
            #expect(server.requests(to: "/v1/logs/batch").count >= 1)
            #expect(server.requests.count < 1_050)
        }
    }

    @Test("another gateway: /v1/logs after a 404, remembered, and single posts only")
    func fallback() async throws {
        let gateway = ScriptedGateway(.init(knowsAttempts: false, takesBatches: false, missing: ["/logs"]))
        try await ScriptedHTTPServer.with(gateway.answer) { server in
            let delivery = LogDelivery(quick(server.url))
            for number in 0..<5 { delivery.enqueue(line("\(number)")) }
            #expect(await delivery.flush(within: .seconds(20)) == 0)
            #expect(gateway.messages == ["0", "1", "2", "3", "4"])
            #expect(server.requests.map(\.path) == ["/logs"] + Array(repeating: "/v1/logs", count: 5))
            #expect(!delivery.knowsAttempts(origin: server.url))
        }
    }

    @Test("a gateway of ours without batches gets single posts, and is asked once", arguments: [404, 405])
    func noBatches(code: Int) async throws {
        let gateway = ScriptedGateway()
        gateway.manners.withLock {
            $0.refusal = { $0.path == "/v1/logs/batch" ? .text("", status: code) : nil }
        }
        try await ScriptedHTTPServer.with(gateway.answer) { server in
            let delivery = LogDelivery(quick(server.url))
            for number in 0..<5 { delivery.enqueue(line("\(number)")) }
            #expect(await delivery.flush(within: .seconds(20)) == 0)
            #expect(gateway.messages == ["0", "1", "2", "3", "4"])
            #expect(server.requests(to: "/v1/logs/batch").count == 1)
            #expect(delivery.knowsAttempts(origin: server.url))
        }
    }

    @Test("a gateway that is down and comes back gets everything, in order")
    func downThenUp() async throws {
        let first = try await ScriptedHTTPServer.start { _ in .text("starting", status: 503) }
        let delivery = LogDelivery(quick(first.url))
        for number in 0..<10 { delivery.enqueue(line("\(number)")) }
        try await first.waitForRequests(3)
        await first.stop()
        try await eventually("refused connection") { delivery.statistics.lastFailure?.contains("answered") == false }
        #expect(await delivery.flush(within: .milliseconds(50)) == 10)
        let gateway = ScriptedGateway()
        let second = try await ScriptedHTTPServer.start(port: first.port, answer: gateway.answer)
        #expect(await delivery.flush(within: .seconds(20)) == 0)
        #expect(gateway.messages == (0..<10).map(String.init))
        #expect(delivery.statistics.retries > 3 && delivery.statistics.lastFailure == nil)
        await second.stop()
    }

    @Test("a repeated batch has the same ids")
    func ids() async throws {
        let gateway = ScriptedGateway()
        let cut = Mutex(true)
        gateway.manners.withLock {
            $0.refusal = { request in
                guard request.path == "/v1/logs/batch" else { return nil }
                return cut.withLock { cut in
                    defer { cut = false }
                    return cut ? .dropped : nil
                }
            }
        }
        try await ScriptedHTTPServer.with(gateway.answer) { server in
            let delivery = LogDelivery(quick(server.url))
            for number in 0..<4 { delivery.enqueue(line("\(number)")) }
            #expect(await delivery.flush(within: .seconds(20)) == 0)
            let batches = server.requests(to: "/v1/logs/batch").map { $0.json?.array?.map { $0["id"] } ?? [] }
            #expect(batches.count >= 2)
            #expect(batches[0].count == 3 && batches[0] == batches[1])
            #expect(Set(batches[0]).count == 3)
        }
    }

    @Test("logging returns while the gateway hangs, lines are dropped and counted, statuses are kept")
    func hanging() async throws {
        let release = AsyncStream.makeStream(of: Void.self)
        let gateway = ScriptedGateway()
        let isHeld = Mutex(true)
        try await ScriptedHTTPServer.with({ request in
            if isHeld.withLock({ $0 }) { for await _ in release.stream {} }
            return await gateway.answer(request)
        }) { server in
            var configuration = quick(server.url)
            configuration.rolloutCapacity = 100
            let delivery = LogDelivery(configuration)
            for number in 0..<500 { delivery.enqueue(line("\(number)")) }
            for _ in 0..<5 { delivery.report(.running, for: context()) }
            delivery.report(.finished(), for: context())
            #expect(delivery.statistics.dropped == 400)
            #expect(delivery.statistics.statusesWaiting == 6)
            let before = ContinuousClock.now
            #expect(await delivery.flush(within: .milliseconds(100)) == 106)
            #expect(ContinuousClock.now - before < .seconds(5))
            isHeld.withLock { $0 = false }
            release.continuation.finish()
            #expect(await delivery.flush(within: .seconds(20)) == 0)
            try await eventually("line about the drops") {
                gateway.messages.contains { $0.hasPrefix("400 log lines of this rollout") }
            }
            #expect(gateway.lines.filter { $0["status"]?["code"]?.int != nil }.count == 6)
        }
    }

    @Test("a status that waits for its answer")
    func deliver() async throws {
        let gateway = ScriptedGateway(.init(current: false, final: .cancelled))
        let seen = Mutex<[DeliveredLine]>([])
        try await ScriptedHTTPServer.with(gateway.answer) { server in
            let delivery = LogDelivery(TracingConfiguration(gatewayURL: "http://127.0.0.1:9"))
            delivery.onAnswer { line in seen.withLock { $0.append(line) } }
            let destination = LogDestination(gatewayURL: server.url + "/")
            let there = context("r", attempt: "a1", destination: destination)
            let result = await delivery.deliver(.running, for: there, extras: ["x": 1], within: .seconds(20))
            let answer = LogAnswer(knowsAttempts: true, attemptNumber: 1, current: false, final: .cancelled)
            #expect(result == .acknowledged(answer))
            #expect(gateway.lines.first?["extras"]?["x"] == 1)
            #expect(seen.withLock { $0 }.map(\.answer) == [answer])
            #expect(seen.withLock { $0 }.first?.attempt == AttemptID("a1"))
            #expect(delivery.knowsAttempts(origin: destination.origin))

            gateway.manners.withLock { $0.refusal = { _ in .json(["detail": "wrong key"], status: 401) } }
            let refused = await delivery.deliver(.running, for: there, within: .seconds(20))
            guard case .refused(401, let reason) = refused else {
                Issue.record("\(refused)")
                return
            }
            #expect(reason.hasSuffix("wrong key"))

            let nowhere = await delivery.deliver(.running, for: context("q"), within: .milliseconds(200))
            guard case .unreachable = nowhere else {
                Issue.record("\(nowhere)")
                return
            }
            // One that was on its way when it was given up ends with its post.
            try await eventually("end of the last post") { delivery.statistics.statusesWaiting == 0 }
        }
    }

    @Test("a gateway that hangs: deliver gives up in time and when its task is cancelled")
    func deliverGivesUp() async throws {
        try await ScriptedHTTPServer.with({ _ in
            try? await Task.sleep(for: .seconds(60))
            return .dropped
        }) { server in
            let delivery = LogDelivery(quick(server.url))
            let inTime = await delivery.deliver(.running, for: context("a"), within: .milliseconds(50))
            guard case .unreachable = inTime else {
                Issue.record("\(inTime)")
                return
            }
            let task = Task { await delivery.deliver(.running, for: context("b"), within: .seconds(60)) }
            try await server.waitForRequests(2)
            task.cancel()
            guard case .unreachable(let reason) = await task.value else {
                Issue.record("not cancelled")
                return
            }
            #expect(reason.contains("cancelled"))
        }
    }

    @Test("a status that is refused is sent bare; refused again it turns health red and blocks nothing")
    func refusedStatus() async throws {
        let gateway = ScriptedGateway(.init(knowsAttempts: false))
        gateway.manners.withLock {
            $0.refusal = { request in
                request.json?["tags"]?[0]?.string == "rollout_id:bad" || request.json?["message"] == "odd"
                    ? .json(["error": ["message": "no"]], status: 422) : nil
            }
        }
        try await ScriptedHTTPServer.with(gateway.answer) { server in
            let delivery = LogDelivery(quick(server.url))
            delivery.report(.finished(), for: context("r", attempt: "a1"), message: "odd", extras: ["x": 1])
            delivery.report(.ok, for: context("r"))
            #expect(await delivery.flush(within: .seconds(20)) == 0)
            #expect(gateway.lines.count == 2)
            let bare = try #require(gateway.lines.first)
            #expect(bare["status"]?["code"]?.int == 100 && bare["message"] == nil)
            #expect(bare["extras"] == ["rollcall": ["attempt": "a1"]])
            #expect(delivery.health == .healthy)
            delivery.report(.finished(), for: context("bad"))
            delivery.enqueue(line("after", rollout: "bad2"))
            #expect(await delivery.flush(within: .seconds(20)) == 0)
            #expect(delivery.health != .healthy)
            #expect(delivery.statistics.statusesRefused == 1)
            #expect(gateway.messages.last == "after")
        }
    }

    @Test("a shutdown delivers what waits")
    func shutdown() async throws {
        let gateway = ScriptedGateway()
        try await ScriptedHTTPServer.with(gateway.answer) { server in
            let delivery = LogDelivery(quick(server.url))
            let service = Task { try await delivery.run() }
            for number in 0..<100 { delivery.enqueue(line("\(number)", rollout: "r\(number)")) }
            service.cancel()
            try await service.value
            #expect(gateway.lines.count == 100)
        }
    }
}
