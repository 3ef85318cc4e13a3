// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import NIOSSL

/// The connections of one event loop to one upstream: carries out what ``UpstreamPoolStateMachine`` decides.
final class UpstreamPool {
    typealias Ticket = Int

    private let origin: UpstreamOrigin
    private let loop: any EventLoop
    private let timeout: TimeAmount
    private let tls: TLSContext
    private var machine: UpstreamPoolStateMachine<UpstreamConnection, Ticket>
    private var waiters: [Ticket: ModelCallHandler] = [:]
    private var lastTicket = 0

    init(origin: UpstreamOrigin, loop: any EventLoop, configuration: ProxyConfiguration, tls: TLSContext) {
        self.origin = origin
        self.loop = loop
        self.timeout = configuration.timeouts.connect
        self.tls = tls
        machine = UpstreamPoolStateMachine(limits: configuration.pool)
    }

    /// Whether it can be forgotten.
    var isEmpty: Bool { machine.isEmpty }

    /// Calls that wait for a connection.
    var waitingCount: Int { machine.waiterCount }

    /// Gets `call` a connection, now or later, or tells it why not.
    ///
    /// - Returns: what ``cancel(_:)`` takes while it waits.
    func lease(for call: ModelCallHandler, fresh: Bool) -> Ticket {
        lastTicket += 1
        let ticket = lastTicket
        waiters[ticket] = call
        switch machine.lease(ticket, fresh: fresh, now: .now()) {
        case .use(let connection): serve(ticket, connection)
        case .connect: connect(for: ticket)
        case .wait: break
        case .refuse:
            waiters[ticket] = nil
            call.upstreamUnavailable(.noConnection(to: origin))
        }
        return ticket
    }

    func cancel(_ ticket: Ticket) {
        waiters[ticket] = nil
        machine.cancel(ticket)
    }

    func release(_ connection: UpstreamConnection) {
        perform(machine.release(connection, isReusable: true, now: .now()))
    }

    func closed(_ connection: UpstreamConnection) { perform(machine.closed(connection)) }

    /// Closes what has idled too long.
    func expire(now: NIODeadline) {
        for connection in machine.expire(now: now) { connection.discard() }
    }

    func shutDown() {
        for connection in machine.shutDown() { connection.discard() }
    }

    private func perform(_ next: UpstreamPoolStateMachine<UpstreamConnection, Ticket>.Next) {
        switch next {
        case .none: break
        case .lease(let connection, let ticket): serve(ticket, connection)
        case .connect(let ticket): connect(for: ticket)
        case .close(let connection):
            connection.discard()
            perform(machine.afterClose())
        }
    }

    private func serve(_ ticket: Ticket, _ connection: UpstreamConnection) {
        guard let call = waiters.removeValue(forKey: ticket) else {
            perform(machine.release(connection, isReusable: true, now: .now()))
            return
        }
        call.upstreamReady(connection)
    }

    // MARK: Opening

    private func connect(for ticket: Ticket) {
        let handshake = origin.isSecure ? loop.makePromise(of: Void.self) : nil
        let sslHandler: NIOSSLClientHandler?
        do {
            sslHandler = origin.isSecure ? try tls.makeHandler(host: origin.host) : nil
        } catch {
            handshake?.fail(error)
            // Not from within the lease that asked.
            let bound = NIOLoopBound(self, eventLoop: loop)
            loop.execute { bound.value.failed(ticket, error) }
            return
        }
        let connection = UpstreamConnection(pool: self, handshake: handshake)
        let handlers = NIOLoopBound((connection, sslHandler), eventLoop: loop)
        let opened = ClientBootstrap(group: loop)
            .connectTimeout(timeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.writeBufferWaterMark, value: UpstreamConnection.writeBufferWaterMark)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let (connection, sslHandler) = handlers.value
                    if let sslHandler { try channel.pipeline.syncOperations.addHandler(sslHandler) }
                    try channel.pipeline.syncOperations.addHandler(connection)
                }
            }
            .connect(host: origin.host, port: origin.port)
        let timeout = timeout
        opened.flatMap { channel -> EventLoopFuture<Void> in
            guard let handshake else { return channel.eventLoop.makeSucceededVoidFuture() }
            let deadline = channel.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
            handshake.futureResult.whenComplete { _ in deadline.cancel() }
            return handshake.futureResult
        }.assumeIsolated().whenComplete { [self] result in
            switch result {
            case .success:
                connection.join()
                perform(machine.connected(connection, for: ticket, now: .now()))
            case .failure(let error):
                handshake?.fail(error)
                connection.discard()
                failed(ticket, error)
            }
        }
    }

    private func failed(_ ticket: Ticket, _ error: any Error) {
        let (tells, next) = machine.connectFailed(for: ticket)
        if tells { waiters.removeValue(forKey: ticket)?.upstreamUnavailable(.unreachable(origin, error)) }
        perform(next)
    }
}

@available(*, unavailable)
extension UpstreamPool: Sendable {}
