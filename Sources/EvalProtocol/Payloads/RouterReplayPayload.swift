// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Which experts a mixture-of-experts model routed its tokens to, in the form `r3/v1`.
public struct RouterReplayPayload: Sendable, Hashable {
    /// The payload's name in a trace.
    public static let name = "router_replay"
    /// The payload's `PayloadVersion`.
    public static let version = "r3/v1"

    /// How the payload says which tokens have a matrix.
    public enum Selector: UInt8, Sendable, Hashable {
        case all = 0
        case suffix
        case bitmap
    }

    /// The type of a matrix's elements.
    public enum Element: UInt8, Sendable, Hashable {
        case uint8 = 1
        case uint16
    }

    /// More tokens than any conversation has: a count that is only claimed must not cost its memory.
    private static let maximumTokens = 1 << 24

    public var selector: Selector
    public var element: Element
    public var flags: UInt8
    /// A matrix for each token, `nil` for those that have none. All are of one size.
    public var matrices: [[UInt8]?]

    /// - Parameter selector: `nil` for the shortest that fits.
    /// - Throws: ``PayloadError`` when the matrices differ in size, or `selector` cannot say which tokens have one.
    public init(
        matrices: [[UInt8]?], element: Element = .uint8, selector: Selector? = nil, flags: UInt8 = 0
    ) throws {
        let present = matrices.compactMap { $0 }
        guard Set(present.map(\.count)).count <= 1 else { throw PayloadError("the routing matrices differ in size") }
        let isAll = present.count == matrices.count
        let isSuffix = matrices.suffix(present.count).allSatisfy { $0 != nil }
        self.selector = selector ?? (isAll ? .all : isSuffix ? .suffix : .bitmap)
        guard self.selector != .all || isAll, self.selector != .suffix || isSuffix else {
            throw PayloadError("the tokens with a routing matrix are not what the selector can say")
        }
        self.matrices = matrices
        self.element = element
        self.flags = flags
    }

    /// Reads the binary form.
    ///
    /// - Throws: ``PayloadError`` when the bytes are something else.
    public init(decoding bytes: [UInt8]) throws {
        var reader = LittleEndianReader(bytes)
        guard try reader.bytes(4).elementsEqual("R3V1".utf8), try reader.integer(UInt8.self) == 1 else {
            throw PayloadError("the data is not routing matrices of version r3/v1")
        }
        guard let selector = Selector(rawValue: try reader.integer(UInt8.self)),
            let element = Element(rawValue: try reader.integer(UInt8.self))
        else { throw PayloadError("the routing matrices have an unknown selector or element type") }
        let flags = try reader.integer(UInt8.self)
        let total = Int(try reader.integer(UInt32.self))
        let replayed = Int(try reader.integer(UInt32.self))
        let start = Int(try reader.integer(UInt32.self))
        let selectorLength = Int(try reader.integer(UInt32.self))
        let matricesLength = try reader.integer(UInt64.self)
        guard total <= Self.maximumTokens, replayed <= total, selector != .all || replayed == total || replayed == 0,
            matricesLength <= UInt64(bytes.count), replayed == 0 || matricesLength % UInt64(replayed) == 0
        else { throw PayloadError("the routing matrices' counts do not fit one another") }
        let bitmap = Array(try reader.bytes(selectorLength))

        let indices: [Int]
        switch selector {
        case .all: indices = Array(0..<total)
        case .suffix: indices = Array(start..<start + replayed)
        case .bitmap: indices = (0..<min(total, bitmap.count * 8)).filter { bitmap[$0 / 8] >> ($0 % 8) & 1 == 1 }
        }
        var matrices = [[UInt8]?](repeating: nil, count: total)
        if replayed > 0 {
            guard indices.count == replayed, (indices.last ?? 0) < total else {
                throw PayloadError("the selector names \(indices.count) tokens, and \(replayed) have a routing matrix")
            }
            let size = Int(clamping: matricesLength / UInt64(replayed))
            for index in indices { matrices[index] = Array(try reader.bytes(size)) }
        }
        self.matrices = matrices
        self.selector = selector
        self.element = element
        self.flags = flags
    }

    /// The binary form.
    public func encode() -> [UInt8] {
        let present = matrices.compactMap { $0 }
        // What was decoded may begin anywhere, not just where the last tokens do.
        let first = matrices.firstIndex { $0 != nil } ?? matrices.count
        var bitmap: [UInt8] = []
        if selector == .bitmap {
            bitmap = [UInt8](repeating: 0, count: (matrices.count + 7) / 8)
            for (index, matrix) in matrices.enumerated() where matrix != nil { bitmap[index / 8] |= 1 << (index % 8) }
        }
        var bytes = Array("R3V1".utf8)
        bytes += [1, selector.rawValue, element.rawValue, flags]
        bytes.appendLittleEndian(UInt32(matrices.count))
        bytes.appendLittleEndian(UInt32(present.count))
        bytes.appendLittleEndian(UInt32(selector == .suffix ? first : 0))
        bytes.appendLittleEndian(UInt32(bitmap.count))
        bytes.appendLittleEndian(UInt64(present.reduce(0) { $0 + $1.count }))
        bytes += bitmap
        for matrix in present { bytes += matrix }
        return bytes
    }
}
