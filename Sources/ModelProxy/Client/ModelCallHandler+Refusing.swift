// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import TraceStore

/// Answers of the gateway itself.
extension ModelCallHandler {
    /// Refuses a request whose head has come: after its body when that is short, at once otherwise.
    func refuse(_ problem: GatewayProblem, _ head: RequestHead) {
        let length = if case .length(let length) = head.length { length } else { 0 }
        if head.expectsContinue || length > Self.maximumDroppedBytes {
            refuseEarly(problem)
        } else {
            state = .refusing(problem, bytes: 0)
        }
    }

    /// Answers before the request has ended, and ends the connection.
    func refuseEarly(_ problem: GatewayProblem) {
        hold(0)
        state = .closing
        connection?.refuse(problem)
    }

    /// Answers a request that has ended.
    func answer(_ problem: GatewayProblem, requestID: String) {
        hold(0)
        state = .idle
        connection?.answer(problem, requestID: requestID)
    }

    func close() {
        if call == nil { services.stopTiming(self) }
        state = .closing
        connection?.close()
    }

    /// Tells the rollout's log that a request to another API than chat completions came.
    func warn(_ warning: CallRoute.Warning, _ problem: GatewayProblem) {
        let record = StoreRecord.log(
            LogRecord(
                account: warning.account, program: "eval_protocol", message: problem.message, severity: "WARNING",
                tags: warning.metadata.logTags, attempt: warning.metadata.attempt))
        guard let reservation = services.ledger.reserve(bytes: record.byteCount) else { return }
        services.ledger.submit(record, reservation) { _ in }
    }
}
