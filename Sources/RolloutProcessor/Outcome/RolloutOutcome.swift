// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
import WireJSON

/// What a rollout's ending and its traces make of its row.
package struct RolloutOutcome: Sendable {
    package var ending: RolloutEnding
    package var metadata: RolloutMetadata
    package var parameters: CompletionParameters
    /// From the trigger to the terminal status.
    package var duration: Duration
    package var includePayloads: Bool

    package init(
        ending: RolloutEnding, metadata: RolloutMetadata, parameters: CompletionParameters, duration: Duration,
        includePayloads: Bool
    ) {
        self.ending = ending
        self.metadata = metadata
        self.parameters = parameters
        self.duration = duration
        self.includePayloads = includePayloads
    }

    /// The row with the status, the longest conversation among the traces, and what they cost.
    ///
    /// - Parameter traces: Newest first; of equally long conversations the newest counts.
    package func apply(to original: EvaluationRow, traces: [Trace]) -> EvaluationRow {
        var row = base(original)
        row.executionMetadata.usage = totalUsage(of: traces)
        guard let longest = longest(of: traces) else {
            if ending.status.isSuccess {
                row.rolloutStatus = RolloutFailures.noTrace(of: metadata.rolloutID, ended: ending.status)
            }
            return row
        }
        row.inputMetadata.sessionData = original.inputMetadata.sessionData ?? [:]
        row.inputMetadata.sessionData?["langfuse_trace_id"] = .string(longest.id)
        if ending.status.isSuccess, longest.messages.count == original.messages.count {
            row.rolloutStatus = RolloutFailures.nothingAdded(ended: ending.status)
            return row
        }
        row.messages = longest.messages
        row.tools = longest.tools
        row.executionMetadata.finishReason = finishReason(of: longest)
        row.executionMetadata.toolCallCount = toolCalls(in: row.messages) - toolCalls(in: original.messages)
        if includePayloads {
            let payloads = PayloadExtras(traces: traces, longest: longest)
            row.messages = payloads.messages
            row.executionMetadata.extra = merge(payloads.extra, row.executionMetadata.extra)
        }
        return row
    }

    /// The row when its traces could not be read.
    package func apply(to original: EvaluationRow, unreadable reason: String) -> EvaluationRow {
        var row = base(original)
        if ending.status.isSuccess {
            row.rolloutStatus = RolloutFailures.unreadableTrace(
                of: metadata.rolloutID, ended: ending.status, reason: reason)
        }
        return row
    }

    private func base(_ original: EvaluationRow) -> EvaluationRow {
        var row = original
        row.rolloutStatus = ending.status
        row.inputMetadata.rowID = metadata.rowID
        if case .object(let object) = parameters.json { row.inputMetadata.completionParameters = object }
        row.executionMetadata.invocationID = metadata.invocationID
        row.executionMetadata.experimentID = metadata.experimentID
        row.executionMetadata.runID = metadata.runID
        row.executionMetadata.rolloutID = metadata.rolloutID
        row.executionMetadata.usage = nil
        row.executionMetadata.finishReason = nil
        row.executionMetadata.toolCallCount = nil
        row.executionMetadata.rolloutDurationSeconds = (duration.inSeconds * 1_000_000).rounded() / 1_000_000
        row.executionMetadata.extra = merge(original.executionMetadata.extra, environmentExtras)
        return row
    }

    /// What the environment put into its terminal line, less what every log line has.
    private var environmentExtras: JSONObject? {
        let extras = ending.extras?.removing(["logger_name", "level", "timestamp", "rollcall"])
        return extras?.isEmpty == false ? extras : nil
    }

    /// Both together; the second wins.
    private func merge(_ first: JSONObject?, _ second: JSONObject?) -> JSONObject? {
        guard var merged = first else { return second }
        for member in second?.members ?? [] { merged[member.key.text] = member.value }
        return merged
    }

    private func longest(of traces: [Trace]) -> Trace? {
        var longest: Trace?
        for trace in traces where trace.messages.count > longest?.messages.count ?? 0 { longest = trace }
        return longest
    }

    private func totalUsage(of traces: [Trace]) -> Usage? {
        let usages = traces.compactMap { try? Usage(from: JSONReader($0.metadata["usage"])) }
        return usages.isEmpty ? nil : usages.dropFirst().reduce(usages[0], +)
    }

    private func finishReason(of trace: Trace) -> String? { trace.metadata["finish_reason"]?.string }

    private func toolCalls(in messages: [Message]) -> Int {
        messages.reduce(0) { $0 + ($1.role == "assistant" ? $1.toolCalls?.count ?? 0 : 0) }
    }
}
