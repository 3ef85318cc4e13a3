// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import ModelProxy
import NIOCore
import Testing

@Suite("ModelProxy: which connection serves which call")
struct UpstreamPoolTests {
    typealias Machine = UpstreamPoolStateMachine<String, Int>

    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func machine(connections: Int = 2, waiters: Int = 2) -> Machine {
        var limits = UpstreamPoolLimits()
        limits.maximumConnections = connections
        limits.maximumWaiters = waiters
        return Machine(limits: limits)
    }

    @Test("a connection is opened, leased, kept, and the one used last is used first")
    func reuse() {
        var pool = machine()
        #expect(pool.lease(1, fresh: false, now: start) == .connect)
        #expect(pool.lease(2, fresh: false, now: start) == .connect)
        #expect(pool.connected("a", for: 1, now: start) == .lease("a", 1))
        #expect(pool.connected("b", for: 2, now: start) == .lease("b", 2))
        #expect(pool.release("a", isReusable: true, now: start) == .none)
        #expect(pool.release("b", isReusable: true, now: start) == .none)
        #expect(pool.lease(3, fresh: false, now: start) == .use("b"))
        #expect(pool.count == 2 && pool.idleCount == 1)
    }

    @Test("beyond the limit calls wait, and beyond that they are refused")
    func limits() {
        var pool = machine(connections: 1, waiters: 1)
        #expect(pool.lease(1, fresh: false, now: start) == .connect)
        #expect(pool.connected("a", for: 1, now: start) == .lease("a", 1))
        #expect(pool.lease(2, fresh: false, now: start) == .wait)
        #expect(pool.lease(3, fresh: false, now: start) == .refuse)
        #expect(pool.release("a", isReusable: true, now: start) == .lease("a", 2))
    }

    @Test("a connection that ends makes room for one that waits")
    func room() {
        var pool = machine(connections: 1)
        _ = pool.lease(1, fresh: false, now: start)
        _ = pool.connected("a", for: 1, now: start)
        #expect(pool.lease(2, fresh: false, now: start) == .wait)
        #expect(pool.closed("a") == .connect(2))
        #expect(pool.connected("b", for: 2, now: start) == .lease("b", 2))
    }

    @Test("a failed connection is told to the call it was opened for, and to no other")
    func failure() {
        var pool = machine(connections: 2)
        _ = pool.lease(1, fresh: false, now: start)
        _ = pool.lease(2, fresh: false, now: start)
        let first = pool.connectFailed(for: 1)
        #expect(first.tells && first.next == .none)
        pool.cancel(2)
        let second = pool.connectFailed(for: 2)
        #expect(!second.tells && second.next == .none)
        #expect(pool.isEmpty)
    }

    @Test("a connection whose call has gone serves the next, or idles")
    func orphan() {
        var pool = machine(connections: 1)
        _ = pool.lease(1, fresh: false, now: start)
        #expect(pool.lease(2, fresh: false, now: start) == .wait)
        pool.cancel(1)
        #expect(pool.connected("a", for: 1, now: start) == .lease("a", 2))
        #expect(pool.release("a", isReusable: true, now: start) == .none)
        #expect(pool.idleCount == 1)
    }

    @Test("a second try takes a fresh connection though another idles")
    func fresh() {
        var pool = machine(connections: 1)
        _ = pool.lease(1, fresh: false, now: start)
        _ = pool.connected("a", for: 1, now: start)
        _ = pool.release("a", isReusable: true, now: start)
        #expect(pool.lease(2, fresh: true, now: start) == .connect)
        #expect(pool.connected("b", for: 2, now: start) == .lease("b", 2))
    }

    @Test("what idles for four seconds is closed, oldest first")
    func expiry() {
        var pool = machine()
        _ = pool.lease(1, fresh: false, now: start)
        _ = pool.lease(2, fresh: false, now: start)
        _ = pool.connected("a", for: 1, now: start)
        _ = pool.connected("b", for: 2, now: start)
        _ = pool.release("a", isReusable: true, now: start)
        _ = pool.release("b", isReusable: true, now: start + .seconds(2))
        #expect(pool.expire(now: start + .milliseconds(3999)) == [])
        #expect(pool.expire(now: start + .seconds(4)) == ["a"])
        #expect(pool.expire(now: start + .seconds(6)) == ["b"])
        #expect(pool.isEmpty)
    }

    @Test("after the shutdown nothing idles")
    func shutdown() {
        var pool = machine()
        _ = pool.lease(1, fresh: false, now: start)
        _ = pool.lease(2, fresh: false, now: start)
        _ = pool.connected("a", for: 1, now: start)
        _ = pool.connected("b", for: 2, now: start)
        _ = pool.release("a", isReusable: true, now: start)
        #expect(pool.shutDown() == ["a"])
        #expect(pool.release("b", isReusable: true, now: start) == .close("b"))
        #expect(pool.isEmpty)
    }
}
