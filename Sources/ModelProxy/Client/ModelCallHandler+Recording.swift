// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging
import NIOCore
import TraceStore

/// Room for a call's record, the record itself, and what becomes of it.
extension ModelCallHandler {
    var reasonForNoRoom: String {
        switch services.ledger.health {
        case .healthy: TraceLedger.tooManyRecords
        case .unhealthy(let reason): reason
        }
    }

    /// Takes more room for an answer that grows, so that the memory of all of them is bounded.
    func keepRoom() {
        guard let kept = call?.keptBytes, kept > 0, let room = reservation?.bytes else { return }
        let needed = kept + (callContext?.request?.body.count ?? 0) + 2048 - room
        // Asked for seldom, by a good piece each time.
        guard needed > 0, reservation?.grow(by: max(needed, room)) == false else { return }
        if let step = call?.lacksRoom() { perform(step) }
    }

    func recorded(_ result: Result<RecordOutcome, StoreError>, number: Int) {
        guard number == callNumber, call != nil else { return }
        var isRecorded = false
        switch result {
        case .success(.stored(let receipt)):
            recordID = receipt.id
            charge = nil
            isRecorded = true
        case .success(.conflict(let reason)), .success(.unknown(let reason)), .success(.overLimit(let reason)):
            lost(reason)
        case .failure(let error):
            lost(error.description)
        }
        if let step = call?.recorded(isRecorded, now: .now()) { performAndFlush(step) }
    }

    /// Says in the log that a call will have no record, with the id that its answer carries.
    func lost(_ reason: String) {
        services.logger.error(
            "a call was not recorded: \(reason)", metadata: callContext.map { ["request": "\($0.requestID)"] })
    }

    func deliverLater(_ result: Result<RecordOutcome, StoreError>) {
        services.outcomes.post(result, to: NIOLoopBound(self, eventLoop: services.loop), number: callNumber)
    }

    func amend() {
        guard let recordID, let callContext, let amendment = call?.amendment(callContext, callID: recordID, now: .now())
        else { return }
        let record = StoreRecord.amendment(amendment)
        guard let room = services.ledger.reserve(bytes: record.byteCount) else { return }
        services.ledger.submit(record, room) { _ in }
    }
}
