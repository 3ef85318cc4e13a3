// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Answers: those of the handlers above, part by part, those of model calls, and the connection's own.
extension ClientConnection {
    // MARK: From above

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if isClosing {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(let head): write(head)
        case .body(.byteBuffer(let bytes)): write(bytes)
        case .body(.fileRegion):
            promise?.fail(ChannelError.operationUnsupported)
            return
        case .end: return end(promise)
        }
        // It has been written when all that is before it has.
        if promise != nil { context.write(wrapOutboundOut(takeOutgoing()), promise: promise) }
    }

    func flush(context: ChannelHandlerContext) { flush() }

    // MARK: From model calls and from above

    /// Begins an answer; one whose length its head does not tell goes out in chunks.
    func write(_ head: HTTPResponseHead) {
        guard head.status.code >= 200 else {
            var text = HeadText(capacity: 64)
            appendStatusLine(Int(head.status.code), head.status.reasonPhrase, to: &text)
            text.append("\r\n")
            add(text.bytes)
            return
        }
        var text = HeadText(capacity: 512)
        appendStatusLine(Int(head.status.code), head.status.reasonPhrase, to: &text)
        var hasLength = head.status.code == 204 || head.status.code == 304
        for (name, value) in head.headers {
            switch name.lowercased() {
            case "connection":
                if value.lowercased() == "close" { keepsAlive = false }
                continue
            case "transfer-encoding": continue
            case "content-length":
                if head.status.code == 204 { continue }
                hasLength = true
            default: break
            }
            text.append(text: name)
            text.append(": ")
            text.append(text: value)
            text.append("\r\n")
        }
        begin(&text, hasLength: hasLength)
    }

    /// Begins a model call's answer with what the upstream said.
    func write(_ head: ResponseHead, length: RequestEdits.AnswerLength, requestID: String) {
        var text = HeadText(capacity: head.headers.bytes.count + 128)
        appendStatusLine(head.status, head.reason, to: &text)
        RequestEdits.writeFields(of: head, length: length, requestID: requestID, to: &text)
        let hasLength = if case .unknown = length { false } else { true }
        begin(&text, hasLength: hasLength)
    }

    private func appendStatusLine(_ status: Int, _ reason: String, to text: inout HeadText) {
        text.append(isHTTP10 ? "HTTP/1.0 " : "HTTP/1.1 ")
        text.append(text: String(status))
        text.append(" ")
        text.append(text: reason)
        text.append("\r\n")
    }

    private func begin(_ text: inout HeadText, hasLength: Bool) {
        answer = .begun
        isChunked = !hasLength && !isHTTP10 && !isHEAD
        if isChunked { text.append("transfer-encoding: chunked\r\n") }
        // Only the connection's end ends it then.
        if !hasLength, isHTTP10 { keepsAlive = false }
        if !keepsAlive {
            text.append("connection: close\r\n")
        } else if isHTTP10 {
            text.append("connection: keep-alive\r\n")
        }
        text.append("\r\n")
        add(text.bytes)
    }

    /// A piece of the answer's body.
    func write(_ bytes: ByteBuffer) {
        guard !isHEAD, bytes.readableBytes > 0 else { return }
        if isChunked { add(Array((String(bytes.readableBytes, radix: 16) + "\r\n").utf8)) }
        if bytes.readableBytes <= Self.copiedBytes {
            add(bytes.readableBytesView)
        } else {
            passOutgoing()
            context?.write(wrapOutboundOut(bytes), promise: nil)
        }
        if isChunked { add("\r\n".utf8) }
    }

    /// Ends the answer, and the connection with it where it does not go on.
    func end(_ promise: EventLoopPromise<Void>? = nil) {
        if isChunked { add("0\r\n\r\n".utf8) }
        guard keepsAlive else { return closeAfterOutgoing(promise) }
        if promise != nil { context?.write(wrapOutboundOut(takeOutgoing()), promise: promise) }
        // The state comes first: the next request may be answered before this returns.
        answer = .none
        isChunked = false
        isHTTP10 = false
        isHEAD = false
        goOn()
    }

    /// Gives what is written to the channel, and the channel's to the socket.
    func flush() {
        passOutgoing()
        context?.flush()
    }

    private func add(_ bytes: some Collection<UInt8>) {
        if outgoing == nil { outgoing = ByteBufferAllocator().buffer(capacity: bytes.count + Self.roomForBody) }
        outgoing?.writeBytes(bytes)
        if (outgoing?.readableBytes ?? 0) > Self.heldBytes { passOutgoing() }
    }

    private func takeOutgoing() -> ByteBuffer { outgoing.take() ?? ByteBuffer() }

    private func passOutgoing() {
        if let bytes = outgoing.take() { context?.write(wrapOutboundOut(bytes), promise: nil) }
    }

    /// Pieces of up to this size are copied behind what goes out before them; larger ones are written by themselves.
    private static let copiedBytes = 16 << 10
    private static let heldBytes = 64 << 10
    private static let roomForBody = 2 << 10

    var isWritable: Bool { context?.channel.isWritable ?? false }

    /// Answers a model call in the gateway's own name.
    func answer(_ problem: GatewayProblem, requestID: String) {
        services.metrics.answered(problem)
        write(problem.head(requestID: requestID))
        write(ByteBuffer(bytes: problem.body))
        end()
        flush()
    }

    /// Answers whatever has come, and ends the connection.
    func refuse(_ problem: GatewayProblem) {
        keepsAlive = false
        answer(problem, requestID: services.nextRequestID())
    }

    // MARK: The end

    func close() { context?.close(promise: nil) }

    /// Ends the connection so that nobody takes the answer for whole.
    func abort() {
        guard let context else { return }
        isClosing = true
        let bound = NIOLoopBound(context, eventLoop: loop)
        let isHTTP10 = isHTTP10
        let written = loop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(takeOutgoing()), promise: written)
        written.futureResult.whenComplete { _ in
            let context = bound.value
            // The end of the connection is a clean end in HTTP/1.0, a reset is not.
            if isHTTP10 {
                _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            }
            context.close(promise: nil)
        }
    }

    /// Writes what there is, closes the output, and reads until the client has closed too: a socket that is closed with
    /// bytes unread would reset the connection, and the client might never see the answer.
    private func closeAfterOutgoing(_ promise: EventLoopPromise<Void>?) {
        guard let context else { return }
        isClosing = true
        cancelDeadline()
        let bound = NIOLoopBound(context, eventLoop: loop)
        let time = limits.linger
        let loop = loop
        let written = promise ?? loop.makePromise(of: Void.self)
        context.write(wrapOutboundOut(takeOutgoing()), promise: written)
        written.futureResult.whenComplete { _ in
            bound.value.close(mode: .output, promise: nil)
            bound.value.read()
            loop.scheduleTask(in: time) { bound.value.close(promise: nil) }
        }
    }
}
