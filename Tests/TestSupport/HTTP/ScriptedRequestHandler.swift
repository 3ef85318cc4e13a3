// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// Collects the requests of one connection and writes their answers; a client that goes cancels its answer.
final class ScriptedRequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let record: RequestRecord
    private let answer: ScriptedHTTPServer.Answer
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    private var task: Task<Void, Never>?

    init(record: RequestRecord, answer: @escaping ScriptedHTTPServer.Answer) {
        self.record = record
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = []
        case .body(let buffer):
            body.append(contentsOf: buffer.readableBytesView)
        case .end:
            guard let head else { return }
            self.head = nil
            let request = ScriptedHTTPServer.Request(
                method: head.method.rawValue, uri: head.uri, headers: head.headers, body: body)
            record.append(request)
            let channel = context.channel
            let answer = answer
            let keepAlive = head.isKeepAlive
            task = Task {
                let response = await answer(request)
                try? await ResponseWriter.write(response, version: head.version, keepAlive: keepAlive, to: channel)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        task?.cancel()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Writes answers to connections.
private enum ResponseWriter {
    static func write(
        _ response: ScriptedHTTPServer.Response, version: HTTPVersion, keepAlive: Bool, to channel: any Channel
    ) async throws {
        var head = HTTPResponseHead(
            version: version, status: HTTPResponseStatus(statusCode: response.status), headers: response.headers)
        if !keepAlive { head.headers.replaceOrAdd(name: "connection", value: "close") }
        var cut = false
        switch response.body {
        case .drop:
            try await channel.close().get()
            return
        case .bytes(let bytes):
            head.headers.replaceOrAdd(name: "content-length", value: "\(bytes.count)")
            channel.write(HTTPServerResponsePart.head(head), promise: nil)
            channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: bytes))), promise: nil)
        case .stream(let stream), .cutStream(let stream):
            if case .cutStream = response.body { cut = true }
            try await channel.writeAndFlush(HTTPServerResponsePart.head(head)).get()
            for await bytes in stream {
                try await channel.writeAndFlush(
                    HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: bytes)))
                ).get()
            }
        }
        if cut {
            try await channel.close().get()
            return
        }
        try await channel.writeAndFlush(HTTPServerResponsePart.end(nil)).get()
        if !keepAlive { try await channel.close().get() }
    }
}
