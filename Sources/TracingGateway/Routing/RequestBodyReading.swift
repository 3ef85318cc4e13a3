// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import HummingbirdCore
import NIOCore

extension Request {
    /// The whole body; 413 when it is larger than `maximum`.
    func bytes(upTo maximum: Int) async throws -> [UInt8] {
        if let length = headers[.contentLength].flatMap({ Int($0) }), length > maximum {
            throw Problem.bodyTooLarge(maximum)
        }
        var bytes: [UInt8] = []
        for try await piece in body {
            if bytes.count + piece.readableBytes > maximum { throw Problem.bodyTooLarge(maximum) }
            bytes.append(contentsOf: piece.readableBytesView)
        }
        return bytes
    }
}
