// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Finds the elements of an array without parsing them.
public enum JSONElements {
    /// The bytes of each element of the array at `range`, without the white space around them.
    ///
    /// - Parameter range: A value within bytes that have been found to be JSON, such as a ``JSONFields/Field``'s.
    /// - Returns: `nil` when the value is not an array.
    public static func ranges(ofArrayAt range: Range<Int>, in bytes: borrowing Span<UInt8>) -> [Range<Int>]? {
        guard range.lowerBound >= 0, range.upperBound <= bytes.count else { return nil }
        return bytes.withUnsafeBufferPointer { buffer in
            var scanner = JSONScanner(buffer, from: range.lowerBound, to: range.upperBound)
            scanner.skipWhiteSpace()
            guard scanner.take(UInt8(ascii: "[")) else { return nil }
            var ranges: [Range<Int>] = []
            scanner.skipWhiteSpace()
            if scanner.take(UInt8(ascii: "]")) { return ranges }
            do throws(JSONError) {
                while true {
                    scanner.skipWhiteSpace()
                    let start = scanner.position
                    try scanner.value(maximumDepth: .max)
                    ranges.append(start..<scanner.position)
                    scanner.skipWhiteSpace()
                    if scanner.take(UInt8(ascii: ",")) { continue }
                    return scanner.take(UInt8(ascii: "]")) ? ranges : nil
                }
            } catch {
                return nil
            }
        }
    }
}
