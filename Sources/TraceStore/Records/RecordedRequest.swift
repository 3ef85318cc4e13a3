// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import WireJSON

/// A model call's request body as the client sent it, divided into the parts that calls of one conversation share.
package struct RecordedRequest: Sendable {
    /// A value of the body that may stand in other calls too: `tools`, or one message.
    package struct Part: Sendable, Hashable {
        package let range: Range<Int>
        /// ``PartHash`` of the bytes.
        package let hash: Int
        /// Tools are none.
        package let isMessage: Bool

        package init(range: Range<Int>, hash: Int, isMessage: Bool) {
            self.range = range
            self.hash = hash
            self.isMessage = isMessage
        }
    }

    package let body: [UInt8]
    /// In the order they stand in the body, without overlap. What is between them is the call's own envelope.
    package let parts: [Part]

    package init(body: [UInt8], parts: [Part]) {
        self.body = body
        self.parts = parts
    }

    /// More is nobody's conversation, and would only fill the index.
    package static let maximumParts = 8192

    /// Divides a body that ``JSONFields`` has read.
    package init(body: [UInt8], fields: JSONFields) {
        var ranges: [Range<Int>] = []
        if let tools = fields.value(of: "tools", in: body.span), tools.count > 64 { ranges.append(tools) }
        if let messages = fields.value(of: "messages", in: body.span) {
            ranges += JSONElements.ranges(ofArrayAt: messages, in: body.span) ?? []
        }
        if ranges.count > Self.maximumParts { ranges = [] }
        ranges.sort { $0.lowerBound < $1.lowerBound }
        let parts = body.withUnsafeBytes { bytes in
            ranges.map { range in
                Part(
                    range: range, hash: PartHash.hash(UnsafeRawBufferPointer(rebasing: bytes[range])),
                    isMessage: bytes[range.lowerBound] == UInt8(ascii: "{"))
            }
        }
        self.init(body: body, parts: parts)
    }

    /// A message is an object, tools are an array.
    package static func isMessage(_ bytes: ArraySlice<UInt8>) -> Bool { bytes.first == UInt8(ascii: "{") }

    /// The hash by which a part is recognised.
    package static func hash(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.withUnsafeBytes { PartHash.hash($0) }
    }
}
