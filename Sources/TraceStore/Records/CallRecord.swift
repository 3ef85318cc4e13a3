// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol

/// One model call of a rollout, as it is recorded.
package struct CallRecord: Sendable {
    package enum State: Int, Sendable {
        /// Answered with 200 and a usable choice: a trace.
        case recorded = 0
        /// The upstream refused it, or could not be reached.
        case failed = 1
        /// The client or the upstream went before the answer was whole.
        case cut = 2
    }

    package var account: Account
    /// The ids of the tagged path, with its attempt.
    package var metadata: RolloutMetadata
    /// Tags from the body's `metadata.tags`.
    package var bodyTags: [String] = []
    package var state: State
    package var request: RecordedRequest
    /// What the gateway changed in the request for the upstream, a short name each.
    package var edits: [String] = []
    /// The URL that was called.
    package var upstream: String
    /// The upstream's HTTP status, when it answered.
    package var answerStatus: Int?
    package var streamed = false
    /// The completion as JSON: the upstream's bytes, or of a stream the object its events add up to.
    /// For a failed call, what the upstream said, cut to a few kilobytes.
    package var answer: [UInt8]
    /// Why a call failed or was cut, in a sentence.
    package var error: String?
    package var requestedModel: String?
    package var answeredModel: String?
    package var fingerprint: String?
    /// The version of the policy that answered, when the upstream tells it.
    package var policyVersion: String?
    package var finishReason: String?
    package var usage: Usage?
    /// Microseconds since 1970.
    package var startedAt: Int64
    /// Microseconds from the start to the first byte of the answer's body.
    package var microsecondsToFirstByte: Int64?
    /// Microseconds from the start to the answer's end.
    package var microsecondsToEnd: Int64
    /// The `x-rollcall-request-id` that the answer carries.
    package var requestID: String
    package var captured = CapturedTokens()

    package init(
        account: Account, metadata: RolloutMetadata, state: State, request: RecordedRequest, upstream: String,
        answer: [UInt8], startedAt: Int64, microsecondsToEnd: Int64, requestID: String
    ) {
        self.account = account
        self.metadata = metadata
        self.state = state
        self.request = request
        self.upstream = upstream
        self.answer = answer
        self.startedAt = startedAt
        self.microsecondsToEnd = microsecondsToEnd
        self.requestID = requestID
    }

    /// Roughly the memory that the record holds while it waits to be committed.
    package var byteCount: Int { request.body.count + answer.count + captured.byteCount + 1024 }
}

/// What a stream brought after its call had been recorded.
package struct CallAmendment: Sendable {
    package var account: Account
    package var callID: Int64
    package var answer: [UInt8]
    package var finishReason: String?
    package var usage: Usage?
    package var microsecondsToEnd: Int64
    /// All that was captured; the prompt's token ids are not changed by it.
    package var captured = CapturedTokens()

    package init(
        account: Account, callID: Int64, answer: [UInt8], finishReason: String?, usage: Usage?, microsecondsToEnd: Int64
    ) {
        self.account = account
        self.callID = callID
        self.answer = answer
        self.finishReason = finishReason
        self.usage = usage
        self.microsecondsToEnd = microsecondsToEnd
    }
}
