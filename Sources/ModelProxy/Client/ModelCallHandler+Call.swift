// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOCore
import NIOHTTP1
import TraceStore

#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// One call: begins it, tells its ``ModelCall`` what happens, and does what that says.
extension ModelCallHandler {
    // MARK: The request

    func start(_ context: ChannelHandlerContext, _ intake: RequestIntake) {
        let accepted = intake.accepted
        let path = accepted.address.path
        let configuration = services.configuration
        let isChat = path.api == .chatCompletions
        let hasBody = intake.head.method == .POST
        let metadata = isChat ? path.metadata : nil
        let rollout = path.metadata.map { RolloutKey(account: accepted.account, rolloutID: $0.rolloutID) }
        let requestID = services.nextRequestID()
        let startedAt = WallClock.now()
        let now = NIODeadline.now()
        var body: [UInt8]?
        var modelRequest: ModelRequest?
        var edits: [String] = []
        var capture: CapturePlan?
        if hasBody {
            do throws(GatewayProblem) {
                let request = try ModelRequest(body: intake.body)
                if let metadata, let rollout {
                    let registered = services.ledger.capture(of: rollout, attempt: metadata.attempt)
                    capture = CapturePlan(
                        registered ?? accepted.target.capture, of: accepted.target.profile, request)
                }
                let edited = RequestEdits.body(request.body, fields: request.fields, capture: capture)
                body = edited.bytes
                edits = edited.edits
                modelRequest = request
            } catch {
                hold(0)
                answer(context, error, requestID: requestID)
                return
            }
        }
        if let problem = services.callsInFlight.begin(accepted.account, rollout) {
            hold(0)
            answer(context, problem, requestID: requestID)
            return
        }
        if metadata != nil {
            // Counted with the records from here on; a body that is not recorded stays counted as it is.
            hold(0)
            // An answer's usual size; what it takes more is asked for when it is known.
            guard let room = services.ledger.reserve(bytes: intake.body.count + (16 << 10)) else {
                services.callsInFlight.end(accepted.account, rollout)
                answer(context, .noRoom(reasonForNoRoom), requestID: requestID)
                return
            }
            reservation = consume room
        }
        if let rollout,
            let problem = refusal(of: rollout, attempt: path.metadata?.attempt, isRecorded: metadata != nil)
        {
            services.callsInFlight.end(accepted.account, rollout)
            _ = reservation.take()
            hold(0)
            answer(context, problem, requestID: requestID)
            return
        }
        let rules = RequestEdits.HeadRules(
            isRecorded: metadata != nil,
            forwardsAuthorization: configuration.keys.isOpen || configuration.forwardsAuthorization)
        let request = RequestEdits.request(
            intake.head, to: accepted.target, query: accepted.address.query, body: body, rules: rules)

        callNumber += 1
        call = ModelCall(
            ModelCall.Plan(
                isRecorded: metadata != nil, streams: modelRequest?.streams ?? false,
                choices: modelRequest?.choices ?? 1,
                toleratesEnd: intake.head.closesConnection,
                maximumAnswerBytes: configuration.maximumAnswerBytes, timeouts: configuration.timeouts,
                capture: capture),
            now: now)
        callContext = CallContext(
            accepted, rollout: rollout, metadata: metadata, requestID: requestID, request: modelRequest,
            edits: edits + request.edits,
            startedAt: startedAt, start: now)
        requestHead = intake.head
        upstreamRequest = request.bytes
        hasRetried = false
        recordID = nil
        answerHasBegun = false
        state = .calling
        services.startTiming(self)
        lease(fresh: false)
    }

    /// Counts the call for its rollout, whose budget may have no room for it.
    private func refusal(of rollout: RolloutKey, attempt: AttemptID?, isRecorded: Bool) -> GatewayProblem? {
        switch services.ledger.callStarts(rollout, attempt: attempt, recorded: isRecorded) {
        case .free: return nil
        case .charged(let attempt):
            charge = (rollout, attempt)
            return nil
        case .refused(let exhaustion, _): return .budgetExhausted(exhaustion)
        }
    }

    /// A call that failed is not counted.
    private func takeBackCharge() {
        guard let charge else { return }
        services.ledger.takeBack(charge.rollout, attempt: charge.attempt)
        self.charge = nil
    }

    private func lease(fresh: Bool) {
        guard let callContext else { return }
        let pool = services.pool(for: callContext.target.origin)
        let ticket = pool.lease(for: self, fresh: fresh)
        // A connection may have been there at once, or even have died at once and led to another lease.
        if upstream == nil, waiting == nil, case .waiting? = call?.phase { waiting = (pool, ticket) }
    }

    // MARK: The upstream

    func upstreamReady(_ connection: UpstreamConnection) {
        waiting = nil
        guard let upstreamRequest, case .waiting? = call?.phase else {
            connection.abandon()
            return
        }
        upstream = connection
        connection.send(upstreamRequest, isHEAD: requestHead?.method == .HEAD, for: self)
    }

