// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Logging
import NIOCore
import NIOHTTPTypes
import ServiceLifecycle
import TraceStore

/// The body of one event stream: events as they come, comments in between, until the client goes, reads too slowly,
/// or the gateway shuts down.
struct EventStream: Sendable {
    let subscription: StatusSubscription
    let channel: any Channel
    let limits: RouteLimits
    let logger: Logger
    let requestID: RequestID

    func run() async {
        let (closed, whenClosed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        channel.closeFuture.whenComplete { _ in whenClosed.finish() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await tell() }
            group.addTask { await comment() }
            group.addTask { for await _ in closed {} }
            group.addTask { try? await gracefulShutdown() }
            await group.next()
            group.cancelAll()
        }
    }

    private func tell() async {
        do {
            for try await element in subscription { try await write(EventText.bytes(element)) }
        } catch is CancellationError {
            return
        } catch {
            logger.debug("An event stream ended: \(error)", metadata: ["request": "\(requestID)"])
        }
    }

    private func comment() async {
        while true {
            do {
                try await Task.sleep(for: limits.comment)
                try await write(EventText.comment)
            } catch {
                return
            }
        }
    }

    /// Writes past the response's writer, whose single owner could not serve both events and comments; what goes into
    /// the channel here is whole, so that the two do not mix.
    private func write(_ bytes: [UInt8]) async throws {
        let channel = channel
        let slow = channel.eventLoop.scheduleTask(in: limits.unreadEvent) {
            channel.close(promise: nil)
        }
        defer { slow.cancel() }
        try await channel.writeAndFlush(HTTPResponsePart.body(ByteBuffer(bytes: bytes)))
    }
}
