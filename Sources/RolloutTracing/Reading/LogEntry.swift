// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
public import WireJSON

/// A log line as a gateway gives it back.
public struct LogEntry: Sendable, Hashable {
    /// ISO 8601, as the gateway wrote it.
    public var timestamp: String?
    public var message: String
    public var severity: String
    public var tags: [String]
    /// `nil` also for a status whose code is missing or unknown; ``raw`` has it.
    public var status: Status?
    public var extras: JSONObject
    /// The whole entry.
    public var raw: JSONValue
}

extension LogEntry: JSONConvertible {
    /// Reads an entry; what is missing or null takes its default.
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        raw = .object(try reader.object())
        timestamp = try reader["timestamp"].present?.string()
        message = try reader["message"].present?.string() ?? ""
        severity = try reader["severity"].present?.string() ?? "INFO"
        tags = []
        for tag in try reader["tags"].present?.elements() ?? [] { tags.append(try tag.string()) }
        status = try? reader["status"].present?.decode()
        extras = reader["extras"].value?.object ?? [:]
    }

    public var json: JSONValue { raw }
}
