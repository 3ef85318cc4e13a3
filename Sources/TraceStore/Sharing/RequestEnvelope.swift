// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// A request's bytes around its parts. Equal ones in a row, the commas between messages, are kept once.
package enum RequestEnvelope {
    package static func encoded(_ request: RecordedRequest) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(request.parts.reduce(request.body.count + 16) { $0 - $1.range.count })
        var previous: Range<Int>?
        var repeats = 0
        func flush() {
            guard let previous else { return }
            VariableInteger.append(repeats, to: &bytes)
            VariableInteger.append(previous.count, to: &bytes)
            bytes += request.body[previous]
        }
        func gap(_ range: Range<Int>) {
            if let previous, request.body[previous] == request.body[range] {
                repeats += 1
                return
            }
            flush()
            previous = range
            repeats = 1
        }
        var end = 0
        for part in request.parts {
            gap(end..<part.range.lowerBound)
            end = part.range.upperBound
        }
        gap(end..<request.body.count)
        flush()
        return bytes
    }

    /// The body again; `nil` when the envelope is not one for these parts.
    package static func body(from envelope: [UInt8], parts: [ArraySlice<UInt8>]) -> [UInt8]? {
        var reader = VariableIntegerReader(envelope)
        var body: [UInt8] = []
        body.reserveCapacity(envelope.count + parts.reduce(0) { $0 + $1.count + 2 })
        var next = 0
        while !reader.isAtEnd {
            guard let repeats = reader.next(), let length = reader.next(), let gap = reader.next(count: length),
                repeats <= parts.count + 1 - next
            else { return nil }
            for _ in 0..<repeats {
                body += gap
                if next < parts.count { body += parts[next] }
                next += 1
            }
        }
        return next == parts.count + 1 ? body : nil
    }
}
