// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import WireJSON

/// Writes a JSON object, letting stored JSON through as the bytes it is.
struct JSONWriter {
    private(set) var bytes: [UInt8] = [UInt8(ascii: "{")]
    private var isFirst = true

    mutating func member(_ name: String, _ value: JSONValue) {
        key(name)
        value.append(to: &bytes)
    }

    mutating func member(_ name: String, raw: [UInt8]?) {
        key(name)
        bytes.append(contentsOf: raw ?? Array("null".utf8))
    }

    /// A list of objects.
    mutating func member(_ name: String, objects: [[UInt8]]) {
        key(name)
        bytes.append(UInt8(ascii: "["))
        for (index, object) in objects.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: object)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    consuming func finish() -> [UInt8] {
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    private mutating func key(_ name: String) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        JSONValue.string(name).append(to: &bytes)
        bytes.append(UInt8(ascii: ":"))
    }
}

extension JSONValue {
    static func optional(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
    static func optional(_ number: (some BinaryInteger)?) -> JSONValue {
        number.map { .number(JSONNumber($0)) } ?? .null
    }
    static func optional(_ bool: Bool?) -> JSONValue { bool.map { .bool($0) } ?? .null }
}
