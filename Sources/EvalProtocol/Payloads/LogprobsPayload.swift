// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The log probabilities of a completion's tokens, in the form `lp/v1`.
public struct LogprobsPayload: Sendable, Hashable {
    /// The payload's name in a trace.
    public static let name = "logprobs"
    /// The payload's `PayloadVersion`.
    public static let version = "lp/v1"

    /// A token: its id, if known, and its log probability.
    public struct Token: Sendable, Hashable {
        public var id: Int32?
        public var logprob: Float

        public init(id: Int32?, logprob: Float) {
            self.id = id
            self.logprob = logprob
        }
    }

    /// The completion's tokens in order; a payload without any is not to be sent.
    public var tokens: [Token]
    public var flags: UInt8

    public init(tokens: [Token], flags: UInt8 = 0) {
        self.tokens = tokens
        self.flags = flags
    }

    /// Reads the binary form.
    ///
    /// - Throws: ``PayloadError`` when the bytes are something else.
    public init(decoding bytes: [UInt8]) throws {
        var reader = LittleEndianReader(bytes)
        guard try reader.bytes(4).elementsEqual("LP01".utf8), try reader.integer(UInt8.self) == 1 else {
            throw PayloadError("the data is not log probabilities of version lp/v1")
        }
        flags = try reader.integer(UInt8.self)
        _ = try reader.integer(UInt16.self)
        let count = Int(try reader.integer(UInt32.self))
        let length = Int(try reader.integer(UInt32.self))
        _ = try reader.integer(UInt64.self)
        guard count > 0, length == 8 * count, bytes.count == 24 + length else {
            throw PayloadError("the log probabilities say \(count) tokens and \(length) bytes, and \(bytes.count) came")
        }
        tokens = []
        tokens.reserveCapacity(count)
        for _ in 0..<count {
            let id = try reader.integer(Int32.self)
            tokens.append(Token(id: id == -1 ? nil : id, logprob: Float(bitPattern: try reader.integer(UInt32.self))))
        }
    }

    /// The binary form.
    public func encode() -> [UInt8] {
        var bytes = Array("LP01".utf8)
        bytes.reserveCapacity(24 + 8 * tokens.count)
        bytes += [1, flags, 0, 0]
        bytes.appendLittleEndian(UInt32(tokens.count))
        bytes.appendLittleEndian(UInt32(8 * tokens.count))
        bytes.appendLittleEndian(UInt64(0))
        for token in tokens {
            bytes.appendLittleEndian(token.id ?? -1)
            bytes.appendLittleEndian(token.logprob.bitPattern)
        }
        return bytes
    }
}
