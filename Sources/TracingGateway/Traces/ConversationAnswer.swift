// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Hummingbird
import HummingbirdCore
import NIOCore
import TraceStore

/// A rollout's tree of calls, a line each, read and written one at a time.
struct ConversationAnswer: Sendable {
    let nodes: [ConversationTree.Node]
    let account: Account
    let includesRequests: Bool
    let ledger: TraceLedger

    func response() async throws -> Response {
        var lines = Lines(answer: self)
        // The first one is read before anything is answered: a store that fails then gives an error, not an end.
        var first: [UInt8]?
        if let node = nodes.first { first = try await lines.line(node) }
        let beginning = (line: first, lines: lines)
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson"],
            body: ResponseBody { writer in
                var lines = beginning.lines
                if let line = beginning.line { try await writer.write(ByteBuffer(bytes: line)) }
                for node in nodes.dropFirst() {
                    // What is gone meanwhile ends the answer without its end: half a tree must not look like a whole.
                    try await writer.write(ByteBuffer(bytes: lines.line(node)))
                }
                try await writer.finish(nil)
            })
    }

    /// Remembers the last call and its parent, which are those of nearly all that follow.
    private struct Lines {
        let answer: ConversationAnswer
        var recent: [ConversationView.Request] = []

        mutating func line(_ node: ConversationTree.Node) async throws -> [UInt8] {
            let call = try await call(node.id)
            var parent: ConversationView.Request?
            if let id = node.parent {
                parent = recent.first { $0.id == id }
                if parent == nil { parent = ConversationView.Request(try await self.call(id)) }
            }
            let request = ConversationView.Request(call)
            recent = [request] + (parent.map { [$0] } ?? [])
            let view = ConversationView(node: node, call: call, request: request, parent: parent)
            return view.json(includingRequest: answer.includesRequests) + [UInt8(ascii: "\n")]
        }

        private func call(_ id: Int64) async throws -> StoredCall {
            guard let call = try await answer.ledger.call(id, account: answer.account) else {
                throw StoreError(.unavailable, "call \(id) was deleted while its rollout was read; read it again")
            }
            return call
        }
    }
}
