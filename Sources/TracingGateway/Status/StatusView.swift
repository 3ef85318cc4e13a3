// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import HTTPTypes
import TraceStore
import WireJSON

/// A rollout's state as the answer to a question about it, or about one of its attempts.
struct StatusView: Sendable {
    let rolloutID: String
    let attempt: AttemptID?

    private struct Answer {
        var status: RolloutState.CurrentStatus?
        var attempt: String?
        var current: Bool?
    }

    private func answer(_ state: RolloutState?) -> Answer {
        guard let attempt else {
            let newest = state?.newestAttempt
            return Answer(status: state?.status, attempt: newest?.name, current: newest.map { _ in true })
        }
        guard let found = state?.attempts.last(where: { $0.name == attempt.description }) else {
            return Answer(status: nil, attempt: attempt.description, current: nil)
        }
        return Answer(
            status: found.status, attempt: found.name, current: found.number == state?.newestAttempt?.number)
    }

    /// Whether waiting any longer is of no use.
    func isSettled(_ state: RolloutState?) -> Bool {
        let answer = answer(state)
        return answer.current == false || answer.status?.code.isTerminal ?? false
    }

    func json(_ state: RolloutState?) -> [UInt8] {
        let answer = answer(state)
        var writer = JSONWriter()
        writer.member("rollout_id", .string(rolloutID))
        writer.member("status", raw: answer.status?.wire)
        writer.member("extras", raw: answer.status?.extras)
        writer.member("attempt", .optional(answer.attempt))
        writer.member("current", .optional(answer.current))
        return writer.finish()
    }
}

extension RolloutState.CurrentStatus {
    /// Code, message and details, whatever else was posted with them and in whatever form.
    var wire: [UInt8] {
        let posted = try? JSONValue(parsing: status)
        let details = posted?["details"]?.array ?? []
        let object: JSONObject = [
            "code": .number(JSONNumber(code.rawValue)),
            "message": .string(posted?["message"]?.string ?? ""),
            "details": .array(details.filter { $0.object != nil }),
        ]
        return JSONValue.object(object).serialized()
    }
}
