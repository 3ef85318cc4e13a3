// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// A structured status after AIP-193: a code, a sentence for people, and details for programs.
public struct Status: Sendable, Hashable {
    public var code: StatusCode
    public var message: String
    /// Objects in the style of google.rpc, each with an `@type`.
    public var details: [JSONValue]
    /// What travels beside the status, as `extras` of its log line, and is not a part of its JSON.
    public var extras: JSONObject
    /// The text of the log line that brings it, where that is another than the message; no part of its JSON either.
    package var lineMessage: String?

    public init(code: StatusCode, message: String, details: [JSONValue] = [], extras: JSONObject = [:]) {
        self.code = code
        self.message = message
        self.details = details
        self.extras = extras
    }

    public var isTerminal: Bool { code.isTerminal }
    public var isSuccess: Bool { code.isSuccess }
}

extension Status: JSONConvertible {
    /// Reads a status; a missing or null message is empty, missing or null details are none.
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        _ = try reader.object()
        guard let code = StatusCode(rawValue: try reader["code"].int()) else {
            throw reader["code"].error(expected: "one of the codes 0 to 16 and 100 to 103")
        }
        self.code = code
        message = try reader["message"].present?.string() ?? ""
        details = []
        extras = [:]
        for detail in try reader["details"].present?.elements() ?? [] {
            details.append(.object(try detail.object()))
        }
    }

    public var json: JSONValue {
        ["code": .number(code.rawValue), "message": .string(message), "details": .array(details)]
    }
}
