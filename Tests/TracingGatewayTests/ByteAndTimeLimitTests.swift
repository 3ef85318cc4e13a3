// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import TestSupport
import Testing
import WireJSON

#if canImport(Glibc)
import Glibc
#endif

/// How large something may be, and how long it may take: the flag set small, what is beyond it answered or ended, what
/// is within it served.
@Suite("TracingGateway: limits on bytes and times") struct ByteAndTimeLimitTests {
    private static let large = String(repeating: "x", count: 2000)

    private static func call(_ content: String) -> String {
        #"{"model":"m","messages":[{"role":"user","content":"\#(content)"}]}"#
    }

    @Test("bodies of calls, and of everything else") func bodies() async throws {
        try await LimitedGateway.with(["--max-body-bytes", "1024", "--max-log-body-bytes", "1500"]) { gateway in
            let call = try await gateway.call(body: Self.call(Self.large))
            #expect(call.isError(413, "body_too_large", "1024", "--max-body-bytes"), "\(call.text)")
            #expect(call.header("x-should-retry") == "false")
            #expect(gateway.upstream.requests.isEmpty)
            #expect(try await gateway.call().status == 200)
            for (path, body) in [
                ("/logs", #"{"tags":["rollout_id:r"],"message":"\#(Self.large)"}"#),
                ("/v1/logs/batch", "[\(Self.large)]"),
                ("/v1/rollouts", "[\(Self.large)]"),
            ] {
                let response = try await gateway.process.request("POST", path, body: body)
                #expect(
                    response.isError(413, "body_too_large", "1500", "--max-log-body-bytes"), "\(path) \(response.text)")
            }
            #expect(try await gateway.log().status == 200)
        }
    }

    @Test("answers that are recorded") func answers() async throws {
        try await LimitedGateway.with(
            ["--max-answer-bytes", "1024"],
            answer: { .json(GatewayFixture.completion($0.text.contains("long") ? Self.large : "short")) }
        ) { gateway in
            let beyond = try await gateway.call(body: Self.call("long"))
            #expect(beyond.isError(502, "answer_too_large", "1024", "--max-answer-bytes"), "\(beyond.text)")
            #expect(beyond.header("x-should-retry") == "false")
            #expect(try await gateway.call(body: Self.call("brief")).status == 200)
        }
    }

    @Test("all bodies that are coming in") func incoming() async throws {
        try await LimitedGateway.with(["--max-incoming-bytes", "3000"]) { gateway in
            let body = Self.call(Self.large)
            let head =
                "POST \(LimitedGateway.path("r")) HTTP/1.1\r\nhost: x\r\ncontent-length: \(body.utf8.count)\r\n\r\n"
            var first = try await gateway.open(head + body.dropLast(2))
            var beyond: RawResponse?
            try await eventually("refusal while the first is there") {
                // Of two that come at the same time, either may be the one that is refused.
                if !first.text.isEmpty { first = try await gateway.open(head + body.dropLast(2)) }
                beyond = try await gateway.call(body: body)
                return beyond?.status != 200
            }
            #expect(beyond?.isError(503, "overloaded", "3000", "--max-incoming-bytes") == true, "\(beyond?.text ?? "")")
            let line = #"{"tags":["rollout_id:r"],"message":"\#(Self.large)"}"#
            let log = try await gateway.process.request("POST", "/logs", body: line)
            #expect(log.isError(503, "overloaded", "3000", "--max-incoming-bytes"), "\(log.text)")
            #expect(log.header("retry-after") == "2")
            #expect(try await gateway.log().status == 200)
            try await first.send(String(body.suffix(2)))
            #expect(try await first.response().status == 200)
            // What was taken has been given back, by every way.
            for _ in 0..<3 {
                #expect(try await gateway.call(body: body).status == 200)
                #expect(try await gateway.process.request("POST", "/logs", body: line).status == 200)
            }
        }
    }

