// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import WireJSON

/// A model call's request body as the client sent it, divided into the parts that calls of one conversation share.
package struct RecordedRequest: Sendable {
    /// A value of the body that may stand in other calls too: `tools`, or one message.
    package struct Part: Sendable, Hashable {
        package let range: Range<Int>
        /// A keyed hash of the bytes, good within this process.
        package let hash: Int

        package init(range: Range<Int>, hash: Int) {
            self.range = range
            self.hash = hash
        }
    }

    package let body: [UInt8]
    /// In the order they stand in the body, without overlap. What is between them is the call's own envelope.
    package let parts: [Part]

    package init(body: [UInt8], parts: [Part]) {
        self.body = body
        self.parts = parts
    }
}
