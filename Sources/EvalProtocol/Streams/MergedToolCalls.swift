// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import WireJSON

/// The tool calls of a message in the making.
struct MergedToolCalls: Sendable {
    private var calls: [(index: Int, object: MergedObject)] = []

    mutating func merge(_ pieces: [JSONValue]) {
        for case .object(let piece) in pieces {
            let body = piece.removing(["index"])
            if let position = position(of: piece) {
                calls[position].object.merge(body)
            } else {
                let index = piece["index"]?.int ?? (calls.map(\.index).max() ?? -1) + 1
                calls.append((index, MergedObject(body)))
            }
        }
    }

    /// Where the call stands that `piece` belongs to; `nil` if it begins a new one.
    private func position(of piece: JSONObject) -> Int? {
        let id = piece["id"]?.string ?? ""
        guard let index = piece["index"]?.int else {
            // A server that leaves out the index: the id tells, and without one it is the last call.
            return id.isEmpty ? calls.indices.last : calls.lastIndex { $0.object.text("id") == id }
        }
        guard let position = calls.lastIndex(where: { $0.index == index }) else { return nil }
        // Some servers give every call the index 0. Another id alone may be one made up for each chunk, but with a
        // second name it is a second call.
        let call = calls[position].object
        let hasName = call.object("function")?.text("name")?.isEmpty == false
        let bringsName = piece["function"]?["name"]?.string?.isEmpty == false
        let isAnother = !id.isEmpty && call.text("id") != id && hasName && bringsName
        return isAnother ? nil : position
    }

    /// The calls by their index; equal ones as they came.
    var json: JSONValue {
        let ordered = calls.enumerated().sorted { ($0.element.index, $0.offset) < ($1.element.index, $1.offset) }
        return .array(ordered.map { .object($0.element.object.json) })
    }
}
