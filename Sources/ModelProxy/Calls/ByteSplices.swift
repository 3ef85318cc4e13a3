// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import WireJSON

/// Changes of a JSON document at several places; every other byte stays as it is.
struct ByteSplices {
    private var splices: [(range: Range<Int>, replacement: [UInt8])] = []

    var isEmpty: Bool { splices.isEmpty }

    mutating func replace(_ range: Range<Int>, with replacement: [UInt8]) { splices.append((range, replacement)) }

    /// Takes members out of an object, and with each the comma that it needed.
    ///
    /// - Parameter removed: the places of the members, rising.
    mutating func remove(_ removed: [Int], from object: JSONFields) {
        let fields = object.fields
        var keepsOneBefore = false
        var next = removed.startIndex
        for index in fields.indices {
            guard next < removed.endIndex, removed[next] == index else {
                keepsOneBefore = true
                continue
            }
            next += 1
            let end = fields[index].value.upperBound
            if keepsOneBefore {
                replace(fields[index - 1].value.upperBound..<end, with: [])
            } else {
                let following = index + 1 < fields.count ? fields[index + 1].key.lowerBound : end
                replace(fields[index].key.lowerBound..<following, with: [])
            }
        }
    }

    /// Gives members these values: in the place of the last one of the name, or at the object's end.
    mutating func set(_ members: [(name: String, value: String)], in object: JSONFields, of bytes: [UInt8]) {
        var new: [UInt8] = []
        for (name, value) in members {
            if let range = object.value(of: name, in: bytes.span) {
                replace(range, with: Array(value.utf8))
                continue
            }
            if !new.isEmpty || !object.fields.isEmpty { new.append(UInt8(ascii: ",")) }
            new += "\"\(name)\":\(value)".utf8
        }
        guard !new.isEmpty else { return }
        let end = object.fields.last?.value.upperBound ?? object.object.lowerBound + 1
        replace(end..<end, with: new)
    }

    /// The document with all changes; the same one where there are none.
    func applied(to bytes: [UInt8]) -> [UInt8] {
        guard !splices.isEmpty else { return bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + splices.reduce(0) { $0 + $1.replacement.count })
        var position = 0
        for splice in splices.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            result += bytes[position..<splice.range.lowerBound]
            result += splice.replacement
            position = splice.range.upperBound
        }
        result += bytes[position...]
        return result
    }
}
