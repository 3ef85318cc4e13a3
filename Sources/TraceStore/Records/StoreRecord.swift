// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Anything that is committed.
package enum StoreRecord: Sendable {
    case call(CallRecord)
    case amendment(CallAmendment)
    case log(LogRecord)
    case registration(Registration)
    case verdict(Verdict)
    case score(Score)
    case deletion(Deletion)

    package var byteCount: Int {
        switch self {
        case .call(let call): call.byteCount
        case .amendment(let amendment): amendment.answer.count + 256
        case .log(let log): log.byteCount
        case .registration, .verdict: 1024
        case .score(let score): score.result.count + score.scorer.utf8.count + 256
        // A guess at what it writes: it names little and changes much.
        case .deletion: 64 << 10
        }
    }
}
