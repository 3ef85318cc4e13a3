// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import WireJSON

/// Writes log lines to standard error, one line each, as text for people or as JSON for programs.
struct StandardErrorLogHandler: LogHandler {
    enum Format: String, Sendable { case text, json }

    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let format: Format
    private let line: StandingLine

    /// - Parameter line: What the lines must leave as it is.
    init(label: String, level: Logger.Level, format: Format, around line: StandingLine) {
        self.label = label
        self.format = format
        self.line = line
        logLevel = level
    }

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let own = event.metadata { all.merge(own) { $1 } }
        if let error = event.error { all["error"] = "\(error)" }
        let fields = all.map { (key: $0.key, value: $0.value.description) }.sorted { $0.key < $1.key }
        let line =
            switch format {
            case .text: text(event, fields)
            case .json: json(event, fields)
            }
        self.line.note(line + "\n")
    }

    private func text(_ event: LogEvent, _ fields: [(key: String, value: String)]) -> String {
        let details = fields.map { " \($0.key)=\(Self.oneLine($0.value))" }.joined()
        let level = event.level.rawValue.uppercased()
        return "\(Self.time()) \(level) \(Self.oneLine(event.message.description))\(details)"
    }

    private func json(_ event: LogEvent, _ fields: [(key: String, value: String)]) -> String {
        var object: JSONObject = [
            "time": .string(Self.time()), "level": .string(event.level.rawValue), "logger": .string(label),
            "message": .string(event.message.description),
        ]
        for field in fields where object[field.key] == nil { object.append(field.key, .string(field.value)) }
        return JSONValue.object(object).description
    }

    /// A line stays a line whatever a peer sent.
    private static func oneLine(_ text: String) -> String {
        func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.generalCategory == .control }
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? " " : $0 }))
    }

    private static func time() -> String {
        Date().formatted(
            .iso8601.year().month().day().timeZone(separator: .omitted).time(includingFractionalSeconds: true))
    }
}
