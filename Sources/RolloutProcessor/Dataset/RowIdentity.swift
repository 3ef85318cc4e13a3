// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import WireJSON

/// A name for rows that have none: the same for the same question, whatever else the row holds.
enum RowIdentity {
    static func rowID(of row: EvaluationRow) -> String {
        if let id = row.inputMetadata.rowID, !id.isEmpty { return id }
        let question: JSONValue = [
            "messages": .array(row.messages.map(\.json)),
            "tools": row.tools.map { .array($0) } ?? .null,
            "ground_truth": row.groundTruth ?? .null,
        ]
        // FNV-1a: short, the same on every machine and in every process, and nobody attacks a row's name.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in question.serialized() { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        let digits = String(hash, radix: 16)
        return "row-" + String(repeating: "0", count: 16 - digits.count) + digits
    }
}
