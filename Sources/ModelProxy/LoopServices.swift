// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging
import NIOCore
import TraceStore

/// What the calls of one event loop share: connections to upstreams, a coarse clock, and the way back from the ledger.
final class LoopServices {
    let loop: any EventLoop
    let configuration: ProxyConfiguration
    /// Whether a caller's `Authorization` goes on to an upstream without a key of its own.
    let forwardsAuthorization: Bool
    let ledger: TraceLedger
    let logger: Logger
    let metrics: ProxyMetrics
    let outcomes: OutcomeMailbox
    var addresses: CallAddresses
    let callsInFlight: CallsInFlight
    let incomingBytes: IncomingBytes
    private let tls: TLSContext
    private var pools: [UpstreamOrigin: UpstreamPool] = [:]
    /// The handlers that have a deadline.
    private var timed: [ObjectIdentifier: ModelCallHandler] = [:]
    private var ticks = false
    private var isShutDown = false
    /// As they were at the last tick.
    private var waitingCalls = 0
    private var requestIDs = RequestIDs()

    /// How exact the deadlines are.
    private static let tick = TimeAmount.milliseconds(100)

    init(
        loop: any EventLoop, configuration: ProxyConfiguration, ledger: TraceLedger, tls: TLSContext, logger: Logger,
        metrics: ProxyMetrics, callsInFlight: CallsInFlight, incomingBytes: IncomingBytes
    ) {
        self.loop = loop
        self.configuration = configuration
        forwardsAuthorization = configuration.keys.isOpen || configuration.forwardsAuthorization
        self.ledger = ledger
        self.tls = tls
        self.logger = logger
        self.metrics = metrics
        self.callsInFlight = callsInFlight
        self.incomingBytes = incomingBytes
        outcomes = OutcomeMailbox(loop: loop)
        addresses = CallAddresses(configuration)
    }

    func nextRequestID() -> String { requestIDs.next() }

    func pool(for origin: UpstreamOrigin) -> UpstreamPool {
        startTicking()
        if let pool = pools[origin] { return pool }
        let pool = UpstreamPool(origin: origin, loop: loop, configuration: configuration, tls: tls)
        if isShutDown { pool.shutDown() }
        pools[origin] = pool
        return pool
    }

    /// Asks the handler about its deadlines ten times a second until ``stopTiming(_:)``.
    func startTiming(_ handler: ModelCallHandler) {
        timed[ObjectIdentifier(handler)] = handler
        startTicking()
    }

    func stopTiming(_ handler: ModelCallHandler) { timed[ObjectIdentifier(handler)] = nil }

    func shutDown() {
        isShutDown = true
        for pool in pools.values { pool.shutDown() }
    }

    private func startTicking() {
        guard !ticks else { return }
        ticks = true
        scheduleTick()
    }

    private func scheduleTick() {
        let bound = NIOLoopBound(self, eventLoop: loop)
        let due = NIODeadline.now() + Self.tick
        loop.scheduleTask(deadline: due) { bound.value.onTick(due: due) }
    }

    private func onTick(due: NIODeadline) {
        let now = NIODeadline.now()
        metrics.lagged((now - due).nanoseconds)
        for handler in Array(timed.values) { handler.checkTime(now) }
        var waiting = 0
        for (origin, pool) in pools {
            pool.expire(now: now)
            waiting += pool.waitingCount
            if pool.isEmpty { pools[origin] = nil }
        }
        metrics.waitingChanged(by: waiting - waitingCalls)
        waitingCalls = waiting
        ticks = !timed.isEmpty || !pools.isEmpty
        if ticks { scheduleTick() }
    }
}

@available(*, unavailable)
extension LoopServices: Sendable {}

/// Ids that no other answer carries: 64 bits, each once from a random start on.
private struct RequestIDs {
    private var state = UInt64.random(in: .min ... .max)

    mutating func next() -> String {
        state &+= 0x9E37_79B9_7F4A_7C15
        return String(unsafeUninitializedCapacity: 20) { bytes in
            for (index, byte) in "req_".utf8.enumerated() { bytes[index] = byte }
            for index in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: state >> (60 - 4 * UInt64(index))) & 0xF
                bytes[4 + index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            }
            return 20
        }
    }
}
