// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
import WireJSON

/// A finished row in words: a line about how it ended, then who said what.
package enum TrajectoryText {
    package static func describe(_ row: EvaluationRow) -> String {
        var lines = [headline(of: row)]
        for message in row.messages { lines.append(contentsOf: describe(message)) }
        return lines.joined(separator: "\n")
    }

    /// `FINISHED  row 7 · rollout calm-otter-123456 · 3 calls · 412 tokens · 1.2 s: Rollout finished`
    package static func headline(of row: EvaluationRow) -> String {
        var parts = [
            "\(row.rolloutStatus.code.name)  row \(TerminalText.line(row.inputMetadata.rowID ?? "?", limit: 60))"
        ]
        let metadata = row.executionMetadata
        if let id = metadata.rolloutID { parts.append("rollout \(TerminalText.line(id, limit: 60))") }
        let turns = row.messages.count { $0.role == "assistant" }
        parts.append("\(turns) \(turns == 1 ? "turn" : "turns")")
        if let usage = metadata.usage { parts.append("\(usage.totalTokens) tokens") }
        if let seconds = metadata.rolloutDurationSeconds { parts.append(DurationText.seconds(seconds)) }
        let message = row.rolloutStatus.message
        return parts.joined(separator: " · ") + (message.isEmpty ? "" : ": \(TerminalText.line(message, limit: 500))")
    }

    private static func describe(_ message: Message) -> [String] {
        let speaker = TerminalText.line(message.role, limit: 20) + (message.toolCallID == nil ? "" : " result")
        var lines = entry(speaker, text(of: message.content))
        for call in message.toolCalls ?? [] {
            lines.append(contentsOf: entry("calls", "\(call.name)(\(call.arguments))"))
        }
        return lines
    }

    private static func text(of content: MessageContent?) -> String {
        switch content {
        case nil: ""
        case .text(let text): text
        case .parts(let parts): parts.map { $0.text ?? "[\($0.type)]" }.joined(separator: "\n")
        }
    }

    private static func entry(_ speaker: String, _ text: String) -> [String] {
        guard !text.isEmpty else { return [] }
        let lines = TerminalText.safe(text).split(separator: "\n", omittingEmptySubsequences: false)
        let first = "  \(speaker.padded(to: 12))"
        let rest = "  " + String(repeating: " ", count: 12)
        return lines.enumerated().map { ($0.offset == 0 ? first : rest) + $0.element }
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(1, width - count))
    }
}
