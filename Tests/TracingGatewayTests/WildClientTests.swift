// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ModelProxy
import NIOCore
import NIOHTTP1
import TestSupport
import Testing
import TracingGateway
import WireJSON

/// What clients send that is unusual and right: understood, on model routes and on the router's.
@Suite("TracingGateway: clients as they are") struct WildClientTests {
    private static let call = LimitedGateway.call
    private static let line = #"{"tags":["rollout_id:r"],"message":"m"}"#
    private static let routes = [(LimitedGateway.path("r"), call), ("/logs", line)]

    private static func with(
        configure: @escaping @Sendable (inout GatewayConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (GatewayFixture, ScriptedHTTPServer) async throws -> Void
    ) async throws {
        try await ScriptedHTTPServer.with({ _ in .json(GatewayFixture.completion("hello")) }) { upstream in
            try await GatewayFixture.with(upstream: upstream.url, configure: configure) { gateway in
                try await body(gateway, upstream)
            }
        }
    }

    private static func chunk(_ text: String, _ more: String = "") -> String {
        String(text.utf8.count, radix: 16) + more + "\r\n\(text)\r\n"
    }

    private static func head(_ path: String, _ fields: String, version: String = "1.1") -> String {
        "POST \(path) HTTP/\(version)\r\nhost: x\r\n\(fields)\r\n"
    }

    private static func fixed(_ path: String, _ body: String, _ fields: String = "", version: String = "1.1") -> String
    {
        head(path, "content-length: \(body.utf8.count)\r\n\(fields)", version: version) + body
    }

    @Test("bodies with a length and in chunks, in all their forms, reach the upstream as they are") func bodies()
        async throws
    {
        try await Self.with { gateway, upstream in
            for (path, body) in Self.routes {
                let half = body.index(body.startIndex, offsetBy: 9)
                let (first, rest) = (String(body[..<half]), String(body[half...]))
                let chunked = "transfer-encoding: chunked\r\n"
                let requests = [
                    Self.fixed(path, body), "\r\n\r\n" + Self.fixed(path, body),
                    Self.head(path, "content-length: 000\(body.utf8.count)\r\n") + body,
                    Self.head(path, "Content-Length:\(body.utf8.count)\r\n") + body,
                    Self.head(path, chunked) + Self.chunk(body) + "0\r\n\r\n",
                    Self.head(path, "Transfer-Encoding:\t chunked\r\n") + Self.chunk(body) + "0\r\n\r\n",
                    Self.head(path, chunked) + Self.chunk(first) + Self.chunk(rest) + "000\r\n\r\n",
                    Self.head(path, chunked) + Self.chunk(first, ";a=b;c=\"d\"") + Self.chunk(rest, ";e")
                        + "0;f\r\n\r\n",
                    Self.head(path, chunked) + Self.chunk(body) + "0\r\nx-sum: 1\r\nx-more: 2\r\n\r\n",
                    Self.head(path, chunked + "x-empty:\r\nx-high: \u{E9}\r\n") + Self.chunk(body) + "0\r\n\r\n",
                ]
                // All on one connection, one behind the other, then each byte for itself.
                let connection = try await RawConnection.open(gateway.port)
                try await connection.send(requests.joined().unicodeScalars.map { UInt8($0.value) })
                for request in requests { #expect(try await connection.response().status == 200, "\(request)") }
                for byte in Array(requests[6].utf8) { try await connection.send([byte]) }
                #expect(try await connection.response().status == 200)
                #expect(connection.received.isEmpty && !connection.isEnded)
                await connection.close()
            }
            #expect(upstream.requests.map(\.text) == Array(repeating: Self.call, count: 11))
            #expect(upstream.requests.allSatisfy { $0.headers["content-length"] == ["\(Self.call.utf8.count)"] })
            #expect(upstream.requests.allSatisfy { $0.headers["transfer-encoding"].isEmpty })
        }
    }

    @Test("a request that asks for another protocol is answered in this one, and the connection ends") func upgrade()
        async throws
    {
        try await Self.with { gateway, upstream in
            let fields = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"
            for (path, body) in Self.routes {
                let connection = try await RawConnection.open(gateway.port)
                try await connection.send(Self.fixed(path, body, fields))
                let response = try await connection.response()
                #expect(response.status == 200 && response.header("connection") == "close")
                try await connection.waitForEnd()
            }
            #expect(upstream.requests.count == 1 && upstream.requests[0].headers["upgrade"].isEmpty)
        }
    }

    @Test(
        "Connection: close in any letters, alone or among others, ends it",
        arguments: ["close", "Close", "CLOSE", "te, Close", "keep-alive, close"])
    func close(words: String) async throws {
        try await Self.with { gateway, upstream in
            for (path, body) in Self.routes {
                let connection = try await RawConnection.open(gateway.port)
                try await connection.send(
                    Self.fixed(path, body, "connection: \(words)\r\n") + Self.fixed(LimitedGateway.path("r"), Self.call)
                )
                let response = try await connection.response()
                #expect(response.status == 200 && response.header("connection") == "close")
                try await connection.waitForEnd()
                #expect(connection.received.isEmpty)
            }
            #expect(upstream.requests.count == 1)
        }
    }

    @Test("HTTP/1.0 ends after an answer, and goes on where it asks for that") func oldVersion() async throws {
        try await Self.with { gateway, _ in
            for (path, body) in Self.routes {
                let connection = try await RawConnection.open(gateway.port)
                let kept = Self.fixed(path, body, "connection: Keep-Alive\r\n", version: "1.0")
                for request in [kept, kept, Self.fixed(path, body, version: "1.0")] {
                    try await connection.send(request)
                    let response = try await connection.response()
                    #expect(response.status == 200 && response.version == "HTTP/1.0")
                    #expect(response.header("transfer-encoding") == nil && response.header("content-length") != nil)
                    #expect(response.header("connection") == (request == kept ? "keep-alive" : "close"))
                }
                try await connection.waitForEnd()
                // It knows no interim answers.
                let expecting = try await RawConnection.open(gateway.port)
                try await expecting.send(Self.fixed(path, body, "expect: 100-continue\r\n", version: "1.0"))
                #expect(try await expecting.response().status == 200)
                try await expecting.waitForEnd()
            }
        }
    }

    @Test("Expect: leave is given where the body is wanted, and no leave where the head is refused") func expect()
        async throws
    {
        try await Self.with(configure: { $0.proxy.maximumBodyBytes = 4096 }) { gateway, _ in
            for (path, body) in Self.routes {
                let connection = try await RawConnection.open(gateway.port)
                for _ in 0..<2 {
                    try await connection.send(
                        Self.head(path, "Expect: 100-Continue\r\ntransfer-encoding: chunked\r\n"))
                    #expect(try await connection.response().status == 100)
                    try await connection.send(Self.chunk(body) + "0\r\n\r\n")
                    #expect(try await connection.response().status == 200)
                }
                await connection.close()
            }
            for (path, length, status) in [
                (LimitedGateway.path("r"), 5000, 413), ("/v1/responses", 10, 404), ("/v1/models", 10, 405),
            ] {
                let connection = try await RawConnection.open(gateway.port)
                try await connection.send(Self.head(path, "expect: 100-continue\r\ncontent-length: \(length)\r\n"))
                let response = try await connection.response()
                #expect(response.status == status && response.header("connection") == "close", "\(path)")
                try await connection.waitForEnd()
                #expect(connection.received.isEmpty)
            }
        }
    }

    @Test("a client that has ended its side still gets what it asked for, chunked or not") func halfClose() async throws
    {
        try await Self.with { gateway, upstream in
            for (path, body) in Self.routes {
                for request in [
                    Self.fixed(path, body, "connection: close\r\n"),
                    Self.head(path, "transfer-encoding: chunked\r\nconnection: close\r\n") + Self.chunk(body)
                        + "0\r\n\r\n",
                ] {
                    let connection = try await RawConnection.open(gateway.port)
                    try await connection.send(request)
                    try await connection.closeOutput()
                    let response = try await connection.response()
                    #expect(response.status == 200 && response.header("connection") == "close")
                    try await connection.waitForEnd()
                }
                // Half a body is nobody's request.
                let half = try await RawConnection.open(gateway.port)
                try await half.send(String(Self.fixed(path, body).dropLast(3)))
                try await half.closeOutput()
                try await half.waitForEnd()
                #expect(half.received.isEmpty || half.text.hasPrefix("HTTP/1.1 400"))
            }
            #expect(upstream.requests.count == 2)
        }
    }

    @Test("a body that its refusal does not wait for is dropped, and the refusal arrives") func earlyRefusal()
        async throws
    {
        try await Self.with(configure: {
            $0.proxy.maximumBodyBytes = 4096
            $0.routes.logBodyBytes = 4096
        }) { gateway, upstream in
            let large = String(repeating: "x", count: 4 << 20)
            for path in [LimitedGateway.path("r"), "/logs"] {
                for request in [
                    Self.fixed(path, large), Self.head(path, "transfer-encoding: chunked\r\n") + Self.chunk(large),
                ] {
                    let connection = try await RawConnection.open(gateway.port)
                    try? await connection.send(request)
                    let response = try await connection.response()
                    #expect(response.status == 413 && response.header("connection") == "close")
                    try await connection.waitForEnd()
                }
            }
            #expect(upstream.requests.isEmpty)
        }
    }
}
