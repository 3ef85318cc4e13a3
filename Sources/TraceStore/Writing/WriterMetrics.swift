// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import EvalProtocol

/// What the writer tells of the records it commits.
struct WriterMetrics: Sendable {
    private let commits: Counter
    private let failedCommits: Counter
    private let commitTime: Timer
    private let batch: Recorder
    private let calls: [CallRecord.State: Counter]
    private let callTime: Timer
    private let firstByteTime: Timer
    private let promptTokens: Counter
    private let completionTokens: Counter
    private let lines: Counter
    private let refusals: Counter
    private let factory: any MetricsFactory

    init(_ factory: any MetricsFactory) {
        func counter(_ label: String, _ dimensions: [(String, String)] = []) -> Counter {
            Counter(label: label, dimensions: dimensions, factory: factory)
        }
        self.factory = factory
        commits = counter("rollcall_commits_total", [("result", "committed")])
        failedCommits = counter("rollcall_commits_total", [("result", "failed")])
        commitTime = Timer(label: "rollcall_commit_seconds", dimensions: [], factory: factory)
        batch = Recorder(label: "rollcall_commit_records", dimensions: [], aggregate: true, factory: factory)
        calls = [
            .recorded: counter("rollcall_calls_total", [("state", "recorded")]),
            .failed: counter("rollcall_calls_total", [("state", "failed")]),
            .cut: counter("rollcall_calls_total", [("state", "cut")]),
        ]
        callTime = Timer(label: "rollcall_call_seconds", dimensions: [], factory: factory)
        firstByteTime = Timer(label: "rollcall_call_first_byte_seconds", dimensions: [], factory: factory)
        promptTokens = counter("rollcall_tokens_total", [("kind", "prompt")])
        completionTokens = counter("rollcall_tokens_total", [("kind", "completion")])
        lines = counter("rollcall_log_lines_total")
        refusals = counter("rollcall_records_refused_total")
    }

    /// A record found no room, or a store that takes none.
    func refused() { refusals.increment() }

    func committed(_ records: Zip2Sequence<[StoreRecord], [RecordOutcome]>, in duration: Duration) {
        commits.increment()
        commitTime.recordNanoseconds(Int64(duration / .nanoseconds(1)))
        batch.record(records.underestimatedCount)
        for (record, outcome) in records {
            switch record {
            case .call(let call): count(call)
            case .log(let log):
                lines.increment()
                guard let code = log.code else { continue }
                Counter(
                    label: "rollcall_statuses_total", dimensions: [("code", "\(code.rawValue)")], factory: factory
                ).increment()
            case .verdict(let verdict): count(verdict, outcome)
            case .amendment, .registration, .score, .deletion: break
            }
        }
    }

    private func count(_ verdict: Verdict, _ outcome: RecordOutcome) {
        // Another one's status may have come first.
        guard case .stored(let receipt) = outcome, !receipt.duplicate else { return }
        Counter(
            label: "rollcall_verdicts_total", dimensions: [("reason", verdict.reason.rawValue)], factory: factory
        ).increment()
    }

    func failed() { failedCommits.increment() }

    private func count(_ call: Shared<CallRecord>) {
        calls[call.value.state]?.increment()
        guard call.value.state == .recorded else { return }
        callTime.recordNanoseconds(call.value.microsecondsToEnd * 1000)
        if let first = call.value.microsecondsToFirstByte { firstByteTime.recordNanoseconds(first * 1000) }
        if let usage = call.value.usage {
            promptTokens.increment(by: max(0, usage.promptTokens))
            completionTokens.increment(by: max(0, usage.completionTokens))
        }
    }
}
