// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// The gateway's open connections: counted, asked to end, and in the end cut.
final class ConnectionRegistry: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isDraining = false
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    var count: Int { state.withLock { $0.channels.count } }

    /// Takes a new connection in; false when there are too many.
    func add(_ channel: any Channel) -> Bool {
        let isDraining: Bool? = state.withLock { state in
            guard state.channels.count < limit else { return nil }
            state.channels[ObjectIdentifier(channel)] = channel
            return state.isDraining
        }
        guard let isDraining else { return false }
        channel.closeFuture.whenComplete { _ in
            self.state.withLock { _ = $0.channels.removeValue(forKey: ObjectIdentifier(channel)) }
        }
        // It slipped in while the listening sockets were closing; its pipeline is not there yet.
        if isDraining { channel.eventLoop.execute { Self.quiesce(channel) } }
        return true
    }

    /// Lets running requests end; idle connections are closed, the others after their answer.
    func drain() {
        let channels = state.withLock { state in
            state.isDraining = true
            return Array(state.channels.values)
        }
        for channel in channels { channel.eventLoop.execute { Self.quiesce(channel) } }
    }

    /// Closes every connection as it is.
    func cut() -> Int {
        let channels = state.withLock { Array($0.channels.values) }
        for channel in channels { channel.close(promise: nil) }
        return channels.count
    }

    private static func quiesce(_ channel: any Channel) {
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }
}
