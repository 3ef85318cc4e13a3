// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A JSON value that loses nothing a peer may depend on: the order of keys, repeated keys, the digits of
/// numbers, and lone surrogates in strings.
///
/// Only white space and the choice between a character and its escape are not kept; whoever needs those keeps
/// the bytes and works with ``JSONFields``.
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(JSONString)
    case array([JSONValue])
    case object(JSONObject)
}

extension JSONValue {
    public static func string(_ string: String) -> JSONValue { .string(JSONString(string)) }
    public static func number(_ integer: some BinaryInteger) -> JSONValue { .number(JSONNumber(integer)) }

    /// A number, or `null` when `double` is not finite, since JSON has no such numbers.
    public static func number(_ double: Double) -> JSONValue { JSONNumber(double).map(JSONValue.number) ?? .null }

    public var isNull: Bool { self == .null }

    public var bool: Bool? {
        if case .bool(let bool) = self { bool } else { nil }
    }

    /// The integer, when this is a number whose value is whole and fits; `7.0` and `70e-1` are 7.
    public var int: Int? {
        if case .number(let number) = self { number.int } else { nil }
    }

    public var double: Double? {
        if case .number(let number) = self { number.double } else { nil }
    }

    /// The text, with U+FFFD for every lone surrogate.
    public var string: String? {
        if case .string(let string) = self { string.text } else { nil }
    }

    public var array: [JSONValue]? {
        if case .array(let array) = self { array } else { nil }
    }

    public var object: JSONObject? {
        if case .object(let object) = self { object } else { nil }
    }

    /// The value of `key`, when this is an object that has it.
    public subscript(key: String) -> JSONValue? { object?[key] }

    /// The element at `index`, when this is an array that has one there.
    public subscript(index: Int) -> JSONValue? {
        guard case .array(let array) = self, array.indices.contains(index) else { return nil }
        return array[index]
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(nilLiteral: ()) { self = .null }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int) { self = .number(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(JSONObject(elements.map { (JSONString($0.0), $0.1) }))
    }
}

extension JSONValue: CustomStringConvertible {
    /// The value as JSON text.
    public var description: String { String(decoding: serialized(), as: UTF8.self) }
}
