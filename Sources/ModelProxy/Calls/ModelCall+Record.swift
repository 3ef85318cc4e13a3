// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import TraceStore

/// What is stored of a call. Mutating, though nothing changes, so that the call is read where it is and not copied.
extension ModelCall {
    /// The call's record as it stands; `nil` for a call that is not recorded.
    mutating func record(
        _ context: CallContext, _ state: CallRecord.State, _ error: String?, now: NIODeadline
    ) -> StoreRecord? {
        guard let metadata = context.metadata, let request = context.request else { return nil }
        var record = CallRecord(
            account: context.account, metadata: metadata, state: state,
            request: RecordedRequest(body: request.body, fields: request.fields), upstream: context.target.url,
            answer: state == .recorded || collected.isEmpty ? completion : collected,
            startedAt: context.startedAt, microsecondsToEnd: context.microseconds(to: now), requestID: context.requestID
        )
        record.bodyTags = request.tags
        record.edits = context.edits
        record.answerStatus = head?.status
        record.streamed = request.streams
        record.error = error
        record.requestedModel = request.model
        record.microsecondsToFirstByte = firstByteAt.map(context.microseconds)
        record.captured = captured
        record.policyVersion = facts?.policyVersion ?? head?.headers.first(name: "x-policy-version")
        if facts?.hasPromptTokens == true { PromptTokens.take(from: &record.answer, into: &record.captured) }
        record.answeredModel = facts?.model
        record.fingerprint = facts?.fingerprint
        record.finishReason = facts?.finishReason
        record.usage = facts?.usage
        // What is shown of a failed call: not all of an answer that nobody could use.
        if state == .failed, record.answer.count > 4096 { record.answer.removeSubrange(4096...) }
        return .call(record)
    }

    mutating func amendment(_ context: CallContext, callID: Int64, now: NIODeadline) -> CallAmendment {
        var (answer, captured) = (completion, captured)
        if facts?.hasPromptTokens == true { PromptTokens.take(from: &answer, into: &captured) }
        var amendment = CallAmendment(
            account: context.account, callID: callID, answer: answer, finishReason: facts?.finishReason,
            usage: facts?.usage, microsecondsToEnd: context.microseconds(to: now))
        amendment.captured = captured
        return amendment
    }
}
