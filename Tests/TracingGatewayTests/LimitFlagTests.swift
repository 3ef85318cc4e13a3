// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// The flags themselves: their help, their table, and what is refused as a limit.
@Suite("TracingGateway: flags of limits") struct LimitFlagTests {
    /// Flag, variable and default, as `--help` tells them under Limits.
    private static func limits() async throws -> [(flag: String, variable: String, standard: String)] {
        let help = try RollcallProcess("gateway", ["--help"], variables: ["COLUMNS": "1000"])
        #expect(try await help.exitCode() == 0)
        let section = try #require(help.output.split(separator: "LIMITS:").last?.split(separator: "OPTIONS:").first)
        let text = section.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        let pattern = /(--[a-z-]+) <[a-z]+> [^(]+\((ROLLCALL_[A-Z_]+); default: ([0-9]+)\)/
        let found = text.matches(of: pattern).map { (String($0.1), String($0.2), String($0.3)) }
        // Each of them is understood.
        #expect(found.count == text.matches(of: /--[a-z-]+ </).count)
        return found
    }

    @Test("the table of docs/limits.md has every limit, with its default, and nothing else") func table() async throws {
        let file = URL(fileURLWithPath: #filePath).appending(path: "../../../docs/limits.md").standardizedFileURL
        let rows = try String(contentsOf: file, encoding: .utf8).matches(of: /\n\| `(--[a-z-]+)` \| ([0-9]+) \|/)
        let limits = try await Self.limits()
        #expect(limits.count > 25)
        #expect(rows.map { "\($0.1) \($0.2)" } == limits.map { "\($0.flag) \($0.standard)" })
    }

    @Test("0 and nonsense are refused in a sentence, of the flag and of the variable") func nonsense() async throws {
        // Where no gateway could start, should one of them be taken.
        let store = ["--store", "sqlite:/no/such/folder/s.sqlite"]
        for limit in try await Self.limits() {
            for text in ["0", "-1", "many", "1e99"] {
                let process = try RollcallProcess("gateway", store + ["\(limit.flag)=\(text)"])
                #expect(try await process.exitCode() == 64, "\(limit.flag) \(text)")
                #expect(process.errors.contains("\(limit.flag) is '\(text)', expected "), "\(process.errors)")
            }
            let process = try RollcallProcess("gateway", store, variables: [limit.variable: "none"])
            #expect(try await process.exitCode() == 64, "\(limit.variable)")
            #expect(process.errors.contains("\(limit.variable) is 'none', expected "), "\(process.errors)")
        }
    }
}
