// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import NIOHTTP1
import RolloutEnvironment
import TestSupport
import Testing
import WireJSON

/// Each in a process of its own: what others of this one do would be measured too, or stand still.
@Suite("RolloutEnvironment: load") struct LoadTests {
    @Test("with 1,000 rollouts running the environment answers at once, and each takes memory by its own messages")
    func thousand() async throws {
        let result = try await #require(processExitsWith: .success, observing: [\.standardOutputContent]) {
            try await LoadTests.runThousands()
        }
        print(String(decoding: result.standardOutputContent, as: UTF8.self), terminator: "")
    }

    /// 1,000 rollouts with small messages, and then 1,000 with large ones.
    private static func runThousands() async throws {
        let count = 1_000
        for messageBytes in [100, 100_000] {
            let release = Latchlike()
            var configuration = RolloutEnvironment.Configuration.test
            configuration.maximumConcurrentRollouts = count
            let environment = RolloutEnvironment(configuration) { rollout in
                await release.wait()
                return .finished(info: ["bytes": .number(rollout.messages[0].text.utf8.count)])
            }
            try await FakeGateway.with { gateway in
                try await ServedEnvironment.with(environment) { environment in
                    // What the first few take, all use.
                    for number in 0..<10 {
                        try await begin(
                            "warm-\(number)", String(repeating: "w", count: messageBytes), environment, gateway)
                    }
                    let before = residentBytes()
                    var number = 10
                    while number < count {
                        try await withThrowingTaskGroup(of: Void.self) { group in
                            for _ in 0..<10 {
                                let id = "r-\(number)"
                                group.addTask {
                                    let text = String(repeating: "x", count: messageBytes)
                                    try await begin(id, text, environment, gateway)
                                }
                                number += 1
                            }
                            try await group.waitForAll()
                        }
                    }
                    let each = max(0, residentBytes() - before) / (count - 10)
                    var slowest = Duration.zero
                    for _ in 0..<20 {
                        let start = ContinuousClock.now
                        let health = try await environment.send(.GET, "/health")
                        slowest = max(slowest, .now - start)
                        precondition(health.json?["running"] == .number(count), health.text)
                    }
                    print(
                        "1,000 rollouts with messages of \(messageBytes) bytes: \(each / 1_000) kB each; "
                            + "/health answers within \(slowest)")
                    precondition(slowest < .seconds(1), "/health took \(slowest)")
                    precondition(each < 32_000 + 2 * messageBytes, "\(each) bytes each")
                    release.open()
                    try await eventually("ends", within: .seconds(60)) {
                        try await environment.send(.GET, "/health").json?["running"] == 0
                    }
                }
            }
        }
    }

    private static func begin(
        _ id: String, _ text: String, _ environment: ServedEnvironment, _ gateway: FakeGateway
    ) async throws {
        var request = InitRequest.test(id, gateway: gateway.url)
        request.messages = [.user(text)]
        let answer = try await environment.initialize(request)
        precondition(answer.status == 200, answer.text)
    }

    private static func residentBytes() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0)
            * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    @Test("agents that block the threads of all tasks are told of, in the log and in the metrics") func blocked() async
    {
        await #expect(processExitsWith: .success) { try await LoadTests.block() }
    }

    private static func blockThread(while condition: () -> Bool) {
        while condition() { Thread.sleep(forTimeInterval: 0.005) }
    }

    private static func block() async throws {
        // As many as may block all threads, and some that are kept from running by them.
        let count = 2 * ProcessInfo.processInfo.activeProcessorCount
        let log = RecordedLog()
        var configuration = RolloutEnvironment.Configuration.test
        configuration.logger = log.logger
        configuration.blockedPoolLimit = .milliseconds(500)
        let release = Latchlike()
        let environment = RolloutEnvironment(configuration) { _ in
            await release.wait()
            blockThread { log.lines(of: .warning).isEmpty }
            return .finished()
        }
        try await FakeGateway.with { gateway in
            try await ServedEnvironment.with(environment) { environment in
                for number in 0..<count { try await begin("r-\(number)", "hello", environment, gateway) }
                release.open()
                try await eventually("ends") { (0..<count).allSatisfy { !gateway.terminal(of: "r-\($0)").isEmpty } }
                let lines = log.lines(of: .warning)
                precondition(lines.count == 1, "\(lines)")
                precondition(lines[0].message.hasPrefix("no task has run for 0.5 seconds: agents block"), "\(lines)")
                precondition(lines[0].message.contains("NIOThreadPool"), "\(lines)")
                precondition(lines[0].metadata["running"] == "\(count)", "\(lines)")
                let metrics = try await environment.send(.GET, "/metrics").text
                precondition(metrics.contains("\nrollcall_environment_pool_blocked_total 1\n"), metrics)
            }
        }
    }
}