    @Test("heads, their fields, and ids") func heads() async throws {
        try await LimitedGateway.with(["--max-head-bytes", "1024", "--max-header-fields", "6", "--max-id-bytes", "8"]) {
            gateway in
            for headers in [["x-large: \(Self.large)"], (0..<8).map { "x-\($0): y" }] {
                let response = try await gateway.process.request("GET", "/health", headers: headers)
                #expect(
                    response.isError(431, "head_too_large", "1024", "--max-head-bytes", "6", "--max-header-fields"),
                    "\(response.text)")
            }
            #expect(try await gateway.process.request("GET", "/health", headers: ["a: b", "c: d"]).status == 200)
            let call = try await gateway.call("rollout-9")
            #expect(call.isError(400, "id_too_long", "rollout_id", "8 bytes", "--max-id-bytes"), "\(call.text)")
            #expect(try await gateway.call("rollout8").status == 200)
            let registered = try await gateway.process.request(
                "POST", "/v1/rollouts",
                body: "[" + ["rollout8", "rollout-9"].map(Self.registration).joined(separator: ",") + "]")
            let results = registered.json["results"]
            #expect(results?[0]?["ok"]?.bool == true && results?[1]?["code"]?.int == 400)
            #expect(results?[1]?["error"]?.string?.contains("--max-id-bytes") == true, "\(registered.text)")
            let line = try await gateway.log("rollout-9")
            #expect(line.status == 400 && line.text.contains("tags[0]"), "\(line.text)")
            #expect(line.text.contains("8 bytes (--max-id-bytes)"), "\(line.text)")
            #expect(try await gateway.log("rollout8").status == 200)
        }
    }

    private static func registration(_ rollout: String) -> String {
        #"{"metadata":{"invocation_id":"i","experiment_id":"e","rollout_id":"\#(rollout)","run_id":"u","row_id":"w"}}"#
    }

    @Test("slow heads and bodies: 408; idle connections: an end without a word") func slow() async throws {
        let flags = [
            "--head-seconds", "0.3", "--body-pause-seconds", "0.5", "--body-seconds", "1", "--idle-seconds", "1.5",
        ]
        try await LimitedGateway.with(flags) { gateway in
            let idle = try await RawConnection.open(gateway.port)
            let head = try await gateway.open("GET /health HT")
            let model = "POST \(LimitedGateway.path("r")) HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"
            let stopped = [
                try await gateway.open(model),
                try await gateway.open(
                    model.replacing(
                        LimitedGateway.path("r"), with: "/logs")),
            ]
            let dribbling = try await gateway.open(model)
            let answer = try await head.response()
            #expect(answer.isError(408, "slow_head", "0.3", "--head-seconds"), "\(answer.text)")
            #expect(answer.header("connection") == "close")
            try await head.waitForEnd()
            for connection in stopped {
                let answer = try await connection.response()
                #expect(answer.isError(408, "slow_body", "0.5", "--body-pause-seconds"), "\(answer.text)")
                try await connection.waitForEnd()
            }
            try await eventually("end of the body that comes too slowly") {
                try? await dribbling.send(" ")
                try await Task.sleep(for: .milliseconds(50))
                return dribbling.isEnded
            }
            let late = try await dribbling.response()
            #expect(late.isError(408, "slow_body", "1 s", "--body-seconds"), "\(late.text)")
            try await idle.waitForEnd()
            #expect(idle.received.isEmpty)
            #expect(try await gateway.call().status == 200)
        }
    }

    @Test("a client that leaves its answer unread is cut off") func unread() async throws {
        let text = String(repeating: "x", count: 16 << 20)
        try await LimitedGateway.with(
            ["--unread-seconds", "0.5"], answer: { _ in .json(GatewayFixture.completion(text)) }
        ) { gateway in
            let head = "POST \(LimitedGateway.path("r")) HTTP/1.1\r\nhost: x\r\ncontent-length: "
            let slow = try await gateway.open(
                head + "\(LimitedGateway.call.utf8.count)\r\n\r\n" + LimitedGateway.call, reads: false)
            try await Self.waitForOnlyConnection(gateway)
            await slow.close()
            #expect(try await gateway.call().body.count > text.utf8.count)
        }
    }

    @Test("a subscriber that leaves events unread is cut off") func unreadEvents() async throws {
        try await LimitedGateway.with(["--event-unread-seconds", "0.5"]) { gateway in
            let slow = try await gateway.open("GET /v1/events?rollout_id=r HTTP/1.1\r\nhost: x\r\n\r\n", reads: false)
            let text = String(repeating: "x", count: 1 << 20)
            let line = #"{"tags":["rollout_id:r"],"status":{"code":101,"message":"\#(text)","details":[]}}"#
            for _ in 0..<24 { #expect(try await gateway.process.request("POST", "/logs", body: line).status == 200) }
            try await Self.waitForOnlyConnection(gateway)
            await slow.close()
        }
    }

    /// Until there is no other connection than the one that asks.
    private static func waitForOnlyConnection(_ gateway: LimitedGateway) async throws {
        try await eventually("end of the other connection") {
            let metrics = try await gateway.process.request("GET", "/metrics").text
            return metrics.contains("\nrollcall_connections 1\n")
        }
    }

    @Test("upstreams that begin late or fall silent: 504, or an end with an error") func silentUpstream() async throws {
        let gate = Gate()
        defer { gate.open() }
        try await LimitedGateway.with(
            ["--upstream-first-byte-seconds", "0.4", "--upstream-idle-seconds", "0.4"],
            answer: { request in
                if request.text.contains("late") {
                    await gate.pass()
                    return .json(GatewayFixture.completion("too late"))
                }
                if !request.text.contains("stream") { return .json(GatewayFixture.completion("hello")) }
                let (stream, feed) = AsyncStream.makeStream(of: [UInt8].self)
                feed.yield(Array("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n".utf8))
                Task {
                    await gate.pass()
                    feed.finish()
                }
                return .events(stream)
            }
        ) { gateway in
            let late = try await gateway.call(body: Self.call("late"))
            #expect(late.isError(504, "upstream_timeout", "--upstream-first-byte-seconds"), "\(late.text)")
            #expect(late.header("x-should-retry") == nil)
            let body = #"{"stream":true,"messages":[]}"#
            let head =
                "POST \(LimitedGateway.path("r")) HTTP/1.1\r\nhost: x\r\ncontent-length: \(body.utf8.count)\r\n\r\n"
            let streamed = try await gateway.open(head + body)
            try await streamed.waitForEnd()
            #expect(streamed.text.contains("upstream_timeout") && streamed.text.contains("--upstream-idle-seconds"))
            #expect(!streamed.text.hasSuffix("0\r\n\r\n"))
            #expect(try await gateway.call().status == 200)
            gate.open()
        }
    }

    #if os(Linux)
    @Test("an upstream that does not take connections: 502") func deafUpstream() async throws {
        let deaf = try DeafServer()
        try await LimitedGateway.with([
            "--upstream-connect-seconds", "0.3", "--allow-upstream", "http://127.0.0.1:\(deaf.port)",
        ]) { gateway in
            let encoded = Data("http://127.0.0.1:\(deaf.port)".utf8).base64EncodedString()
            let path = LimitedGateway.path("r").replacing("/chat", with: "/encoded_base_url/\(encoded)/chat")
            let response = try await gateway.process.request("POST", path, body: LimitedGateway.call)
            #expect(response.isError(502, "upstream_unreachable"), "\(response.text)")
            #expect(try await gateway.call().status == 200)
        }
    }
    #endif
}

#if os(Linux)
/// Listens, and lets no connection come about: its queue is full.
private final class DeafServer: Sendable {
    let port: Int
    private let sockets: [Int32]

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let size = length
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && listen(listener, 0) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isBound else { throw NeverHappened(description: "no socket to listen on") }
        port = Int(UInt16(bigEndian: address.sin_port))
        var sockets = [listener]
        for _ in 0..<4 {
            let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            _ = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(client, $0, size) }
            }
            sockets.append(client)
        }
        self.sockets = sockets
    }

    deinit { for socket in sockets { close(socket) } }
}
#endif