    /// The call has waited too long for a connection to be free.
    func checkWaiting(_ now: NIODeadline) {
        guard let waiting, let callContext, now - callContext.start >= services.configuration.timeouts.queue else {
            return
        }
        waiting.pool.cancel(waiting.ticket)
        upstreamUnavailable(.noConnection(to: callContext.target.origin))
    }

    func upstreamUnavailable(_ problem: GatewayProblem) {
        waiting = nil
        if let step = call?.upstreamFailed(problem, now: .now()) { perform(step) }
    }

    func upstreamAnswered(_ head: ResponseHead) {
        upstreamRequest = nil
        if let step = call?.answered(head, now: .now()) { perform(step) }
    }

    func upstreamSent(_ bytes: ByteBuffer) {
        if let step = call?.received(bytes, now: .now()) { perform(step) }
        keepRoom()
        if call?.isRelaying == true, context?.channel.isWritable == false { upstream?.pause() }
    }

    /// All that has come is written; it goes out.
    func upstreamPaused() {
        if answerHasBegun { context?.flush() }
    }

    func upstreamEnded() {
        upstream = nil
        if let step = call?.upstreamEnded(now: .now()) { performAndFlush(step) }
    }

    func upstreamFailed(_ error: any Error, isReused: Bool, hasAnswered: Bool) {
        upstream = nil
        if isReused, !hasAnswered, !hasRetried, upstreamRequest != nil, case .waiting? = call?.phase {
            // It may have been closed from the other side just before: nothing has come of this request.
            hasRetried = true
            lease(fresh: true)
            return
        }
        if let step = call?.upstreamFailed(.upstreamFailed(UpstreamFailure.sentence(error)), now: .now()) {
            perform(step)
        }
    }

    // MARK: What the call says

    func performAndFlush(_ step: ModelCall.Step) {
        perform(step)
        if step.bytes != nil, step.end == nil { context?.flush() }
    }

    func perform(_ step: ModelCall.Step) {
        if let record = step.record { submit(record.state, record.error) }
        if step.amends { amend() }
        if step.drops { dropUpstream() }
        let hasEnded = call?.phase == .ended
        guard let context, let head = requestHead else {
            if hasEnded { forgetCall() }
            return
        }
        if let problem = step.problem {
            let requestID = callContext?.requestID ?? ""
            forgetCall()
            answer(context, problem, requestID: requestID)
            return
        }
        if let answer = step.head { writeHead(context, answer, step.bodyLength, head) }
        if let bytes = step.bytes, bytes.readableBytes > 0 {
            context.write(Self.wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
        }
        switch step.end {
        case .clean:
            forgetCall()
            state = .idle
            context.writeAndFlush(Self.wrapOutboundOut(.end(nil)), promise: nil)
        case .abort:
            forgetCall()
            abort(context, isHTTP10: head.isHTTP10)
        case nil:
            if hasEnded { forgetCall() }
        }
    }

    private func writeHead(
        _ context: ChannelHandlerContext, _ answer: ResponseHead, _ bodyLength: Int?, _ request: HTTPRequestHead
    ) {
        answerHasBegun = true
        let length: RequestEdits.AnswerLength =
            switch (bodyLength, answer.framing) {
            case (let count?, _): .known(count)
            case (nil, .none): .asUpstreamSays
            case (nil, .length(let count)): .known(count)
            case (nil, .chunked), (nil, .untilClose): .unknown
            }
        var head = RequestEdits.answerHead(answer, length: length, requestID: callContext?.requestID ?? "")
        // Without a length the encoder would announce chunks, which an answer to HEAD has not.
        if request.method == .HEAD, !head.headers.contains(name: "content-length") {
            head.headers.add(name: "content-length", value: "0")
        }
        context.write(Self.wrapOutboundOut(.head(head)), promise: nil)
    }

    /// Ends the connection so that nobody takes the answer for whole.
    private func abort(_ context: ChannelHandlerContext, isHTTP10: Bool) {
        state = .closing
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        let flushed = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(Self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer()))), promise: flushed)
        flushed.futureResult.whenComplete { _ in
            let context = bound.value
            // The end of the connection is a clean end in HTTP/1.0, a reset is not.
            if isHTTP10 { Self.resetOnClose(context) }
            context.close(promise: nil)
        }
    }

    private static func resetOnClose(_ context: ChannelHandlerContext) {
        _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
    }

    private func dropUpstream() {
        upstream?.abandon()
        upstream = nil
        if let waiting { waiting.pool.cancel(waiting.ticket) }
        waiting = nil
    }

    private func forgetCall() {
        if let upstream, case .ended? = call?.phase { upstream.abandon() }
        upstream = nil
        if let callContext { services.callsInFlight.end(callContext.account, callContext.rollout) }
        hold(0)
        takeBackCharge()
        call = nil
        callContext = nil
        requestHead = nil
        upstreamRequest = nil
        _ = reservation.take()
        callNumber += 1
        services.stopTiming(self)
    }
}
