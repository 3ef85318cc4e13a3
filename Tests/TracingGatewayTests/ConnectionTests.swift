// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import ModelProxy
import NIOCore
import TestSupport
import Testing
import TracingGateway
import WireJSON

/// One port, one pipeline: model calls and everything else on the same connections, whatever clients do to them.
@Suite("TracingGateway: connections") struct ConnectionTests {
    private static let model = "/rollout_id/r/invocation_id/i/experiment_id/e/run_id/u/row_id/w/chat/completions"
    private static let call = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#

    private static func head(_ method: String, _ path: String, _ more: String = "", length: Int? = nil) -> String {
        "\(method) \(path) HTTP/1.1\r\nhost: localhost\r\n\(more)" + (length.map { "content-length: \($0)\r\n" } ?? "")
            + "\r\n"
    }

    private static func modelCall(_ more: String = "") -> String {
        head("POST", model, more, length: call.utf8.count) + call
    }

    private static func withUpstream<Result: Sendable>(
        configure: @escaping @Sendable (inout GatewayConfiguration) -> Void = { _ in },
        answer: @escaping ScriptedHTTPServer.Answer = { _ in .json(GatewayFixture.completion("hello")) },
        _ body: @escaping @Sendable (GatewayFixture, ScriptedHTTPServer) async throws -> Result
    ) async throws -> Result {
        try await ScriptedHTTPServer.with(answer) { upstream in
            try await GatewayFixture.with(upstream: upstream.url + "/v1", configure: configure) { gateway in
                try await body(gateway, upstream)
            }
        }
    }

    @Test("pipelined router and model calls are answered in the order they were asked") func pipelining() async throws {
        try await Self.withUpstream { gateway, _ in
            let connection = try await RawConnection.open(gateway.port)
            let status = Self.head("GET", "/v1/status?rollout_id=r")
            let line = #"{"tags":["rollout_id:r"],"message":"m"}"#
            let log = Self.head("POST", "/logs", length: line.utf8.count) + line
            try await connection.send(
                Self.modelCall() + status + log + Self.modelCall() + Self.head("GET", "/nowhere") + Self.modelCall()
                    + status)
            for (index, kind) in ["model", "status", "log", "model", "nowhere", "model", "status"].enumerated() {
                let response = try await connection.response()
                let fits =
                    switch kind {
                    case "model": response.json["choices"]?[0]?["message"]?["content"]?.string == "hello"
                    case "status": response.json["rollout_id"]?.string == "r"
                    case "log": response.json.object?.keys == ["attempt", "current", "final"]
                    default: response.status == 404
                    }
                #expect(fits, "\(index) \(kind): \(response.text)")
            }
            #expect(!connection.isEnded)
            #expect(try await gateway.get("/v1/traces?tags=rollout_id:r").json["traces"]?.array?.count == 3)
            await connection.close()
        }
    }

    @Test("requests in single bytes are understood") func dribbled() async throws {
        try await Self.withUpstream { gateway, _ in
            let connection = try await RawConnection.open(gateway.port)
            for byte in Array((Self.head("GET", "/health") + Self.modelCall()).utf8) {
                try await connection.send([byte])
            }
            #expect(try await connection.response().json["status"]?.string == "healthy")
            #expect(try await connection.response().status == 200)
            await connection.close()
        }
    }

    @Test("a client that half-closes after its router request gets its answer") func halfClose() async throws {
        try await GatewayFixture.with { gateway in
            let connection = try await RawConnection.open(gateway.port)
            try await connection.send(
                Self.head("GET", "/v1/status?rollout_id=r&wait_seconds=0.05") + Self.head("GET", "/health"))
            try await connection.closeOutput()
            #expect(try await connection.response().json["rollout_id"]?.string == "r")
            #expect(try await connection.response().json["status"]?.string == "healthy")
            try await connection.waitForEnd()
        }
    }

    @Test("a half-closed model call is answered when it says that its connection ends") func halfCloseModel()
        async throws
    {
        try await Self.withUpstream { gateway, _ in
            let connection = try await RawConnection.open(gateway.port)
            try await connection.send(Self.modelCall("connection: close\r\n"))
            try await connection.closeOutput()
            #expect(try await connection.response().status == 200)
            try await connection.waitForEnd()
        }
    }

