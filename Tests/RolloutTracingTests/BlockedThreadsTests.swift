// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import RolloutTracing
import Synchronization
import Testing

@Suite("RolloutTracing: delivery beside agents that block") struct BlockedThreadsTests {
    @Test("lines go out, and are tried again, though every thread of tasks is held") func blocked() async {
        await #expect(processExitsWith: .success) { try await BlockedThreadsTests.deliver() }
    }

    private static func deliver() async throws {
        let count = Count()
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Server(count))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let delivery = LogDelivery(quick("http://127.0.0.1:\(server.localAddress?.port ?? 0)"))
        // More than there are threads, or may become while they block; this is one of those that are held.
        let held = Count()
        let tasks = 16 * ProcessInfo.processInfo.activeProcessorCount
        for _ in 0..<tasks {
            Task {
                held.add()
                hold { true }
            }
        }
        delivery.enqueue(line("while they block", rollout: "r"))
        let end = ContinuousClock.now + .seconds(20)
        hold { count.value < 2 && ContinuousClock.now < end }
        precondition(count.value == 2, "\(count.value) requests came")
        precondition(held.value < tasks, "a thread was free")
        // What blocks does not return.
        exit(0)
    }

    private static func hold(while condition: () -> Bool) {
        while condition() { Thread.sleep(forTimeInterval: 0.005) }
    }

    private final class Count: Sendable {
        private let count = Atomic(0)
        var value: Int { count.load(ordering: .sequentiallyConsistent) }
        @discardableResult func add() -> Int { count.add(1, ordering: .sequentiallyConsistent).newValue }
    }

    /// Refuses the first request and takes the others, without any task.
    private final class Server: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let count: Count

        init(_ count: Count) { self.count = count }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .end = unwrapInboundIn(data) else { return }
            let status = count.add() == 1 ? HTTPResponseStatus.serviceUnavailable : .ok
            let head = HTTPResponseHead(version: .http1_1, status: status, headers: ["content-length": "0"])
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}
