// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore

/// A model call's request while its body comes in. A class, so that nobody copies the body, or the parts of the head.
final class RequestIntake {
    let head: RequestHead
    let accepted: CallRoute.Accepted
    private let maximumBytes: Int
    private(set) var body: [UInt8] = []
    private(set) var isTooLarge = false

    init(_ head: RequestHead, _ accepted: CallRoute.Accepted, maximumBytes: Int) {
        self.head = head
        self.accepted = accepted
        self.maximumBytes = maximumBytes
        if case .length(let length) = head.length {
            isTooLarge = length > maximumBytes
            // No more on somebody's word than a usual body takes.
            body.reserveCapacity(min(length, 64 << 10))
        }
    }

    func add(_ bytes: ByteBuffer) {
        guard body.count + bytes.readableBytes <= maximumBytes else {
            isTooLarge = true
            return
        }
        body.append(contentsOf: bytes.readableBytesView)
    }
}

@available(*, unavailable)
extension RequestIntake: Sendable {}