    @Test("bytes that are no HTTP are answered 400, after the answers before them") func badHead() async throws {
        try await Self.withUpstream { gateway, _ in
            for before in [Self.head("GET", "/health"), Self.modelCall(), ""] {
                let connection = try await RawConnection.open(gateway.port)
                try await connection.send(before + "this is not http\r\n\r\n")
                if !before.isEmpty { #expect(try await connection.response().status == 200) }
                let response = try await connection.response()
                #expect(response.status == 400)
                #expect(response.json["error"]?["code"]?.string == "invalid_http")
                #expect(response.header("connection") == "close")
                #expect(response.header("x-rollcall-request-id") != nil)
                try await connection.waitForEnd()
            }
        }
    }

    @Test("a body whose framing breaks is answered 400") func badBody() async throws {
        try await GatewayFixture.with { gateway in
            let connection = try await RawConnection.open(gateway.port)
            try await connection.send(Self.head("POST", "/logs", "transfer-encoding: chunked\r\n") + "5\r\nhelloXX")
            #expect(try await connection.response().status == 400)
            try await connection.waitForEnd()
            let short = try await RawConnection.open(gateway.port)
            try await short.send(Self.head("POST", "/logs", length: 100) + "{")
            try await short.closeOutput()
            #expect(try await short.response().status == 400)
            try await short.waitForEnd()
        }
    }

    @Test("two lengths, or a length and chunks, are refused") func smuggling() async throws {
        try await GatewayFixture.with { gateway in
            for headers in [
                "content-length: 2\r\ncontent-length: 3\r\n", "content-length: 2\r\ntransfer-encoding: chunked\r\n",
                "transfer-encoding: gzip\r\n", "content-length: +2\r\n", "content-length : 2\r\n",
            ] {
                let connection = try await RawConnection.open(gateway.port)
                try await connection.send(Self.head("POST", "/logs", headers) + "{}")
                #expect(try await connection.response().status == 400, "\(headers)")
                try await connection.waitForEnd()
            }
        }
    }

    @Test("a head beyond the bound is answered 431") func largeHead() async throws {
        try await GatewayFixture.with { gateway in
            for filling in [
                "x-large: \(String(repeating: "x", count: 100 << 10))\r\n",
                (0..<300).map { "x-\($0): y\r\n" }.joined(),
            ] {
                let connection = try await RawConnection.open(gateway.port)
                try await connection.send(Self.head("GET", "/health", filling))
                let response = try await connection.response()
                #expect(response.status == 431)
                #expect(response.json["error"]?["code"]?.string == "head_too_large")
                try await connection.waitForEnd()
            }
        }
    }

    @Test("HTTP/1.0 gets a length or an end, no chunks, and its connection ends") func oldVersion() async throws {
        try await Self.withUpstream { gateway, _ in
            try await gateway.record("r")
            for path in ["/health", "/v1/traces?tags=rollout_id:r", "/nowhere"] {
                let connection = try await RawConnection.open(gateway.port)
                try await connection.send("GET \(path) HTTP/1.0\r\n\r\n")
                let response = try await connection.response()
                #expect(response.version == "HTTP/1.0", "\(path)")
                #expect(response.header("transfer-encoding") == nil)
                #expect(response.json.object != nil, "\(path)")
                try await connection.waitForEnd()
            }
            let connection = try await RawConnection.open(gateway.port)
            try await connection.send(
                "POST \(Self.model) HTTP/1.0\r\ncontent-length: \(Self.call.utf8.count)\r\n\r\n" + Self.call)
            let response = try await connection.response()
            #expect(response.status == 200)
            #expect(response.header("transfer-encoding") == nil)
            try await connection.waitForEnd()
        }
    }

    @Test("Connection: close is honoured in any letters", arguments: ["close", "Close", "CLOSE"])
    func close(word: String) async throws {
        try await Self.withUpstream { gateway, _ in
            for request in [
                Self.head("GET", "/health", "Connection: \(word)\r\n"), Self.modelCall("Connection: \(word)\r\n"),
            ] {
                let connection = try await RawConnection.open(gateway.port)
                try await connection.send(request + Self.head("GET", "/health"))
                let response = try await connection.response()
                #expect(response.status == 200)
                #expect(response.header("connection") == "close")
                try await connection.waitForEnd()
                #expect(connection.received.isEmpty)
            }
        }
    }

    @Test("Expect: 100-continue is answered before the body, once") func expect() async throws {
        try await Self.withUpstream { gateway, _ in
            for (path, body) in [("/logs", #"{"tags":["rollout_id:r"]}"#), (Self.model, Self.call)] {
                let connection = try await RawConnection.open(gateway.port)
                try await connection.send(Self.head("POST", path, "expect: 100-continue\r\n", length: body.utf8.count))
                #expect(try await connection.response().status == 100)
                try await connection.send(body)
                #expect(try await connection.response().status == 200, "\(path)")
                #expect(connection.received.isEmpty)
                await connection.close()
            }
        }
    }

    @Test("HEAD is answered without a body, and the connection goes on") func headMethod() async throws {
        try await GatewayFixture.with { gateway in
            let connection = try await RawConnection.open(gateway.port)
            try await connection.send(Self.head("HEAD", "/health") + Self.head("GET", "/health"))
            #expect(try await connection.response(toHead: true).status == 405)
            #expect(try await connection.response().json["status"]?.string == "healthy")
            await connection.close()
        }
    }

    @Test("slow heads and idle connections are closed, a slow body is told why") func deadlines() async throws {
        try await GatewayFixture.with(configure: {
            $0.connections.idle = .seconds(3)
            $0.connections.head = .seconds(1)
            $0.connections.bodyPause = .seconds(1)
        }) { gateway in
            let idle = try await RawConnection.open(gateway.port)
            let slowHead = try await RawConnection.open(gateway.port)
            try await slowHead.send("GET /health HT")
            let slowBody = try await RawConnection.open(gateway.port)
            try await slowBody.send(Self.head("POST", "/logs", length: 100) + "{")
            let used = try await RawConnection.open(gateway.port)
            try await used.send(Self.head("GET", "/health"))
            #expect(try await used.response().status == 200)
            // A request that is being answered has no deadline.
            let waiting = try await RawConnection.open(gateway.port)
            try await waiting.send(Self.head("GET", "/status?rollout_id=r&wait_seconds=4"))
            #expect(try await slowBody.response().status == 408)
            for connection in [idle, slowHead, slowBody, used] { try await connection.waitForEnd() }
            #expect(try await waiting.response().status == 200)
        }
    }

    @Test("connections beyond the bound are answered 503 and the others go on") func bound() async throws {
        try await GatewayFixture.with(configure: { $0.connections.connections = 2 }) { gateway in
            let first = try await RawConnection.open(gateway.port)
            let second = try await RawConnection.open(gateway.port)
            for connection in [first, second] {
                try await connection.send(Self.head("GET", "/health"))
                #expect(try await connection.response().status == 200)
            }
            let third = try await RawConnection.open(gateway.port)
            try await third.send(Self.head("GET", "/health"))
            let response = try await third.response()
            #expect(response.status == 503)
            #expect(response.header("retry-after") == "1")
            #expect(response.json["error"]?["code"]?.string == "too_busy")
            try await third.waitForEnd()
            try await first.send(Self.head("GET", "/health"))
            #expect(try await first.response().status == 200)
            await second.close()
            try await eventually("free place") {
                let next = try await RawConnection.open(gateway.port)
                try await next.send(Self.head("GET", "/health", "connection: close\r\n"))
                return try await next.response().status == 200
            }
            await first.close()
        }
    }

    @Test("localhost is 127.0.0.1 and ::1 on one port") func localhost() async throws {
        try await GatewayFixture.with(host: "localhost") { gateway in
            #expect(gateway.address.url == "http://localhost:\(gateway.port)")
            for socket in gateway.address.sockets {
                let host = socket.hasPrefix("[") ? "::1" : "127.0.0.1"
                let connection = try await RawConnection.open(gateway.port, host: host)
                try await connection.send(Self.head("GET", "/health"))
                #expect(try await connection.response().status == 200, "\(socket)")
                await connection.close()
            }
            #expect(gateway.address.sockets.first == "127.0.0.1:\(gateway.port)")
        }
    }

    @Test("shutdown closes idle connections, lets a running call end, and ends waits") func drain() async throws {
        let (release, letGo) = AsyncStream.makeStream(of: Void.self)
        try await Self.withUpstream(answer: { _ in
            for await _ in release { break }
            return .json(GatewayFixture.completion("late"))
        }) { gateway, upstream in
            let idle = try await RawConnection.open(gateway.port)
            try await idle.send(Self.head("GET", "/health"))
            #expect(try await idle.response().status == 200)
            let running = try await RawConnection.open(gateway.port)
            try await running.send(Self.modelCall())
            try await upstream.waitForRequests(1)
            let waiting = try await RawConnection.open(gateway.port)
            // The first answer tells that the second request has been read, too.
            try await waiting.send(
                Self.head("GET", "/health") + Self.head("GET", "/status?rollout_id=r&wait_seconds=60"))
            #expect(try await waiting.response().status == 200)
            await gateway.stop()
            try await idle.waitForEnd()
            let status = try await waiting.response()
            #expect(status.status == 200)
            letGo.yield()
            let response = try await running.response()
            #expect(response.json["choices"]?[0]?["message"]?["content"]?.string == "late")
            #expect(response.header("connection") == "close")
            try await running.waitForEnd()
            try await waiting.waitForEnd()
        }
    }

    @Test("what still runs after the grace period is cut") func cut() async throws {
        let (release, letGo) = AsyncStream.makeStream(of: Void.self)
        try await Self.withUpstream(
            configure: { $0.grace = .milliseconds(50) },
            answer: { _ in
                for await _ in release { break }
                return .json(GatewayFixture.completion("never"))
            }
        ) { gateway, upstream in
            let running = try await RawConnection.open(gateway.port)
            try await running.send(Self.modelCall())
            try await upstream.waitForRequests(1)
            await gateway.stop()
            try await running.waitForEnd()
            #expect(running.received.isEmpty)
            letGo.finish()
        }
    }
}
