// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import WireJSON

/// The token ids of a prompt, in the form `pti/v1`.
public struct PromptTokenIDsPayload: Sendable, Hashable {
    /// The payload's name in a trace.
    public static let name = "prompt_token_ids"
    /// The payload's `PayloadVersion`.
    public static let version = "pti/v1"

    /// The prompt's tokens in order.
    public var tokenIDs: [Int]

    public init(tokenIDs: [Int]) { self.tokenIDs = tokenIDs }

    /// Reads the encoded form.
    ///
    /// - Throws: ``PayloadError`` when the bytes are something else.
    public init(decoding bytes: [UInt8]) throws {
        guard let array = try? JSONValue(parsing: bytes).array else {
            throw PayloadError("the prompt token ids are not a JSON array")
        }
        tokenIDs = array.compactMap(\.int)
        guard tokenIDs.count == array.count else { throw PayloadError("a prompt token id is not an integer") }
    }

    /// The encoded form: a JSON array.
    public func encode() -> [UInt8] { Array("[\(tokenIDs.map(String.init).joined(separator: ", "))]".utf8) }
}
