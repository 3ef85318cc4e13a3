// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import TraceStore

/// The recorded calls of a rollout as the trees that they are: parents first, each call's children in the order they
/// were recorded.
struct ConversationTree {
    struct Node: Sendable, Hashable {
        let id: Int64
        /// Among the calls of the tree.
        let parent: Int64?
        /// Of the first call of a conversation, 0.
        let depth: Int
        /// From 1 on. A call's first child goes on with its branch, all others begin one, numbered as they came.
        let branch: Int
    }

    let nodes: [Node]

    /// - Parameter links: oldest first.
    init(_ links: [CallLink]) {
        var known: [Int64: Int] = [:]
        known.reserveCapacity(links.count)
        var unsorted: [Node] = []
        var firstChild = Array(repeating: -1, count: links.count)
        var lastChild = firstChild
        var sibling = firstChild
        var roots: [Int] = []
        var branches = 0
        for (index, link) in links.enumerated() {
            known[link.id] = index
            guard let parent = link.parent.flatMap({ known[$0] }) else {
                branches += 1
                roots.append(index)
                unsorted.append(Node(id: link.id, parent: nil, depth: 0, branch: branches))
                continue
            }
            let isFirst = firstChild[parent] < 0
            if isFirst {
                firstChild[parent] = index
            } else {
                sibling[lastChild[parent]] = index
                branches += 1
            }
            lastChild[parent] = index
            unsorted.append(
                Node(
                    id: link.id, parent: links[parent].id, depth: unsorted[parent].depth + 1,
                    branch: isFirst ? unsorted[parent].branch : branches))
        }
        var nodes: [Node] = []
        nodes.reserveCapacity(links.count)
        // A stack of its own: conversations are deeper than threads' are.
        var open = Array(roots.reversed())
        while let index = open.popLast() {
            nodes.append(unsorted[index])
            if sibling[index] >= 0 { open.append(sibling[index]) }
            if firstChild[index] >= 0 { open.append(firstChild[index]) }
        }
        self.nodes = nodes
    }
}
