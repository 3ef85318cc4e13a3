// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Room for one record among those that wait to be committed. Given back when it is dropped, or when its record has
/// been committed.
package struct Reservation: ~Copyable, Sendable {
    private let writer: TraceWriter
    package private(set) var bytes: Int
    private var isHeld = true

    init(writer: TraceWriter, bytes: Int) {
        self.writer = writer
        self.bytes = bytes
    }

    deinit {
        if isHeld { writer.release(bytes: bytes, records: 1) }
    }

    /// Takes room for more bytes; false when there is none, and nothing has changed then.
    package mutating func grow(by more: Int) -> Bool {
        guard writer.grow(by: more) else { return false }
        bytes += more
        return true
    }

    /// Hands the room over to the record that fills it.
    consuming func handOver() -> Int {
        isHeld = false
        return bytes
    }
}
