// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Cuts what a process writes into lines of bounded length.
///
/// A carriage return that no line feed follows begins the line anew, as on a terminal: of a progress bar, what it showed
/// last remains.
package struct LineSplitter: Sendable {
    package struct Line: Sendable, Hashable {
        package var bytes: [UInt8]
        /// How many bytes there were beyond the longest line.
        package var omitted = 0

        package init(bytes: [UInt8], omitted: Int = 0) {
            self.bytes = bytes
            self.omitted = omitted
        }
    }

    private let maximumBytes: Int
    private var line = Line(bytes: [])
    private var hasReturned = false

    package init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    /// Takes the next bytes and hands out the lines that they complete.
    package mutating func append(_ bytes: UnsafeRawBufferPointer, _ handle: (Line) -> Void) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                handle(line)
                begin()
                continue
            }
            if byte == UInt8(ascii: "\r") {
                hasReturned = true
                continue
            }
            if hasReturned { begin() }
            if line.bytes.count < maximumBytes {
                line.bytes.append(byte)
            } else {
                line.omitted += 1
            }
        }
    }

    /// The last line, if no line feed ended it.
    package mutating func finish() -> Line? {
        defer { begin() }
        return line.bytes.isEmpty ? nil : line
    }

    private mutating func begin() {
        line = Line(bytes: [])
        hasReturned = false
    }
}
