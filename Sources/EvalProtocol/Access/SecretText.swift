// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A key or another secret: compared in constant time, and never printed.
package struct SecretText: Sendable {
    /// The secret itself, to blot it out where it might be shown.
    package let text: String
    private let bytes: [UInt8]

    package init(_ text: String) {
        self.text = text
        bytes = Array(text.utf8)
    }

    /// Whether it is what somebody has shown. Takes the same time wherever two of one length differ.
    package func equals(_ shown: ArraySlice<UInt8>) -> Bool {
        guard bytes.count == shown.count else { return false }
        var difference: UInt8 = 0
        for (one, other) in zip(bytes, shown) { difference |= one ^ other }
        return difference == 0
    }
}

extension SecretText: CustomStringConvertible, CustomReflectable {
    package var description: String { "[redacted]" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
