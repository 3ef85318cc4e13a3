// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOCore
import NIOHTTP1
import TraceStore

/// Answers of the gateway itself.
extension ModelCallHandler {
    /// Refuses a request whose head has come: after its body when that is short, at once otherwise.
    func refuse(_ context: ChannelHandlerContext, _ problem: GatewayProblem, _ head: HTTPRequestHead) {
        let length = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        if head.expectsContinue || length > Self.maximumDroppedBytes {
            refuseEarly(context, problem)
        } else {
            state = .refusing(problem, bytes: 0)
        }
    }

    /// Answers before the request has ended, and ends the connection.
    func refuseEarly(_ context: ChannelHandlerContext, _ problem: GatewayProblem) {
        hold(0)
        state = .closing
        write(context, problem, requestID: services.nextRequestID(), closes: true)
    }

    /// Answers a request that has ended.
    func answer(_ context: ChannelHandlerContext, _ problem: GatewayProblem, requestID: String) {
        state = .idle
        write(context, problem, requestID: requestID, closes: false)
    }

    func close(_ context: ChannelHandlerContext) {
        if call == nil { services.stopTiming(self) }
        state = .closing
        context.close(promise: nil)
    }

    private func write(
        _ context: ChannelHandlerContext, _ problem: GatewayProblem, requestID: String, closes: Bool
    ) {
        services.metrics.answered(problem)
        var head = problem.head(requestID: requestID)
        if closes { head.headers.add(name: "connection", value: "close") }
        context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
        context.write(Self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: problem.body)))), promise: nil)
        context.writeAndFlush(Self.wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// Tells the rollout's log that a request to another API than chat completions came.
    func warn(_ warning: CallRoute.Warning, _ problem: GatewayProblem) {
        let record = StoreRecord.log(
            LogRecord(
                account: warning.account, program: "eval_protocol", message: problem.message, severity: "WARNING",
                tags: warning.metadata.logTags, attempt: warning.metadata.attempt))
        guard let reservation = services.ledger.reserve(bytes: record.byteCount) else { return }
        services.ledger.submit(record, reservation) { _ in }
    }
}
