// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import HummingbirdCore
import ModelProxy
import NIOCore
import Synchronization

extension Request {
    /// The whole body; 413 when it is larger than it may be, 503 when all bodies together are.
    func bytes(upTo limits: RouteLimits, _ context: GatewayContext) async throws -> [UInt8] {
        let maximum = limits.logBodyBytes
        if let length = headers[.contentLength].flatMap({ Int($0) }), length > maximum {
            throw Problem.bodyTooLarge(maximum)
        }
        var bytes: [UInt8] = []
        for try await piece in body {
            if bytes.count + piece.readableBytes > maximum { throw Problem.bodyTooLarge(maximum) }
            try context.body.grow(by: piece.readableBytes)
            bytes.append(contentsOf: piece.readableBytesView)
        }
        return bytes
    }
}

/// A request's share of the bytes of all bodies, given back when the request is done with.
final class BodyShare: Sendable {
    private let all: IncomingBytes
    private let held = Atomic<Int>(0)

    init(of all: IncomingBytes) { self.all = all }

    deinit { all.add(-held.load(ordering: .relaxed)) }

    func grow(by bytes: Int) throws(Problem) {
        held.add(bytes, ordering: .relaxed)
        guard all.add(bytes) else { throw .tooManyBodies(limit: all.maximum) }
    }
}
