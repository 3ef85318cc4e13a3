// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import WireJSON

/// What is found in and spliced into bytes is what parsing them would have given, and other bytes stay.
enum FieldsFuzz: FuzzTarget {
    static let name = "fields"

    static let seeds = [
        #"{"model":"m","messages":[{"role":"user"}, {} ,"x"],"stream":true}"#,
        #" { "a" : 1 , "\u0061" : [ ] , "a":{"b":2} } "#,
        "{}", "[1,2]", #"{"only":0}"#,
    ].map { Array($0.utf8) }

    static func run(_ input: [UInt8]) {
        let value = try? JSONValue(parsing: input)
        let fields = try? JSONFields(of: input.span)
        guard case .object(let object)? = value, let fields else {
            require(fields == nil && value?.object == nil, "fields are found in objects alone, and in all of them")
            return
        }
        check(fields, in: input, are: object)
        for key in Set([object.keys.first, object.keys.last, "model"].compactMap(\.self)) {
            splice(key, in: input, object)
        }
    }

    private static func check(_ fields: JSONFields, in input: [UInt8], are object: JSONObject) {
        require(fields.fields.count == object.count, "each member has a field")
        for (field, member) in zip(fields.fields, object.members) {
            require(parsed(input[field.key]) == .string(member.key), "a field has its member's key")
            require(parsed(input[field.value]) == member.value, "a field has its member's value")
            let ranges = JSONElements.ranges(ofArrayAt: field.value, in: input.span)
            require(
                ranges.map { $0.map { parsed(input[$0]) } } == member.value.array, "elements are those of the array")
            let inner = try? JSONFields(ofObjectAt: field.value, in: input.span)
            require(inner?.fields.count == member.value.object?.count, "an object within has its fields")
        }
        for key in object.keys {
            let range = fields.value(of: key, in: input.span)
            require(range.map { parsed(input[$0]) } == object[key], "a name finds its last value")
        }
    }

    private static func splice(_ key: String, in input: [UInt8], _ object: JSONObject) {
        var expected = object
        expected[key] = nil
        guard let removed = try? JSONSplice.removing(key, from: input) else { fatalError("a member cannot be removed") }
        require(parsed(removed[...]) == .object(expected), "a removed member is gone, and nothing else")
        require(isPart(removed, of: input), "removing leaves bytes out and adds none")

        expected = object
        expected[key] = ["x", 1]
        let value = Array(#"["x", 1]"#.utf8)
        guard let set = try? JSONSplice.setting(key, to: value, in: input) else { fatalError("a member cannot be set") }
        require(parsed(set[...]) == .object(expected), "a member has the value it was given, and others theirs")
        if object[key] == nil { require(isPart(input, of: set), "adding a member takes no bytes away") }
    }

    private static func parsed(_ bytes: ArraySlice<UInt8>) -> JSONValue? { try? JSONValue(parsing: Array(bytes)) }

    /// Whether `bytes` are `whole` with some left out.
    private static func isPart(_ bytes: [UInt8], of whole: [UInt8]) -> Bool {
        var index = 0
        for byte in whole where index < bytes.count && byte == bytes[index] { index += 1 }
        return index == bytes.count
    }
}
