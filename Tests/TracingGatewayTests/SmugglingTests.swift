// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing
import WireJSON

/// Requests that two readers could understand differently: refused, whatever route they are for, and nothing that stands
/// behind them is taken for a request.
@Suite("TracingGateway: requests that are refused as they stand") struct SmugglingTests {
    /// A request without its path, cut where that belongs. Each letter is a byte.
    struct Shape: Sendable {
        var name: String
        var before = "POST "
        var after: String
    }

    static let body = #"{"messages":[]}"#
    /// What no upstream may ever see.
    private static let hidden =
        "POST /chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 14\r\n\r\n{\"smuggled\":1}"
    private static let chunked = "f\r\n\(body)\r\n0\r\n\r\n"

    private static func head(
        _ name: String, _ fields: String, _ body: String = body, version: String = "1.1", host: String = "host: x\r\n"
    ) -> Shape { Shape(name: name, after: " HTTP/\(version)\r\n\(host)\(fields)\r\n\(body)") }

    private static func chunks(_ name: String, _ bytes: String) -> Shape {
        head(name, "transfer-encoding: chunked\r\n", bytes)
    }

    static let lengths: [Shape] = [
        head("a length and chunks", "content-length: 4\r\ntransfer-encoding: chunked\r\n", chunked),
        head("chunks and a length", "transfer-encoding: chunked\r\ncontent-length: 4\r\n", chunked),
        head("two lengths", "content-length: 15\r\ncontent-length: 3\r\n"),
        head("two equal lengths", "content-length: 15\r\ncontent-length: 15\r\n"),
        head("a list of lengths", "content-length: 15, 15\r\n"),
        head("a plus", "content-length: +15\r\n"), head("a minus", "content-length: -1\r\n"),
        head("hexadecimal", "content-length: 0xf\r\n"), head("no digits", "content-length: \r\n"),
        head("a space between digits", "content-length: 1 5\r\n"), head("an underscore", "content-length: 1_5\r\n"),
        head("more than 64 bits", "content-length: 18446744073709551631\r\n"),
        head("a space before the colon", "content-length : 15\r\n"),
    ]

    static let codings: [Shape] =
        [
            "transfer-encoding: chunked, identity", "transfer-encoding: identity, chunked",
            "transfer-encoding: identity",
            "transfer-encoding: gzip, chunked", "transfer-encoding: chunked, chunked", "transfer-encoding: xchunked",
            "transfer-encoding: chunked;q=1", "transfer-encoding: \"chunked\"", "transfer-encoding: ,chunked",
            "transfer-encoding: chunked,", "transfer-encoding: CHUNKED", "transfer-encoding: Chunked",
            "transfer-encoding: \u{B}chunked", "transfer-encoding: chunked\u{B}", "transfer-encoding: chun\u{0}ked",
            "transfer-encoding: ", "transfer-encoding : chunked", "transfer-encoding:\r\n chunked",
            "transfer-encoding: chunked\r\n , identity", "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
            "transfer-encoding: chunked\r\ntransfer-encoding: identity",
            "transfer-encoding: identity\r\ntransfer-encoding: chunked",
            "transfer-encoding: identity\r\ncontent-length: 15", "transfer-encoding: \r\ncontent-length: 15",
        ].map { head($0, $0 + "\r\n", $0.hasSuffix("15") ? body : chunked) } + [
            head("chunks in HTTP/1.0", "transfer-encoding: chunked\r\n", chunked, version: "1.0")
        ]

    static let chunkShapes: [Shape] = [
        chunks("a plus", "+f\r\n\(body)\r\n0\r\n\r\n"), chunks("a minus", "-f\r\n\(body)\r\n0\r\n\r\n"),
        chunks("0x", "0xf\r\n\(body)\r\n0\r\n\r\n"), chunks("no size", "\r\n\(body)\r\n0\r\n\r\n"),
        chunks("more than 64 bits", "1000000000000000f\r\n\(body)\r\n0\r\n\r\n"),
        chunks("a space before the size", " f\r\n\(body)\r\n0\r\n\r\n"),
        chunks("a space behind it", "f \r\n\(body)\r\n0\r\n\r\n"),
        chunks("a line feed behind it", "f\n\(body)\r\n0\r\n\r\n"),
        chunks("an extension with a line feed", "f;a\n\(body)\r\n0\r\n\r\n"),
        chunks("an extension with a carriage return", "f;a\rb\r\n\(body)\r\n0\r\n\r\n"),
        chunks("an extension with NUL", "f;a\u{0}b\r\n\(body)\r\n0\r\n\r\n"),
        chunks("a line feed behind the data", "f\r\n\(body)\n0\r\n\r\n"),
        chunks("nothing behind the data", "f\r\n\(body)0\r\n\r\n"),
        chunks("more data than announced", "f\r\n\(body)x\r\n0\r\n\r\n"),
        chunks("line feeds at the end", "f\r\n\(body)\r\n0\n\n"), chunks("one at the end", "f\r\n\(body)\r\n0\r\n\n"),
        chunks("a trailer with a length", "f\r\n\(body)\r\n0\r\ncontent-length: 5\r\n\r\n"),
        chunks("a trailer with a coding", "f\r\n\(body)\r\n0\r\ntransfer-encoding: chunked\r\n\r\n"),
        chunks("a folded trailer", "f\r\n\(body)\r\n0\r\nx: y\r\n z\r\n\r\n"),
    ]

