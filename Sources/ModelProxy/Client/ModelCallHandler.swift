// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging
import NIOCore
import NIOHTTP1
import TraceStore

/// Takes the model calls of one client's connection, one at a time: their requests, which it may refuse, and their
/// answers.
final class ModelCallHandler {
    enum State {
        case idle
        /// The rest of a request that is refused.
        case refusing(GatewayProblem, bytes: Int)
        case collecting(RequestIntake)
        case calling
        /// The connection is being closed.
        case closing
    }

    let services: LoopServices
    var state = State.idle
    /// `nil` when it is gone.
    var connection: ClientConnection?
    /// This connection's share of ``LoopServices/incomingBytes``.
    private var incomingBytes = 0

    // The present call.
    /// Not checked for exclusive access, which would be done a dozen times a call: a value without I/O calls nobody who
    /// could come back here.
    @exclusivity(unchecked)
    var call: ModelCall?
    var callContext: CallContext?
    var callNumber = 0
    var reservation: Reservation?
    /// The attempt whose budget counts the call, until that is recorded.
    var charge: (rollout: RolloutKey, attempt: Int)?
    var upstream: UpstreamConnection?
    var waiting: (pool: UpstreamPool, ticket: UpstreamPool.Ticket)?
    var upstreamRequest: ByteBuffer?
    var hasRetried = false
    var recordID: Int64?
    var requestHead: RequestHead?
    var answerHasBegun = false

    init(_ services: LoopServices) { self.services = services }

    // MARK: The request

    func begin(_ head: RequestHead, _ route: CallRoute) {
        guard case .idle = state else { return }
        switch route {
        case .passUp: break
        case .refuse(let problem, let warning):
            if let warning { warn(warning, problem) }
            refuse(problem, head)
        case .call(let accepted):
            let intake = RequestIntake(head, accepted, maximumBytes: services.configuration.maximumBodyBytes)
            guard !intake.isTooLarge else {
                return refuse(.bodyTooLarge(limit: services.configuration.maximumBodyBytes), head)
            }
            state = .collecting(intake)
        }
    }

    func take(_ bytes: ByteBuffer) {
        switch state {
        case .collecting(let intake):
            intake.add(bytes)
            let isRoom = hold(intake.body.count)
            if intake.isTooLarge {
                refuseEarly(.bodyTooLarge(limit: services.configuration.maximumBodyBytes))
            } else if !isRoom {
                refuseEarly(.tooManyBodies(limit: services.configuration.maximumIncomingBytes))
            }
        case .refusing(let problem, let count):
            let total = count + bytes.readableBytes
            if total > Self.maximumDroppedBytes {
                refuseEarly(problem)
            } else {
                state = .refusing(problem, bytes: total)
            }
        case .idle, .calling, .closing: break
        }
    }

    func requestEnded() {
        switch state {
        case .refusing(let problem, _): answer(problem, requestID: services.nextRequestID())
        case .collecting(let intake):
            state = .idle  // so that nothing else holds the body
            start(intake)
        case .idle, .calling, .closing: break
        }
    }

    /// Takes note of how much of a body is in memory.
    ///
    /// - Returns: whether all bodies together may be that large.
    @discardableResult
    func hold(_ bytes: Int) -> Bool {
        if bytes == incomingBytes { return true }
        defer { incomingBytes = bytes }
        return services.incomingBytes.add(bytes - incomingBytes)
    }

    /// Bytes of a refused request that are read before the connection is closed.
    static let maximumDroppedBytes = 256 << 10

    // MARK: The call

