// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// The top-level fields of a JSON object as ranges of its bytes, found in one pass that also validates the whole.
///
/// This is how the bytes of a request or an answer are looked into without being parsed and written again.
public struct JSONFields: Sendable {
    public struct Field: Sendable, Hashable {
        /// The key's bytes, quotes included.
        public let key: Range<Int>
        /// The value's bytes, without the white space around it.
        public let value: Range<Int>
    }

    /// In the order of the document, repeated keys included.
    public let fields: [Field]
}
