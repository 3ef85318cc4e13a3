// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import TraceStore
import WireJSON

/// The traces of an answer, read and written one at a time, so that a long conversation is never in memory as a whole.
struct TraceAnswer: Sendable {
    let ids: [Int64]
    let project: String
    let account: Account
    let includesPayloads: Bool
    let ledger: TraceLedger

    func response() async throws -> Response {
        // The first one is read before anything is answered: a store that fails then gives an error, not half a list.
        var first: [UInt8]?
        if let id = ids.first { first = try await trace(id) }
        let beginning = first
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody { writer in
                var head = Array("{\"project_id\":".utf8)
                JSONValue.string(project).append(to: &head)
                head.append(contentsOf: ",\"traces\":[".utf8)
                if let beginning { head.append(contentsOf: beginning) }
                try await writer.write(ByteBuffer(bytes: head))
                var count = beginning == nil ? 0 : 1
                for id in ids.dropFirst() {
                    guard var trace = try await trace(id) else { continue }
                    if count > 0 { trace.insert(UInt8(ascii: ","), at: 0) }
                    try await writer.write(ByteBuffer(bytes: trace))
                    count += 1
                }
                try await writer.write(ByteBuffer(string: "],\"total_traces\":\(count)}"))
                try await writer.finish(nil)
            })
    }

    private func trace(_ id: Int64) async throws -> [UInt8]? {
        guard let call = try await ledger.call(id, account: account) else { return nil }
        return TraceView(call).json(includingPayloads: includesPayloads)
    }
}
