// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// One end of a TCP connection, byte for byte: what was received is kept.
final class RawConnection: Sendable {
    fileprivate struct State {
        var bytes: [UInt8] = []
        var hasEnded = false
        var inputClosed = false
    }

    let channel: any Channel
    private let state: SharedState

    fileprivate final class SharedState: Sendable {
        let value = Mutex(State())
    }

    private init(channel: any Channel, state: SharedState) {
        self.channel = channel
        self.state = state
    }

    /// Sets a channel up to be one end.
    static func adopt(_ channel: any Channel) throws -> RawConnection {
        let state = SharedState()
        try channel.pipeline.syncOperations.addHandler(Handler(state))
        return RawConnection(channel: channel, state: state)
    }

    static func connect(port: Int, reads: Bool = true) async throws -> RawConnection {
        try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.autoRead, value: reads)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture { try RawConnection.adopt(channel) }
            }
    }

    var bytes: [UInt8] { state.value.withLock { $0.bytes } }
    var text: String { String(decoding: bytes, as: UTF8.self) }
    var hasEnded: Bool { state.value.withLock { $0.hasEnded || $0.inputClosed } }

    func clear() { state.value.withLock { $0.bytes = [] } }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get() }

    func close() async throws { try await channel.close().get() }

    func shutDownOutput() async throws { try await channel.close(mode: .output).get() }

    func reset() async throws {
        if let provider = channel as? any SocketOptionProvider {
            try await provider.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        }
        try await channel.close().get()
    }

    func startReading() async throws { try await channel.setOption(.autoRead, value: true).get() }

    func waitFor(_ text: String, sourceLocation: String = #function) async throws {
        try await eventually("\(text.debugDescription) in what came: \(self.text.debugDescription.prefix(600))") {
            self.text.contains(text)
        }
    }

    func waitForEnd() async throws {
        try await eventually("end of the connection; came: \(text.prefix(600))") { self.hasEnded }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let state: SharedState
        init(_ state: SharedState) { self.state = state }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = Self.unwrapInboundIn(data)
            state.value.withLock { $0.bytes += buffer.readableBytesView }
        }
        func channelInactive(context: ChannelHandlerContext) { state.value.withLock { $0.hasEnded = true } }
        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if let event = event as? ChannelEvent, event == .inputClosed {
                state.value.withLock { $0.inputClosed = true }
            }
        }
        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            state.value.withLock { $0.hasEnded = true }
            context.close(promise: nil)
        }
    }
}

/// An upstream whose every byte a test writes itself.
final class RawUpstream: Sendable {
    let port: Int
    private let listener: any Channel
    private let accepted: Accepted

    private final class Accepted: Sendable {
        let connections = Mutex<[RawConnection]>([])
    }

    /// - Parameter prepare: adds handlers before the bytes are kept, such as TLS.
    static func start(prepare: @escaping @Sendable (any Channel) throws -> Void = { _ in }) async throws -> RawUpstream
    {
        let accepted = Accepted()
        let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try prepare(channel)
                    let connection = try RawConnection.adopt(channel)
                    accepted.connections.withLock { $0.append(connection) }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return RawUpstream(listener, accepted)
    }

    private init(_ listener: any Channel, _ accepted: Accepted) {
        self.listener = listener
        self.accepted = accepted
        port = listener.localAddress?.port ?? 0
    }

    var connections: [RawConnection] { accepted.connections.withLock { $0 } }

    /// The connection with this number, as soon as it is there and `text` has come over it.
    func connection(_ number: Int, with text: String = "") async throws -> RawConnection {
        try await eventually("upstream connection \(number) with \(text)") {
            self.connections.count > number && (text.isEmpty || self.connections[number].text.contains(text))
        }
        return connections[number]
    }

    func stop() async throws {
        try await listener.close().get()
        for connection in connections { try? await connection.close() }
    }
}
