// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// How a request's list of parts is made: runs of another call's list, and parts of its own.
package struct PartScript: Sendable, Hashable {
    package enum Run: Sendable, Hashable {
        /// `count` parts of the base's list.
        case copied(start: Int, count: Int)
        /// The next `count` of the parts that stand with the call itself.
        case added(count: Int)
        /// `count` of the parts that stand with another call.
        case origin(call: Int64, start: Int, count: Int)

        var count: Int {
            switch self {
            case .copied(_, let count), .added(let count), .origin(_, _, let count): count
            }
        }
    }

    package var runs: [Run]

    package init(_ runs: [Run]) { self.runs = runs }

    /// A few bytes a run. Calls are told as their distance from the script's own `call`.
    package func encoded(for call: Int64) -> [UInt8] {
        var bytes: [UInt8] = []
        for run in runs {
            switch run {
            case .copied(let start, let count):
                VariableInteger.append(count << 2, to: &bytes)
                VariableInteger.append(start, to: &bytes)
            case .added(let count):
                VariableInteger.append(count << 2 | 1, to: &bytes)
            case .origin(let origin, let start, let count):
                VariableInteger.append(count << 2 | 2, to: &bytes)
                VariableInteger.append(Int(call - origin), to: &bytes)
                VariableInteger.append(start, to: &bytes)
            }
        }
        return bytes
    }

    package init?(decoding bytes: [UInt8], for call: Int64) {
        var reader = VariableIntegerReader(bytes)
        runs = []
        while !reader.isAtEnd {
            guard let head = reader.next() else { return nil }
            let count = head >> 2
            switch head & 3 {
            case 0:
                guard let start = reader.next() else { return nil }
                runs.append(.copied(start: start, count: count))
            case 1:
                runs.append(.added(count: count))
            case 2:
                guard let distance = reader.next(), let start = reader.next() else { return nil }
                runs.append(.origin(call: call - Int64(distance), start: start, count: count))
            default: return nil
            }
        }
    }
}