    func start(_ intake: RequestIntake) {
        let accepted = intake.accepted
        let address = accepted.address
        let named = address.path.metadata
        let isChat = address.path.api == .chatCompletions
        let hasBody = intake.head.method == .POST
        let metadata = isChat ? named : nil
        let rollout = named.map { RolloutKey(account: accepted.account, rolloutID: $0.rolloutID) }
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
                answer(error, requestID: requestID)
                return
            }
        }
        if let problem = services.callsInFlight.begin(accepted.account, rollout) {
            answer(problem, requestID: requestID)
            return
        }
        if metadata != nil {
            // Counted with the records from here on; a body that is not recorded stays counted as it is.
            hold(0)
            // An answer's usual size; what it takes more is asked for when it is known.
            guard let room = services.ledger.reserve(bytes: intake.body.count + (16 << 10)) else {
                services.callsInFlight.end(accepted.account, rollout)
                answer(.noRoom(reasonForNoRoom), requestID: requestID)
                return
            }
            reservation = consume room
        }
        if let rollout,
            let problem = refusal(of: rollout, attempt: named?.attempt, isRecorded: metadata != nil)
        {
            services.callsInFlight.end(accepted.account, rollout)
            _ = reservation.take()
            answer(problem, requestID: requestID)
            return
        }
        let rules = RequestEdits.HeadRules(
            isRecorded: metadata != nil,
            forwardsAuthorization: services.forwardsAuthorization)
        let request = RequestEdits.request(
            intake.head, to: accepted.target, query: address.query, body: body, rules: rules)

        callNumber += 1
        call = ModelCall(
            ModelCall.Plan(
                isRecorded: metadata != nil, streams: modelRequest?.streams ?? false,
                choices: modelRequest?.choices ?? 1,
                toleratesEnd: intake.head.closesConnection,
                maximumAnswerBytes: services.configuration.maximumAnswerBytes,
                timeouts: services.configuration.timeouts,
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
        if call?.isRelaying == true, connection?.isWritable == false { upstream?.pause() }
    }

    /// All that has come is written; it goes out.
    func upstreamPaused() {
        if answerHasBegun { connection?.flush() }
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
        if step.bytes != nil, step.end == nil { connection?.flush() }
    }

    func perform(_ step: ModelCall.Step) {
        if let record = step.record { submit(record.state, record.error) }
        if step.amends { amend() }
        if step.drops { dropUpstream() }
        let hasEnded = call?.phase == .ended
        guard let connection else {
            if hasEnded { forgetCall() }
            return
        }
        if let problem = step.problem {
            let requestID = callContext?.requestID ?? ""
            forgetCall()
            answer(problem, requestID: requestID)
            return
        }
        if let head = step.head {
            answerHasBegun = true
            connection.write(
                head, length: Self.length(step.bodyLength, head.length), requestID: callContext?.requestID ?? "")
        }
        if let bytes = step.bytes { connection.write(bytes) }
        switch step.end {
        case .clean:
            forgetCall()
            state = .idle
            connection.end()
            connection.flush()
        case .abort:
            forgetCall()
            state = .closing
            connection.abort()
        case nil:
            if hasEnded { forgetCall() }
        }
    }

    private static func length(_ known: Int?, _ upstream: BodyLength) -> RequestEdits.AnswerLength {
        switch (known, upstream) {
        case (let count?, _), (nil, .length(let count)): .known(count)
        case (nil, .none): .asUpstreamSays
        case (nil, .chunked), (nil, .untilClose): .unknown
        }
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

    // MARK: The record

    func submit(_ state: CallRecord.State, _ error: String?) {
        guard let callContext, let record = call?.record(callContext, state, error, now: .now()),
            var room = reservation.take()
        else { return }
        let isAwaited = state == .recorded
        let needed = record.byteCount - room.bytes
        guard needed <= 0 || room.grow(by: needed) else {
            lost(TraceLedger.tooManyRecords)
            if isAwaited { deliverLater(.failure(StoreError(.unavailable, TraceLedger.tooManyRecords))) }
            return
        }
        guard isAwaited else {
            services.ledger.submit(record, room) { _ in }
            return
        }
        let outcomes = services.outcomes
        let bound = NIOLoopBound(self, eventLoop: services.loop)
        let number = callNumber
        services.ledger.submit(record, room) { outcomes.post($0, to: bound, number: number) }
    }
}

@available(*, unavailable)
extension ModelCallHandler: Sendable {}
