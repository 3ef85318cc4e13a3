// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Anything that is committed.
///
/// Indirect, since a record is handed on several times on its way.
package indirect enum StoreRecord: Sendable {
    case call(Shared<CallRecord>)
    case amendment(CallAmendment)
    case log(LogRecord)
    case registration(Registration)
    case verdict(Verdict)
    case score(Score)
    case deletion(Deletion)

    package static func call(_ record: consuming CallRecord) -> StoreRecord { .call(Shared(record)) }

    package var byteCount: Int {
        switch self {
        case .call(let call): call.value.byteCount
        case .amendment(let amendment): amendment.answer.count + amendment.captured.byteCount + 256
        case .log(let log): log.byteCount
        case .registration, .verdict: 1024
        case .score(let score): score.result.count + score.scorer.utf8.count + 256
        // A guess at what it writes: it names little and changes much.
        case .deletion: 64 << 10
        }
    }
}
