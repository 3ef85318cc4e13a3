// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
public import Logging
import WireJSON

extension Logger.MetadataValue {
    /// A status as metadata: under the key `status` of a log call it sets the rollout's status.
    public static func status(_ status: Status) -> Logger.MetadataValue {
        .stringConvertible(StatusInMetadata(status: status))
    }
}

/// A status that other handlers can print.
struct StatusInMetadata: Sendable, CustomStringConvertible {
    let status: Status

    var description: String { "\(status.code.name): \(status.message)" }
}

extension Status {
    /// The status in a metadata value: one made by ``Logging/Logger/MetadataValue/status(_:)``, a dictionary with
    /// `code` and `message`, or the text of such a JSON object. Anything else is none.
    init?(metadataValue: Logger.MetadataValue) {
        switch metadataValue {
        case .stringConvertible(let value as StatusInMetadata): self = value.status
        case .string(let text):
            guard text.hasPrefix("{"), let status = try? Status(parsing: Array(text.utf8)) else { return nil }
            self = status
        case .stringConvertible, .dictionary:
            var object = metadataValue.json
            // Numbers in metadata literals are strings.
            if case .object(var members) = object, let code = members["code"]?.string.flatMap(Int.init) {
                members["code"] = .number(code)
                object = .object(members)
            }
            guard let status = try? Status(from: JSONReader(object)) else { return nil }
            self = status
        case .array: return nil
        }
    }
}

extension Logger.MetadataValue {
    /// The value as JSON; numbers, booleans and JSON values keep their types.
    var json: JSONValue {
        switch self {
        case .string(let text): .string(text)
        case .dictionary(let dictionary): .object(dictionary.jsonObject)
        case .array(let array): .array(array.map(\.json))
        case .stringConvertible(let value):
            switch value {
            case let value as JSONValue: value
            case let value as Bool: .bool(value)
            case let value as any BinaryInteger: JSONValue(integer: value)
            case let value as Double: .number(value)
            case let value as Float: .number(Double(value))
            case let value as any JSONConvertible: value.json
            default: .string(value.description)
            }
        }
    }
}

extension JSONValue {
    fileprivate init(integer: some BinaryInteger) { self = .number(integer) }
}

extension Logger.Metadata {
    /// The metadata as a JSON object, sorted by key, as a dictionary has no order of its own.
    var jsonObject: JSONObject {
        JSONObject(sorted { $0.key < $1.key }.map { (JSONString($0.key), $0.value.json) })
    }
}
