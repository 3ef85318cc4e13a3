// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// The body of `POST /logs`: a line of an agent's log, which may carry the rollout's status.
public struct LogLine: Sendable, Hashable {
    public static let defaultProgram = "eval_protocol"

    public var program: String
    public var message: String
    /// `name:value` each; the rollout the line is about first.
    public var tags: [String]
    public var status: Status?
    public var extras: JSONObject

    public init(
        program: String = LogLine.defaultProgram, message: String, tags: [String], status: Status? = nil,
        extras: JSONObject = [:]
    ) {
        self.program = program
        self.message = message
        self.tags = tags
        self.status = status
        self.extras = extras
    }
}

extension LogLine: JSONConvertible {
    /// Reads a line as a gateway shows it. A status without a usable code counts as none.
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        _ = try reader.object()
        program = try reader["program"].present?.string() ?? LogLine.defaultProgram
        message = try reader["message"].present?.string() ?? ""
        tags = []
        for tag in try reader["tags"].present?.elements() ?? [] { tags.append(try tag.string()) }
        let status = reader["status"]
        self.status = status["code"].isAbsent ? nil : try? Status(from: status)
        extras = try reader["extras"].present?.object() ?? [:]
    }

    public var json: JSONValue {
        [
            "program": .string(program), "status": status?.json ?? .null, "message": .string(message),
            "tags": .array(tags.map { .string($0) }), "extras": .object(extras),
        ]
    }
}
