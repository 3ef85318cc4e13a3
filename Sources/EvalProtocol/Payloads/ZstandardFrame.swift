// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Zstandard frames without compression, as RFC 8878 has them.
public enum ZstandardFrame {
    private static let magic: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
    private static let maximumBlockBytes = 128 << 10

    /// A valid frame that holds `bytes` as they are, with the content's size in its header.
    public static func rawBlocks(_ bytes: [UInt8]) -> [UInt8] {
        var frame = magic
        frame.reserveCapacity(bytes.count + 16 + 3 * (bytes.count / maximumBlockBytes + 1))
        // One segment, no checksum, no dictionary; the size in four bytes, or eight if it needs them.
        if let size = UInt32(exactly: bytes.count) {
            frame.append(0xA0)
            frame.appendLittleEndian(size)
        } else {
            frame.append(0xE0)
            frame.appendLittleEndian(UInt64(bytes.count))
        }
        var position = 0
        repeat {
            let count = min(maximumBlockBytes, bytes.count - position)
            let isLast = position + count == bytes.count
            let header = UInt32(count) << 3 | (isLast ? 1 : 0)
            frame += [UInt8(header & 0xFF), UInt8(header >> 8 & 0xFF), UInt8(header >> 16)]
            frame += bytes[position..<position + count]
            position += count
        } while position < bytes.count
        return frame
    }

    /// The content of a frame of raw and run-length blocks.
    ///
    /// - Returns: `nil` when a block is compressed.
    /// - Throws: ``PayloadError`` when the bytes are not one whole frame.
    public static func contentOfRawBlocks(_ frame: [UInt8]) throws -> [UInt8]? {
        var reader = LittleEndianReader(frame)
        guard try reader.bytes(4).elementsEqual(magic) else { throw PayloadError("the data is not a zstd frame") }
        let descriptor = try reader.integer(UInt8.self)
        let isSingleSegment = descriptor & 0x20 != 0
        guard descriptor & 0x08 == 0 else { throw PayloadError("the zstd frame uses a reserved bit") }
        if !isSingleSegment { _ = try reader.bytes(1) }
        guard try reader.bytes([0, 1, 2, 4][Int(descriptor & 3)]).allSatisfy({ $0 == 0 }) else {
            throw PayloadError("the zstd frame needs a dictionary")
        }
        let size: UInt64?
        switch descriptor >> 6 {
        case 0: size = isSingleSegment ? UInt64(try reader.integer(UInt8.self)) : nil
        case 1: size = UInt64(try reader.integer(UInt16.self)) + 256
        case 2: size = UInt64(try reader.integer(UInt32.self))
        default: size = try reader.integer(UInt64.self)
        }
        var content: [UInt8] = []
        var isLast = false
        while !isLast {
            let bytes = try reader.bytes(3)
            let header = bytes.reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            isLast = header & 1 == 1
            let count = Int(header >> 3)
            switch header >> 1 & 3 {
            case 0: content += try reader.bytes(count)
            case 1:
                guard count <= maximumBlockBytes else { throw PayloadError("a block of the zstd frame is too long") }
                content += [UInt8](repeating: try reader.integer(UInt8.self), count: count)
            case 2: return nil
            default: throw PayloadError("the zstd frame has a block of a reserved type")
            }
        }
        if descriptor & 0x04 != 0 { _ = try reader.bytes(4) }
        guard reader.isAtEnd else { throw PayloadError("something follows the zstd frame") }
        guard size == nil || size == UInt64(content.count) else {
            throw PayloadError("the zstd frame says \(size ?? 0) bytes and has \(content.count)")
        }
        return content
    }
}
