// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// An error a gateway answers with, in the form of the chat completions API, and once more as `detail`.
public struct GatewayError: Error, Sendable, Hashable {
    /// What happened and what to do, in one sentence.
    public var message: String
    /// The class of the error: `invalid_request_error`.
    public var type: String
    /// The parameter that is wrong.
    public var param: String?
    /// The error itself, for programs: `not_recorded`.
    public var code: String?

    public init(
        message: String, type: String = "invalid_request_error", param: String? = nil, code: String? = nil
    ) {
        self.message = message
        self.type = type
        self.param = param
        self.code = code
    }
}

extension GatewayError: CustomStringConvertible {
    public var description: String { message }
}

extension GatewayError: JSONConvertible {
    /// Reads an error of a gateway or of a model's server: an `error` object or text, or only a `detail`.
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        _ = try reader.object()
        let error = reader["error"]
        let detail = reader["detail"].present
        let text = error["message"].value?.string ?? error.value?.string ?? detail?.value?.string
        guard let message = text ?? detail?.value?.description ?? error.present?.value?.description else {
            throw error.error(expected: "an object with a message")
        }
        self.message = message
        type = error["type"].value?.string ?? "unknown"
        param = error["param"].value?.string
        // Some servers repeat the HTTP status here, as a number.
        code = error["code"].value?.string ?? error["code"].value?.int.map(String.init)
    }

    public var json: JSONValue {
        [
            "error": [
                "message": .string(message), "type": .string(type), "param": param.map { .string($0) } ?? .null,
                "code": code.map { .string($0) } ?? .null,
            ],
            "detail": .string(message),
        ]
    }
}
