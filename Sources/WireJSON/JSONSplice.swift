// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Edits of an object's top-level fields that leave every other byte of the document as it is.
public enum JSONSplice {
    /// The document without any member of this name, and without the commas that these needed.
    ///
    /// - Throws: ``JSONError`` when the bytes are not one JSON object.
    public static func removing(_ name: String, from bytes: [UInt8]) throws(JSONError) -> [UInt8] {
        let fields = try JSONFields(of: bytes.span)
        var name = name
        let isKept = bytes.withUnsafeBufferPointer { buffer in
            name.withUTF8 { name in fields.fields.map { !$0.isNamed(name, in: buffer) } }
        }
        guard isKept.contains(false) else { return bytes }
        return bytes[..<fields.object.lowerBound] + object(fields, in: bytes, keeping: isKept)
            + bytes[fields.object.upperBound...]
    }

    /// An object's own bytes with some of its members only, and with the commas that these need.
    ///
    /// - Parameters:
    ///   - fields: The object's fields, which were found in `bytes`.
    ///   - isKept: Whether a field stays, for each of them.
    package static func object(_ fields: JSONFields, in bytes: [UInt8], keeping isKept: [Bool]) -> [UInt8] {
        let (object, fields) = (fields.object, fields.fields)
        guard let first = fields.first, let last = fields.last else { return Array(bytes[object]) }
        var result: [UInt8] = []
        result.reserveCapacity(object.count)
        result += bytes[object.lowerBound..<first.key.lowerBound]
        var keptAny = false
        for (index, field) in fields.enumerated() where isKept[index] {
            // What stood between this member and the one before it now stands between it and the last one kept.
            if keptAny { result += bytes[fields[index - 1].value.upperBound..<field.key.lowerBound] }
            result += bytes[field.key.lowerBound..<field.value.upperBound]
            keptAny = true
        }
        result += bytes[last.value.upperBound..<object.upperBound]
        return result
    }

    /// The document with the last value of `name` replaced in its place, or with a new member at its end.
    ///
    /// - Parameter value: The JSON to put there.
    /// - Throws: ``JSONError`` when the bytes are not one JSON object, or `value` is not JSON.
    public static func setting(_ name: String, to value: [UInt8], in bytes: [UInt8]) throws(JSONError) -> [UInt8] {
        let fields = try JSONFields(of: bytes.span)
        try JSONValidation.validate(value.span)
        if let range = fields.value(of: name, in: bytes.span) {
            return bytes[..<range.lowerBound] + value + bytes[range.upperBound...]
        }
        var member: [UInt8] = []
        if !fields.fields.isEmpty { member.append(UInt8(ascii: ",")) }
        JSONString(name).append(to: &member)
        member.append(UInt8(ascii: ":"))
        member += value
        let end = fields.fields.last?.value.upperBound ?? fields.object.lowerBound + 1
        return bytes[..<end] + member + bytes[end...]
    }
}
