// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOCore

/// Which connection to one upstream serves which waiter. A value without I/O: every call tells what is to be done.
///
/// A connection that is opened belongs to the waiter it is opened for; when that one has been served meanwhile, it
/// serves the next or idles. The connection used last is used first, so that those which are not needed age.
package struct UpstreamPoolStateMachine<Connection: Hashable, Waiter: Hashable> {
    package enum Lease: Equatable {
        case use(Connection)
        case connect
        case wait
        case refuse
    }

    package enum Next: Equatable {
        case lease(Connection, Waiter)
        /// A waiter needs a connection, and there is room for one.
        case connect(Waiter)
        case close(Connection)
        case none
    }

    private struct Idle {
        var connection: Connection
        var since: NIODeadline
    }

    private struct Waiting {
        var waiter: Waiter
        /// Whether a connection is being opened for it.
        var isConnecting: Bool
        var wantsFresh: Bool
    }

    private let limits: UpstreamPoolLimits
    private var idle: [Idle] = []
    /// Connections that are open or being opened, idle ones included.
    package private(set) var count = 0
    private var waiting: [Waiting] = []
    private var isShutDown = false

    package init(limits: UpstreamPoolLimits) { self.limits = limits }

    package var idleCount: Int { idle.count }
    package var waiterCount: Int { waiting.count }
    /// Whether nothing would be lost if the pool were forgotten.
    package var isEmpty: Bool { count == 0 && waiting.isEmpty }

    /// - Parameter fresh: whether it must be a connection that has served nobody yet.
    package mutating func lease(_ waiter: Waiter, fresh: Bool, now: NIODeadline) -> Lease {
        if !fresh, let last = idle.popLast() { return .use(last.connection) }
        // Connections that idle are no use to one that takes a fresh one only, and do not bar it either.
        if count - idle.count < limits.maximumConnections {
            count += 1
            waiting.append(Waiting(waiter: waiter, isConnecting: true, wantsFresh: fresh))
            return .connect
        }
        guard waiting.count < limits.maximumWaiters else { return .refuse }
        waiting.append(Waiting(waiter: waiter, isConnecting: false, wantsFresh: fresh))
        return .wait
    }

    /// The waiter has gone; a connection that is being opened for it will serve another.
    package mutating func cancel(_ waiter: Waiter) { waiting.removeAll { $0.waiter == waiter } }

    /// The connection opened for `waiter` is there.
    package mutating func connected(_ connection: Connection, for waiter: Waiter, now: NIODeadline) -> Next {
        if let index = waiting.firstIndex(where: { $0.waiter == waiter }) {
            waiting.remove(at: index)
            return .lease(connection, waiter)
        }
        return offer(connection, now: now)
    }

    /// The connection for `waiter` could not be opened. True when it still waits and is to be told.
    package mutating func connectFailed(for waiter: Waiter) -> (tells: Bool, next: Next) {
        count -= 1
        guard let index = waiting.firstIndex(where: { $0.waiter == waiter }) else { return (false, connectForNext()) }
        waiting.remove(at: index)
        return (true, connectForNext())
    }

    /// A leased connection has done its work.
    package mutating func release(_ connection: Connection, isReusable: Bool, now: NIODeadline) -> Next {
        guard isReusable else { return closed(connection) }
        return offer(connection, now: now)
    }

    /// A connection, idle or leased, has ended or is being closed.
    package mutating func closed(_ connection: Connection) -> Next {
        idle.removeAll { $0.connection == connection }
        count -= 1
        return connectForNext()
    }

    /// The connections that have idled too long, which are no longer the pool's.
    package mutating func expire(now: NIODeadline) -> [Connection] {
        let kept = idle.firstIndex { $0.since + limits.idle > now } ?? idle.endIndex
        guard kept > 0 else { return [] }
        defer {
            idle.removeFirst(kept)
            count -= kept
        }
        return idle[..<kept].map(\.connection)
    }

    /// No connection idles from here on; these ones are to be closed.
    package mutating func shutDown() -> [Connection] {
        isShutDown = true
        defer {
            count -= idle.count
            idle.removeAll()
        }
        return idle.map(\.connection)
    }

    private mutating func offer(_ connection: Connection, now: NIODeadline) -> Next {
        if let index = waiting.firstIndex(where: { !$0.wantsFresh }) {
            return .lease(connection, waiting.remove(at: index).waiter)
        }
        if isShutDown {
            count -= 1
            return .close(connection)
        }
        // Its room may be wanted by one that takes a fresh connection only.
        if count >= limits.maximumConnections, waiting.contains(where: { !$0.isConnecting }) {
            count -= 1
            return .close(connection)
        }
        idle.append(Idle(connection: connection, since: now))
        return .none
    }

    private mutating func connectForNext() -> Next {
        guard count < limits.maximumConnections, let index = waiting.firstIndex(where: { !$0.isConnecting }) else {
            return .none
        }
        count += 1
        waiting[index].isConnecting = true
        return .connect(waiting[index].waiter)
    }

    /// What is to be done after a ``Next/close(_:)``.
    package mutating func afterClose() -> Next { connectForNext() }
}
