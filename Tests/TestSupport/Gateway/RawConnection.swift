// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Synchronization

/// A client's side of a TCP connection, with every byte in the test's own hands.
package final class RawConnection: Sendable {

    private let channel: any Channel
    private let inbox: Inbox

    private init(_ channel: any Channel, _ inbox: Inbox) {
        self.channel = channel
        self.inbox = inbox
    }

    package static func open(
        _ port: Int, host: String = "127.0.0.1", autoRead: Bool = true
    ) async throws -> RawConnection {
        let inbox = Inbox()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.autoRead, value: autoRead)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(InboxHandler(inbox))
                }
            }
            .connect(host: host, port: port).get()
        return RawConnection(channel, inbox)
    }

    package func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    package func send(_ bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)) }

    /// Closes the sending side alone.
    package func closeOutput() async throws { try await channel.close(mode: .output) }

    package func close() async { try? await channel.close() }

    /// Everything received and not yet taken.
    package var received: [UInt8] { inbox.state.withLock { $0.bytes } }

    package var text: String { String(decoding: received, as: UTF8.self) }

    /// The end of it, where the whole is large.
    package var tail: String { inbox.state.withLock { String(decoding: $0.bytes.suffix(4096), as: UTF8.self) } }

    package var isEnded: Bool { inbox.state.withLock { $0.isEnded } }

    package func waitForEnd() async throws { try await eventually("end of the connection") { isEnded } }

    /// Takes the next whole answer; a connection that ends before is an error at once.
    package func response(toHead: Bool = false) async throws -> RawResponse {
        var response: RawResponse?
        try await eventually("whole answer") {
            // The end is looked at together with the bytes, or an answer could come whole between the two.
            inbox.state.withLock { state in
                guard
                    let (parsed, length) = RawResponse.parse(
                        state.bytes, isEnded: state.isEnded, withoutBody: toHead)
                else { return state.isEnded }
                state.bytes.removeFirst(length)
                response = parsed
                return true
            }
        }
        guard let response else {
            throw NeverHappened(description: "The connection ended without an answer.")
        }
        return response
    }

    /// The chunks of the answer that is under way, joined, as far as they have come.
    package var chunkedText: String { RawResponse.partialChunks(received) }
}

private final class Inbox: Sendable {
    let state = Mutex<(bytes: [UInt8], isEnded: Bool)>(([], false))
}

private final class InboxHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let inbox: Inbox

    init(_ inbox: Inbox) { self.inbox = inbox }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data).readableBytesView
        inbox.state.withLock { $0.bytes.append(contentsOf: bytes) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event { inbox.state.withLock { $0.isEnded = true } }
    }

    func channelInactive(context: ChannelHandlerContext) { inbox.state.withLock { $0.isEnded = true } }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
