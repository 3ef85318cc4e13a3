// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import NIOCore
package import NIOHTTPTypes
import Synchronization

/// A connection on its way from the socket that has accepted it to the task that serves it.
///
/// A socket that is closed meanwhile drops it, and NIO ends the whole process where an async channel goes that nobody has
/// closed. This one is closed then.
package final class AcceptedConnection: Sendable {
    package typealias Channel = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    private let channel: Channel
    private let isServed = Atomic(false)

    package init(_ channel: Channel) { self.channel = channel }

    /// The channel, for the one who serves it to its end.
    func serve() -> Channel {
        isServed.store(true, ordering: .relaxed)
        return channel
    }

    deinit {
        guard !isServed.load(ordering: .relaxed) else { return }
        // There is nobody left who could own it; it ends as soon as the channel is closed.
        Task { [channel] in try? await channel.executeThenClose { _, _ in } }
    }
}
