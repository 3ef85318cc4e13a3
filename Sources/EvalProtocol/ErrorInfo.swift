// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// The status detail `google.rpc.ErrorInfo`: a stable reason within a domain, and metadata.
public struct ErrorInfo: Sendable, Hashable {
    public static let type = "type.googleapis.com/google.rpc.ErrorInfo"
    public static let evalProtocolDomain = "eval-protocol.com"

    public var reason: String
    public var domain: String
    public var metadata: JSONObject

    public init(reason: String, domain: String = ErrorInfo.evalProtocolDomain, metadata: JSONObject = [:]) {
        self.reason = reason
        self.domain = domain
        self.metadata = metadata
    }

    public static func terminationReason(_ reason: TerminationReason) -> ErrorInfo {
        ErrorInfo(reason: "TERMINATION_REASON", metadata: ["termination_reason": .string(reason.rawValue)])
    }

    public static func extraInfo(_ info: JSONObject) -> ErrorInfo {
        ErrorInfo(reason: "EXTRA_INFO", metadata: info)
    }
}

extension ErrorInfo: JSONConvertible {
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        guard try reader["@type"].string() == ErrorInfo.type else {
            throw reader["@type"].error(expected: "\"\(ErrorInfo.type)\"")
        }
        reason = try reader["reason"].string()
        domain = try reader["domain"].present?.string() ?? ""
        metadata = try reader["metadata"].present?.object() ?? [:]
    }

    public var json: JSONValue {
        [
            "@type": .string(ErrorInfo.type), "reason": .string(reason), "domain": .string(domain),
            "metadata": .object(metadata),
        ]
    }
}

extension Status {
    /// The details that are `ErrorInfo`s.
    public var errorInfos: [ErrorInfo] { details.compactMap { try? ErrorInfo(from: JSONReader($0)) } }

    /// Why the agent stopped, when the status says so.
    public var terminationReason: TerminationReason? {
        errorInfos.first { $0.reason == "TERMINATION_REASON" }?.metadata["termination_reason"]?.string
            .flatMap(TerminationReason.init)
    }

    /// The free-form information that came with the status.
    public var extraInfo: JSONObject? { errorInfos.first { $0.reason == "EXTRA_INFO" }?.metadata }
}
