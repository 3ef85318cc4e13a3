// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import TraceStore
import WireJSON

/// The answer to one item of a batch.
enum ItemResult {
    case accepted(StoredReceipt)
    /// 429 and 503 may be retried.
    case refused(code: Int, sentence: String)

    init(_ result: Result<RecordOutcome, StoreError>) {
        switch result {
        case .success(.stored(let receipt)): self = .accepted(receipt)
        case .success(.conflict(let sentence)): self = .refused(code: 409, sentence: sentence)
        case .success(.unknown(let sentence)): self = .refused(code: 404, sentence: sentence)
        case .failure(let error):
            self = .refused(code: error.reason == .refused ? 400 : 503, sentence: error.description)
        }
    }

    func json(id: JSONValue) -> JSONValue {
        switch self {
        case .accepted(let receipt):
            var object: JSONObject = ["id": id, "ok": true, "duplicate": .bool(receipt.duplicate)]
            for member in receipt.answer.members { object.append(member.key.text, member.value) }
            return .object(object)
        case .refused(let code, let sentence):
            return ["id": id, "ok": false, "code": .number(JSONNumber(code)), "error": .string(sentence)]
        }
    }
}

extension StoredReceipt {
    /// Which attempt a line belongs to, and whether that is still of interest.
    var answer: JSONObject {
        ["attempt": .optional(attempt), "current": .optional(current), "final": .optional(final?.rawValue)]
    }
}
