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
            refuseEarly(context, problem, head)
        } else {
            state = .refusing(problem, head, bytes: 0)
        }
    }

    /// Answers before the request has ended, then reads on for a while.
    func refuseEarly(_ context: ChannelHandlerContext, _ problem: GatewayProblem, _ head: HTTPRequestHead) {
        hold(0)
        state = .draining(bytes: 0, until: .now() + services.configuration.timeouts.drain)
        services.startTiming(self)
        write(
            context, problem, requestID: services.nextRequestID(), isHTTP10: head.isHTTP10, closes: true, isHEAD: false)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(Self.wrapOutboundOut(.end(nil))).whenComplete { _ in
            bound.value.close(mode: .output, promise: nil)
        }
    }

    /// Answers a request that has ended.
    func answer(_ context: ChannelHandlerContext, _ problem: GatewayProblem, _ head: HTTPRequestHead, requestID: String)
    {
        let closes = closesAfterwards(head)
        state = closes ? .closing : .idle
        write(
            context, problem, requestID: requestID, isHTTP10: head.isHTTP10, closes: closes,
            isHEAD: head.method == .HEAD)
        writeEnd(context, closes: closes)
    }

    /// Answers something that is no request.
    func answerAndClose(_ context: ChannelHandlerContext, _ problem: GatewayProblem) {
        state = .closing
        write(
            context, problem, requestID: services.nextRequestID(), isHTTP10: false, closes: true, isHEAD: false)
        writeEnd(context, closes: true)
    }

    func closesAfterwards(_ head: HTTPRequestHead) -> Bool {
        inputIsClosed || head.closesConnection
    }

    /// Writes the end of an answer; the state has been set before.
    func writeEnd(_ context: ChannelHandlerContext, closes: Bool) {
        guard closes else {
            context.writeAndFlush(Self.wrapOutboundOut(.end(nil)), promise: nil)
            return
        }
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(Self.wrapOutboundOut(.end(nil))).whenComplete { _ in bound.value.close(promise: nil) }
    }

    func close(_ context: ChannelHandlerContext) {
        if call == nil { services.stopTiming(self) }
        state = .closing
        context.close(promise: nil)
    }

    private func write(
        _ context: ChannelHandlerContext, _ problem: GatewayProblem, requestID: String, isHTTP10: Bool,
        closes: Bool, isHEAD: Bool
    ) {
        services.metrics.answered(problem)
        let body = problem.body
        var headers: HTTPHeaders = [
            "content-type": "application/json", "content-length": String(body.count),
            "x-rollcall-request-id": requestID,
        ]
        for header in problem.headers { headers.add(name: header.name, value: header.value) }
        if closes { headers.add(name: "connection", value: "close") }
        let head = HTTPResponseHead(
            version: isHTTP10 ? .http1_0 : .http1_1, status: HTTPResponseStatus(statusCode: problem.status),
            headers: headers)
        context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
        if !isHEAD { context.write(Self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil) }
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
