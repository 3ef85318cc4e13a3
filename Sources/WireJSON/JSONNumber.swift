// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A number as its text: `1.0`, `1e400` and `12345678901234567890` stay what they are.
public struct JSONNumber: Sendable, Hashable {
    /// The number as JSON writes it.
    public let text: String

    /// Takes text that the parser has already accepted as a number.
    init(validated text: String) { self.text = text }

    public init(_ integer: some BinaryInteger) { text = String(integer) }

    /// Fails when `double` is infinite or not a number.
    public init?(_ double: Double) {
        guard double.isFinite else { return nil }
        // Python and JavaScript write whole numbers of this size without an exponent, too.
        if double == double.rounded(), abs(double) < 1e15, !(double == 0 && double.sign == .minus) {
            text = "\(Int64(double)).0"
        } else {
            text = "\(double)"
        }
    }

    /// The value as an integer, when it is whole and fits.
    public var int: Int? {
        if let int = Int(text) { return int }
        guard let double = Double(text), double == double.rounded(), abs(double) < 9_007_199_254_740_992 else {
            return nil
        }
        return Int(double)
    }

    /// The nearest double; infinite when the number is out of a double's range.
    public var double: Double { Double(text) ?? .nan }
}
