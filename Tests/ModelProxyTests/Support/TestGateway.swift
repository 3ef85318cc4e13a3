// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging
import ModelProxy
import NIOCore
import NIOHTTP1
import NIOPosix
import TestSupport
import TraceStore

/// A bare server around ``ModelProxy``'s handlers, with a router behind it that answers everything with 418.
struct TestGateway: Sendable {
    let port: Int
    let store: RecordingStore
    let ledger: TraceLedger

    static func with(
        upstream: String?, allowed: [String] = [], upstreamKey: String? = nil,
        configure: @Sendable (inout ProxyConfiguration) throws -> Void = { _ in },
        run body: @Sendable (TestGateway) async throws -> Void
    ) async throws {
        var configuration = ProxyConfiguration(
            upstreams: try UpstreamRules(
                upstream: upstream, upstreamKey: upstreamKey, allowed: allowed,
                environment: ["OTHER_KEY": "other-secret"]))
        try configure(&configuration)
        let store = RecordingStore()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let ledger = TraceLedger(store: store, logger: logger)
        let group = MultiThreadedEventLoopGroup.singleton
        let proxy = ModelProxy(configuration, ledger: ledger, group: group, logger: logger)
        let listener = try await ServerBootstrap(group: group)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try proxy.addHandler(to: channel, limits: ConnectionLimits())
                    try channel.pipeline.syncOperations.addHandler(Teapot())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let gateway = TestGateway(port: listener.localAddress?.port ?? 0, store: store, ledger: ledger)
        do {
            try await body(gateway)
        } catch {
            store.release()
            try? await listener.close().get()
            await ledger.finish()
            throw error
        }
        store.release()
        try await listener.close().get()
        await proxy.shutdown()
        await ledger.finish()
    }

    /// The router.
    private final class Teapot: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .end = Self.unwrapInboundIn(data) else { return }
            let head = HTTPResponseHead(version: .http1_1, status: .imATeapot, headers: ["content-length": "6"])
            context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
            context.write(Self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "router")))), promise: nil)
            context.writeAndFlush(Self.wrapOutboundOut(.end(nil)), promise: nil)
        }
    }

    // MARK: Requests

    static let tags = "/rollout_id/R/invocation_id/I/experiment_id/E/run_id/N/row_id/W"

    /// Sends one request, and reads until the gateway closes the connection.
    func exchange(
        _ method: String = "POST", _ path: String = "\(tags)/chat/completions", headers: [String] = [],
        body: String = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#
    ) async throws -> Answer {
        let client = try await RawConnection.connect(port: port)
        try await client.send(Self.request(method, path, headers: headers + ["connection: close"], body: body))
        try await client.waitForEnd()
        try? await client.close()
        return try Answer(client.bytes)
    }

    static func request(
        _ method: String = "POST", _ path: String = "\(tags)/chat/completions", headers: [String] = [],
        body: String = #"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#, version: String = "1.1"
    ) -> String {
        var lines = ["\(method) \(path) HTTP/\(version)", "host: localhost"] + headers
        if method == "POST" { lines.append("content-length: \(body.utf8.count)") }
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + (method == "POST" ? body : "")
    }

    static let streaming = #"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#
}

/// An answer taken apart.
struct Answer {
    var status: Int
    var headers: [(name: String, value: String)]
    var body: [UInt8]
    /// Whether its end was there: a last chunk, or as many bytes as were announced.
    var isWhole: Bool

    struct Malformed: Error {
        var text: String
    }

    init(_ bytes: [UInt8]) throws {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
            throw Malformed(text: String(decoding: bytes, as: UTF8.self))
        }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components("\r\n")
        status = Int(lines[0].split(separator: " ")[1]) ?? 0
        headers = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
            return (parts[0].lowercased(), String((parts.count > 1 ? parts[1] : "").drop { $0 == " " }))
        }
        body = Array(bytes[end.upperBound...])
        isWhole = true
        if let length = self["content-length"].flatMap({ Int($0) }) { isWhole = body.count == length }
        if self["transfer-encoding"] == "chunked" { (body, isWhole) = Self.unchunked(body) }
    }

    subscript(name: String) -> String? { headers.first { $0.name == name }?.value }
    var text: String { String(decoding: body, as: UTF8.self) }

    private static func unchunked(_ bytes: [UInt8]) -> ([UInt8], Bool) {
        var rest = bytes[...]
        var body: [UInt8] = []
        while let line = rest.firstRange(of: Array("\r\n".utf8)) {
            let size = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16) ?? 0
            if size == 0 { return (body, true) }
            let start = line.upperBound
            guard start + size + 2 <= rest.endIndex else { return (body + rest[start...], false) }
            body += rest[start..<start + size]
            rest = rest[(start + size + 2)...]
        }
        return (body, false)
    }
}

extension String {
    fileprivate func components(_ separator: String) -> [String] {
        split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }
}

/// Bytes of answers that upstreams give.
enum Script {
    static let completion =
        #"{"id":"c1","object":"chat.completion","model":"m-1","system_fingerprint":"fp","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5},"x_unknown":{"b":1,"a":[1.50]}}"#

    static func answer(_ body: String = completion, status: String = "200 OK", headers: [String] = []) -> String {
        (["HTTP/1.1 \(status)", "content-type: application/json", "content-length: \(body.utf8.count)"] + headers)
            .joined(separator: "\r\n") + "\r\n\r\n" + body
    }

    static let streamHead = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

    static func chunk(_ text: String) -> String { String(text.utf8.count, radix: 16) + "\r\n" + text + "\r\n" }

    static func event(_ content: String, finish: String? = nil, index: Int = 0) -> String {
        let reason = finish.map { "\"\($0)\"" } ?? "null"
        return
            "data: {\"id\":\"c1\",\"model\":\"m-1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":\(index),"
            + "\"delta\":{\"content\":\"\(content)\"},\"finish_reason\":\(reason)}]}\n\n"
    }

    static let done = "data: [DONE]\n\n"
    static let end = "0\r\n\r\n"
}
