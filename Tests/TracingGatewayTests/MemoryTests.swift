// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing
import WireJSON

#if os(Linux)
/// The promise about memory, of the built gateway under many calls.
@Suite("TracingGateway: memory") struct MemoryTests {
    private static let calls = 2000
    private static let bound = 150_000_000

    /// Both ends of every call are in this process.
    private static let mayOpenEnough: Bool = {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return false }
        limit.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, 16_384))
        return setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 && limit.rlim_cur >= 8192
    }()

    @Test(
        "2,000 streamed calls in flight, with a full page cache, take less than 150 MB",
        .enabled(if: mayOpenEnough, "needs 8192 open files"))
    func streams() async throws {
        let gate = Gate()
        defer { gate.open() }
        try await LimitedGateway.with(
            ["--max-calls-per-rollout", "\(Self.calls)", "--page-cache-bytes", "\(16 << 20)"],
            answer: { _ in
                let (stream, feed) = AsyncStream.makeStream(of: [UInt8].self)
                feed.yield(Self.event("beginning", finish: "null"))
                Task {
                    await gate.pass()
                    feed.yield(Self.event("end", finish: "\"stop\""))
                    feed.yield(Array("data: [DONE]\n\n".utf8))
                    feed.finish()
                }
                return .events(stream)
            }
        ) { gateway in
            try await Self.fillCache(gateway)
            let idle = try Self.memory(gateway.process.identifier)
            let content = String(repeating: "x", count: 1980)
            let body = #"{"stream":true,"model":"m","messages":[{"role":"user","content":"\#(content)"}]}"#
            let head =
                "POST \(LimitedGateway.path("r")) HTTP/1.1\r\nhost: x\r\ncontent-length: \(body.utf8.count)\r\n\r\n"
            var connections: [RawConnection] = []
            for _ in 0..<Self.calls { connections.append(try await gateway.open(head + body)) }
            try await eventually("beginning of every answer", within: .seconds(60)) {
                connections.allSatisfy { $0.text.contains("beginning") }
            }
            let inFlight = try Self.memory(gateway.process.identifier)
            gate.open()
            try await eventually("end of every answer", within: .seconds(60)) {
                connections.allSatisfy { $0.tail.hasSuffix("0\r\n\r\n") }
            }
            let after = try Self.memory(gateway.process.identifier)
            print(
                "resident: \(idle.now >> 20) MB before, \(inFlight.now >> 20) MB with \(Self.calls) streams in flight, "
                    + "\(after.now >> 20) MB after, \(after.most >> 20) MB at most")
            #expect(after.most < Self.bound)
            for connection in connections { await connection.close() }
            let page = try await gateway.process.request("GET", "/v1/rollouts/r")
            #expect(page.json["calls"]?["recorded"]?.int == Self.calls)
        }
    }

    private static func event(_ text: String, finish: String) -> [UInt8] {
        Array(
            #"data: {"id":"c","choices":[{"index":0,"delta":{"content":"\#(text)"},"finish_reason":\#(finish)}]}"#.utf8)
            + Array("\n\n".utf8)
    }

    /// Writes more than the writer's pages hold, and reads it by all readers at once.
    private static func fillCache(_ gateway: LimitedGateway) async throws {
        let line = #"{"tags":["rollout_id:full"],"message":"\#(String(repeating: "x", count: 1 << 20))"}"#
        for _ in 0..<24 { #expect(try await gateway.process.request("POST", "/logs", body: line).status == 200) }
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    try await gateway.process.request("GET", "/logs?tags=rollout_id:full&limit=3").status
                }
            }
            for try await status in group { #expect(status == 200) }
        }
    }

    /// What the process has in memory, and the most that it ever had, in bytes.
    private static func memory(_ process: Int32) throws -> (now: Int, most: Int) {
        let text = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        func bytes(_ name: String) -> Int {
            let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
            return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? .max >> 10)
                << 10
        }
        return (bytes("VmRSS"), bytes("VmHWM"))
    }
}
#endif
