// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// What a message says: a text, or a list of parts.
public enum MessageContent: Sendable, Hashable {
    case text(String)
    case parts([ContentPart])

    /// The text; of several parts, those that are text, joined.
    public var text: String {
        switch self {
        case .text(let text): text
        case .parts(let parts): parts.compactMap(\.text).joined()
        }
    }
}

extension MessageContent: JSONConvertible {
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        switch reader.value {
        case .string(let string): self = .text(string.text)
        case .array: self = .parts(try reader.decodeElements())
        default: throw reader.error(expected: "a string, null, or an array of content parts")
        }
    }

    public var json: JSONValue {
        switch self {
        case .text(let text): .string(text)
        case .parts(let parts): .array(parts.map(\.json))
        }
    }
}

/// A part of a message's content. Only text and images are given names; other parts are kept as they are.
public struct ContentPart: Sendable, Hashable {
    public let object: JSONObject

    public static func text(_ text: String) -> ContentPart {
        ContentPart(object: ["type": "text", "text": .string(text)])
    }

    /// - Parameter url: An `https:` or `data:` URL.
    public static func image(url: String) -> ContentPart {
        ContentPart(object: ["type": "image_url", "image_url": ["url": .string(url)]])
    }

    public init(object: JSONObject) { self.object = object }

    public var type: String { object["type"]?.string ?? "" }
    public var text: String? { type == "text" ? object["text"]?.string : nil }
    public var imageURL: String? { type == "image_url" ? object["image_url"]?["url"]?.string : nil }
}

extension ContentPart: JSONConvertible {
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        object = try reader.object()
        switch try reader["type"].string() {
        case "text": _ = try reader["text"].string()
        case "image_url": _ = try reader["image_url"].object()
        default: break
        }
    }

    public var json: JSONValue { .object(object) }
}
