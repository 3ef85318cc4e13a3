// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOCore
import NIOHTTP1
import TraceStore

/// What a call's record tells that is known when the call begins. A class, for it is handed on a dozen times a call.
final class CallContext {
    let account: Account
    /// The one that its path names.
    let rollout: RolloutKey?
    /// The rollout it belongs to; `nil` when it is not to be recorded.
    let metadata: RolloutMetadata?
    let requestID: String
    let target: UpstreamTarget
    let request: ModelRequest?
    let edits: [String]
    /// Microseconds since 1970.
    let startedAt: Int64
    let start: NIODeadline

    init(
        _ accepted: CallRoute.Accepted, rollout: RolloutKey?, metadata: RolloutMetadata?, requestID: String,
        request: ModelRequest?, edits: [String], startedAt: Int64, start: NIODeadline
    ) {
        account = accepted.account
        target = accepted.target
        self.rollout = rollout
        self.metadata = metadata
        self.requestID = requestID
        self.request = request
        self.edits = edits
        self.startedAt = startedAt
        self.start = start
    }

    /// The call's record as it stands; `nil` for a call that is not recorded.
    func record(of call: ModelCall, _ state: CallRecord.State, error: String?, now: NIODeadline) -> CallRecord? {
        guard let metadata, let request else { return nil }
        var record = CallRecord(
            account: account, metadata: metadata, state: state,
            request: RecordedRequest(body: request.body, fields: request.fields), upstream: target.url,
            answer: state == .recorded || call.collected.isEmpty ? call.completion : call.collected,
            startedAt: startedAt, microsecondsToEnd: microseconds(to: now), requestID: requestID)
        record.bodyTags = request.tags
        record.edits = edits
        record.answerStatus = call.head?.status
        record.streamed = request.streams
        record.error = error
        record.requestedModel = request.model
        record.microsecondsToFirstByte = call.firstByteAt.map(microseconds)
        record.captured = call.captured
        record.policyVersion = call.facts?.policyVersion ?? call.head.flatMap(Self.policyVersion)
        if let facts = call.facts {
            if facts.hasPromptTokens { PromptTokens.take(from: &record.answer, into: &record.captured) }
            record.answeredModel = facts.model
            record.fingerprint = facts.fingerprint
            record.finishReason = facts.finishReason
            record.usage = facts.usage
        }
        // What is shown of a failed call: not all of an answer that nobody could use.
        if state == .failed, record.answer.count > 4096 { record.answer.removeSubrange(4096...) }
        return record
    }

    func amendment(of call: ModelCall, callID: Int64, now: NIODeadline) -> CallAmendment {
        var (answer, captured) = (call.completion, call.captured)
        if call.facts?.hasPromptTokens == true { PromptTokens.take(from: &answer, into: &captured) }
        var amendment = CallAmendment(
            account: account, callID: callID, answer: answer, finishReason: call.facts?.finishReason,
            usage: call.facts?.usage, microsecondsToEnd: microseconds(to: now))
        amendment.captured = captured
        return amendment
    }

    private static func policyVersion(_ head: ResponseHead) -> String? {
        head.headers.first(name: "x-policy-version")
    }

    private func microseconds(to time: NIODeadline) -> Int64 { (time - start).nanoseconds / 1000 }
}

@available(*, unavailable)
extension CallContext: Sendable {}
