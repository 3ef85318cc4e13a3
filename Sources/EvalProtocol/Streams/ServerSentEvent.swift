// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

extension ServerSentEventSplitter {
    /// One event: its bytes, and what its fields say.
    public struct Event: Sendable, Hashable {
        /// The event as it came, the empty line at its end included.
        public var raw: [UInt8]
        /// The `event` field.
        public var name: String?
        /// The `data` lines, joined by LF.
        public var data: [UInt8]
        /// The `id` field.
        public var id: String?

        /// Reads the fields of an event, such as one that lacks the empty line at its end.
        public init(parsing raw: [UInt8]) { self.init(parsing: raw, isFirst: false) }

        /// - Parameter isFirst: Whether a byte order mark may stand before it.
        init(parsing raw: [UInt8], isFirst: Bool) {
            self.raw = raw
            data = []
            var hasData = false
            var position = isFirst && raw.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
            while position < raw.count {
                let end = raw[position...].firstIndex { $0 == 0x0A || $0 == 0x0D } ?? raw.count
                let line = raw[position..<end]
                position = end + 1
                guard !line.isEmpty else { continue }
                let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
                var value = line[min(colon + 1, line.endIndex)...]
                if value.first == 0x20 { value = value.dropFirst() }
                switch line[..<colon] {
                case let field where field.elementsEqual("data".utf8):
                    if hasData { data.append(0x0A) }
                    hasData = true
                    data += value
                case let field where field.elementsEqual("event".utf8): name = String(decoding: value, as: UTF8.self)
                case let field where field.elementsEqual("id".utf8): id = String(decoding: value, as: UTF8.self)
                default: break
                }
            }
        }

        /// Gives the event other data; every other byte stays, if the data stands in one line of it.
        package mutating func replaceData(with new: [UInt8]) {
            // Near the beginning, in nearly all events behind their only `data: `.
            let start = raw.indices.first { raw.count - $0 >= data.count && raw[$0...].starts(with: data) }
            if let start, !new.contains(where: { $0 == 0x0A || $0 == 0x0D }) {
                raw.replaceSubrange(start..<start + data.count, with: new)
            } else {
                raw = []
                for (field, value) in [("event", name), ("id", id)] {
                    if let value { raw += "\(field): \(value)\n".utf8 }
                }
                for line in new.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
                    raw += "data: ".utf8 + line + [0x0A]
                }
                raw.append(0x0A)
            }
            data = new
        }

        /// Whether this is the `[DONE]` that ends a stream of completion chunks.
        public var isDone: Bool { data.elementsEqual("[DONE]".utf8) }
    }
}
