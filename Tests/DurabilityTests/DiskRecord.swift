// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation

/// What diskfaults.c has written down, in the order it took effect.
struct DiskRecord {
    struct Entry {
        enum Kind: UInt32 {
            case write = 1
            case truncate, sync, unlink
        }

        var kind: Kind
        var file: DiskFaults.File
        var offset: Int
        /// How long the record was when a sync began: what stands there by then is what the sync covers.
        var begin: Int
        var hasFailed: Bool
        /// Where the entry stands in the record, and where what was written does.
        var start: Int
        var payload: Range<Int>
    }

    let bytes: [UInt8]
    let entries: [Entry]

    /// Ends before an entry that was cut short by the end of the process.
    init(_ url: URL) throws {
        bytes = [UInt8](try Data(contentsOf: url))
        entries = bytes.withUnsafeBytes { bytes in
            var entries: [Entry] = []
            var position = 0
            func number<Number: FixedWidthInteger>(_ offset: Int, _: Number.Type) -> Int {
                Int(bytes.loadUnaligned(fromByteOffset: position + offset, as: Number.self))
            }
            while position + 32 <= bytes.count {
                let payload = position + 32..<position + 32 + number(24, UInt32.self)
                guard payload.upperBound <= bytes.count,
                    let kind = Entry.Kind(rawValue: UInt32(number(0, UInt32.self))),
                    let file = DiskFaults.File(rawValue: Int32(number(4, UInt32.self)))
                else { break }
                entries.append(
                    Entry(
                        kind: kind, file: file, offset: number(8, UInt64.self), begin: number(16, UInt64.self),
                        hasFailed: number(28, Int32.self) != 0, start: position, payload: payload))
                position = payload.upperBound
            }
            return entries
        }
    }
}
