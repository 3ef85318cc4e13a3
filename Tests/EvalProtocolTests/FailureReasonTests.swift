// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import Testing
import WireJSON

@Suite("FailureReason") struct FailureReasonTests {
    @Test("the table of docs/failures.md has every reason with its code and whose doing it is, and nothing else")
    func table() throws {
        let file = URL(fileURLWithPath: #filePath).appending(path: "../../../docs/failures.md").standardizedFileURL
        let text = try String(contentsOf: file, encoding: .utf8)
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `") }.map { row in
            row.split(separator: "|").prefix(3).map { $0.trimmingCharacters(in: .whitespaces) }
        }
        let expected = FailureReason.allCases.map {
            ["`\($0.rawValue)`", "\($0.code.rawValue) \($0.code.name)", $0.blame.rawValue]
        }
        #expect(Set(rows) == Set(expected))
        #expect(rows.count == expected.count)
    }

    @Test("a reason survives its status") func roundTrip() {
        for reason in FailureReason.allCases {
            let status = reason.status("why", metadata: [("x", "y")])
            #expect(FailureReason(status) == reason)
            #expect(status.code == reason.code)
            #expect(status.errorInfos.first?.metadata["blame"]?.string == reason.blame.rawValue)
        }
    }
}
