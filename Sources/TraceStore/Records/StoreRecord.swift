// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Anything that is committed.
package enum StoreRecord: Sendable {
    case call(CallRecord)
    case amendment(CallAmendment)
    case log(LogRecord)
    case registration(Registration)
    case deletion(Deletion)

    package var byteCount: Int {
        switch self {
        case .call(let call): call.byteCount
        case .amendment(let amendment): amendment.answer.count + 256
        case .log(let log): log.byteCount
        case .registration, .deletion: 1024
        }
    }
}