    static let fields: [Shape] =
        [
            "x: a\n", "x: a\rb\r\n", "x: a\u{0}b\r\n", "x\u{0}: a\r\n", "x: a\u{1}b\r\n", "x: a\u{7F}b\r\n",
            "x\ty: a\r\n",
            "x y: a\r\n", "x\u{E9}: a\r\n", "x(y: a\r\n", "x{y: a\r\n", "x\"y: a\r\n", "x@y: a\r\n", "x/y: a\r\n",
            ": a\r\n",
            "xyz\r\n", "x : a\r\n", "x: a\r\n b\r\n",
        ].map { head("the field \($0.debugDescription)", $0 + "content-length: 15\r\n") } + [
            head("a folded first line", "content-length: 15\r\n", host: " x: y\r\nhost: x\r\n")
        ]

    static let hosts: [Shape] = [
        head("no host", "content-length: 15\r\n", host: ""),
        head("two hosts", "content-length: 15\r\n", host: "host: x\r\nhost: y\r\n"),
        head("two equal hosts", "content-length: 15\r\n", host: "host: x\r\nHost: x\r\n"),
        head("two hosts in HTTP/1.0", "content-length: 15\r\n", version: "1.0", host: "host: x\r\nhost: y\r\n"),
        head("an empty host", "content-length: 15\r\n", host: "host:\r\n"),
        head("a host with a space", "content-length: 15\r\n", host: "host: a b\r\n"),
        head("a host with a path", "content-length: 15\r\n", host: "host: a/b\r\n"),
        head("a host with a user", "content-length: 15\r\n", host: "host: u@a\r\n"),
    ]

    static let firstLines: [Shape] = [
        Shape(name: "an absolute target", before: "POST http://x", after: head("", "content-length: 15\r\n").after),
        Shape(
            name: "another host's target", before: "POST https://y:1", after: head("", "content-length: 15\r\n").after),
        Shape(name: "a relative target", before: "POST x", after: head("", "content-length: 15\r\n").after),
        Shape(name: "a target with a fragment", after: "#f" + head("", "content-length: 15\r\n").after),
        Shape(name: "a target with a control character", after: "?\u{1}" + head("", "content-length: 15\r\n").after),
        Shape(name: "a target with a high byte", after: "?\u{E9}" + head("", "content-length: 15\r\n").after),
        Shape(name: "a lower-case method", before: "post ", after: head("", "content-length: 15\r\n").after),
        Shape(name: "an unknown method", before: "SMUGGLE ", after: head("", "content-length: 15\r\n").after),
        Shape(name: "a tab behind the method", before: "POST\t", after: head("", "content-length: 15\r\n").after),
        Shape(name: "a space before the method", before: " POST ", after: head("", "content-length: 15\r\n").after),
        head("HTTP/1.2", "content-length: 15\r\n", version: "1.2"), head("HTTP/2.0", "", version: "2.0"),
        head("HTTP/0.9", "", version: "0.9"), head("HTTP/1.10", "content-length: 15\r\n", version: "1.10"),
        head("a space behind the version", "content-length: 15\r\n", version: "1.1 "),
        Shape(name: "no version", after: "\r\n"),
    ]

    @Test(
        "400 and an end, and what follows never reaches the upstream",
        arguments: [
            ("lengths", lengths), ("codings", codings), ("chunks", chunkShapes), ("fields", fields), ("hosts", hosts),
            ("first lines", firstLines),
        ])
    func refused(kind: String, shapes: [Shape]) async throws {
        try await ScriptedHTTPServer.with({ _ in .json(GatewayFixture.completion("hello")) }) { upstream in
            try await GatewayFixture.with(upstream: upstream.url) { gateway in
                for shape in shapes {
                    for path in [LimitedGateway.path("r"), "/chat/completions", "/logs", "/nowhere"] {
                        let connection = try await RawConnection.open(gateway.port)
                        let text = shape.before + path + shape.after + Self.hidden
                        try? await connection.send(text.unicodeScalars.map { UInt8($0.value) })
                        try await connection.waitForEnd()
                        let (kind, came) = ("\(kind): \(shape.name), \(path)", connection.text)
                        let response = try await connection.response()
                        #expect(response.status == 400, "\(kind): \(came)")
                        #expect(response.json["error"]?["code"]?.string == "invalid_http", "\(kind): \(came)")
                        #expect(response.header("connection") == "close", "\(kind)")
                        #expect(response.header("x-should-retry") == "false", "\(kind)")
                        #expect(connection.received.isEmpty, "\(kind): \(came)")
                        await connection.close()
                    }
                }
                #expect(upstream.requests.isEmpty)
                let good = try await gateway.post(LimitedGateway.path("r"), Self.body)
                #expect(good.status == 200 && upstream.requests.count == 1)
            }
        }
    }
}
