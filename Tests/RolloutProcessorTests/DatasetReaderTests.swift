// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import RolloutProcessor
import Testing
import WireJSON

@Suite("RolloutProcessor: data sets")
struct DatasetReaderTests {
    private func read(_ text: String) async throws -> [EvaluationRow] {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        var rows: [EvaluationRow] = []
        for try await row in try DatasetReader(path: path) { rows.append(row) }
        return rows
    }

    @Test("rows come line by line, without an end of line too, and keep what they hold")
    func rows() async throws {
        let long = String(repeating: "x", count: 200_000)
        let rows = try await read(
            "\u{FEFF}{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}], \"mine\": 1}\r\n\n  \n"
                + "{\"messages\": [{\"role\": \"user\", \"content\": \"\(long)\"}], \"input_metadata\": {\"row_id\": \"r\"}}"
        )
        #expect(rows.count == 2)
        #expect(rows[0].additional["mine"] == 1)
        #expect(rows[1].messages[0].text == long)
        #expect(rows[1].inputMetadata.rowID == "r")
    }

    @Test(
        "a bad line is named with its file, its number and the field",
        arguments: [
            ("{\"messages\": [}", "line 2: not valid JSON"), ("[]", "line 2:"), ("{}", "messages"),
            ("{\"messages\": [{\"content\": \"x\"}]}", "role"), ("{\"messages\": [], \"tools\": 3}", "tools"),
        ])
    func badLine(_ line: String, _ told: String) async throws {
        await #expect {
            _ = try await read("{\"messages\": []}\n\(line)\n{\"messages\": []}\n")
        } throws: { error in
            "\(error)".contains(", line 2:") && "\(error)".contains(told)
        }
    }

    @Test("a file that is not there and a directory are said to be so")
    func noFile() {
        #expect { _ = try DatasetReader(path: "/nowhere/rows.jsonl") } throws: {
            "\($0)".contains("/nowhere/rows.jsonl: cannot")
        }
        #expect { _ = try DatasetReader(path: "/tmp") } throws: { "\($0)".contains("is a directory") }
    }
}
