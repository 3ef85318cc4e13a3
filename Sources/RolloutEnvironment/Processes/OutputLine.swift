// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
package import Logging
package import WireJSON

/// A line that a process wrote, as a line of its rollout's log.
///
/// A JSON object with a `severity` (or `level`) that is a name tells its level itself, its `message` (or `msg`) is the
/// text, and its other members become extras. Any other line is a text at the level of its stream.
package struct OutputLine: Sendable, Hashable {
    package enum Stream: String, Sendable { case stdout, stderr }

    package var level: Logger.Level
    package var message: String
    package var extras: JSONObject = [:]
    /// The end that the line tells, should it be the last: `{"status": {"code": …, "message": …}}`.
    package var closing: Status?

    package init(_ line: LineSplitter.Line, from stream: Stream) {
        level = stream == .stdout ? .info : .warning
        message = Self.harmless(line.bytes)
        if line.omitted > 0 { message += "… (\(line.omitted) bytes more)" }
        extras["stream"] = .string(stream.rawValue)
        guard line.omitted == 0, line.bytes.first == UInt8(ascii: "{"),
            let object = try? JSONValue(parsing: line.bytes).object
        else { return }
        if stream == .stdout { closing = Status(closing: object) }
        guard let level = ["severity", "level"].lazy.compactMap({ object[$0]?.string.flatMap(Self.level) }).first else {
            return
        }
        self.level = level
        let text = object["message"]?.string ?? object["msg"]?.string
        if let text { message = Self.harmless(Array(text.utf8)) }
        for member in object.members where !Self.ownKeys.contains(member.key.text) {
            extras[member.key.text] = member.value
        }
    }

    /// What a rollout's handler says itself, and what would say something about the rollout.
    private static let ownKeys: Set<String> = [
        "severity", "level", "message", "msg", "stream", "status", "rollcall", "rollout_id", "rollout_ids",
        "experiment_id", "run_id",
    ]

    private static func level(_ name: String) -> Logger.Level? {
        switch name.lowercased() {
        case "trace": .trace
        case "debug": .debug
        case "info", "default": .info
        case "notice": .notice
        case "warn", "warning": .warning
        case "error": .error
        case "critical", "fatal", "alert", "emergency": .critical
        default: nil
        }
    }

    /// The bytes as text that no terminal and no reader of logs mistakes for anything else: what is not UTF-8 is
    /// U+FFFD, control characters are shown as their pictures.
    package static func harmless(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        func isControl(_ scalar: Unicode.Scalar) -> Bool {
            (scalar.value < 0x20 && scalar != "\t") || (0x7F...0x9F).contains(scalar.value)
        }
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var shown = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x7F: shown.append("\u{2421}")
            case _ where !isControl(scalar): shown.append(scalar)
            case ..<0x20: shown.append(Unicode.Scalar(0x2400 + scalar.value) ?? "\u{FFFD}")
            default: shown.append("\u{FFFD}")
            }
        }
        return String(shown)
    }
}

extension Status {
    /// Reads the object with which an agent tells its end: a usable `status`, and `message` and `extras` beside it.
    init?(closing object: JSONObject) {
        guard let value = object["status"], value.object != nil, let status = try? Status(from: JSONReader(value)),
            status.isTerminal
        else { return nil }
        self = status
        lineMessage = object["message"]?.string
        extras = object["extras"]?.object?.removing(["rollcall"]) ?? [:]
    }
}
