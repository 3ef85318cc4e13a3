// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import WireJSON

/// The name of one execution of a rollout: 1 to 64 letters, digits, dots, underscores and hyphens.
public struct AttemptID: Sendable, Hashable, CustomStringConvertible {
    public let description: String

    /// Fails for a text of another form.
    public init?(_ text: String) {
        guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy(Self.isAllowed) else { return nil }
        description = text
    }

    /// A name that no other attempt has.
    public static func random() -> AttemptID {
        var text: [UInt8] = []
        // Eight digits take so little of a number that each is as likely as the others.
        for _ in 0..<2 {
            var number = UInt64.random(in: .min ... .max)
            for _ in 0..<8 {
                let digit = UInt8(number % 36)
                text.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
                number /= 36
            }
        }
        return AttemptID(unchecked: String(decoding: text, as: UTF8.self))
    }

    private init(unchecked text: String) { description = text }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

extension AttemptID: JSONConvertible {
    public init(from reader: JSONReader) throws(JSONDecodingError) {
        guard let attempt = AttemptID(try reader.string()) else {
            throw reader.error(expected: "1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'")
        }
        self = attempt
    }

    public var json: JSONValue { .string(description) }
}
