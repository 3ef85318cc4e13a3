// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import WireJSON

/// Parser, validator and serializer of WireJSON agree, and no value is changed by being written and read again.
enum JSONFuzz: FuzzTarget {
    static let name = "json"

    static let seeds = [
        #"{"a":[1,-0.5e+10,1e400,12345678901234567890],"b":{"c":null,"c":true},"":"é\u00e9\ud83d\ude00\ud800x"}"#,
        #" [ "\"\\\/\b\f\n\r\t" , false , [[[[]]]] , {} ] "#,
        "\"\u{1F600}\u{7FF}\u{FFFF} 0123456789abcdefghijklmnopqrstuvwxyz\"",
    ].map { Array($0.utf8) }

    static func run(_ input: [UInt8]) {
        var validation: JSONError?
        do throws(JSONError) { try JSONValidation.validate(input.span) } catch { validation = error }
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: input)
        } catch {
            require(error == validation, "the parser refuses what the validator does, at the same place")
            require((0...input.count).contains(error.offset), "an error is within the bytes")
            return
        }
        require(validation == nil, "the validator takes what the parser does")

        let written = value.serialized()
        guard let again = try? JSONValue(parsing: written) else { fatalError("what was written cannot be read") }
        require(again == value, "a value is the same once written and read")
        require(again.serialized() == written, "a value is written in one way")
        require(String(validating: written, as: UTF8.self) != nil, "what is written is UTF-8")
        require((try? JSONValueDecoder().decode(JSONValue.self, from: value)) == value, "decoding keeps a value")
        require((try? JSONValueEncoder().encode(value)) == value, "encoding keeps a value")
        visit(value)
    }

    /// Looks at everything that is read of values.
    private static func visit(_ value: JSONValue) {
        switch value {
        case .null, .bool: break
        case .number(let number):
            if let int = number.int { require(Double(int) == number.double, "a whole number is its double") }
        case .string(let string): checkJoins(string)
        case .array(let array): array.forEach(visit)
        case .object(let object):
            for member in object.members {
                checkJoins(member.key)
                visit(member.value)
            }
        }
    }

    /// A string cut anywhere in its UTF-16 is whole again once joined.
    private static func checkJoins(_ string: JSONString) {
        let units = Array(string.text.utf16.prefix(64))
        for cut in 0...units.count {
            var joined = JSONString(utf16: Array(units[..<cut]))
            joined.append(JSONString(utf16: Array(units[cut...])))
            require(joined == JSONString(utf16: units), "a string is the same once cut and joined")
        }
    }
}
