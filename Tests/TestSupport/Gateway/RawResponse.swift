// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import WireJSON

/// An HTTP answer as it came.
package struct RawResponse: Sendable {
    package var version: String
    package var status: Int
    /// Names in lower case.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    package var text: String { String(decoding: body, as: UTF8.self) }

    package var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }

    /// The answer at the beginning of `bytes` and how many bytes it takes; `nil` while it is not whole.
    package static func parse(_ bytes: [UInt8], isEnded: Bool, withoutBody: Bool) -> (RawResponse, Int)? {
        guard let headEnd = end(of: "\r\n\r\n", in: bytes, from: 0) else { return nil }
        let lines = String(decoding: bytes[..<(headEnd - 4)], as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first else { return nil }
        let words = first.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, let status = Int(words[1]) else { return nil }
        let headers = lines.dropFirst().map { line in
            let halves = line.split(separator: ":", maxSplits: 1)
            return (
                name: halves[0].lowercased(),
                value: halves.count > 1 ? String(halves[1].drop { $0 == " " }) : ""
            )
        }
        var response = RawResponse(version: String(words[0]), status: status, headers: headers, body: [])
        if withoutBody || status < 200 || status == 204 { return (response, headEnd) }
        if let length = response.header("content-length").flatMap({ Int($0) }) {
            guard bytes.count >= headEnd + length else { return nil }
            response.body = Array(bytes[headEnd..<(headEnd + length)])
            return (response, headEnd + length)
        }
        if response.header("transfer-encoding") == "chunked" {
            guard let (body, length) = chunks(bytes, from: headEnd) else { return nil }
            response.body = body
            return (response, length)
        }
        guard isEnded else { return nil }
        response.body = Array(bytes[headEnd...])
        return (response, bytes.count)
    }

    package static func partialChunks(_ bytes: [UInt8]) -> String {
        guard let headEnd = end(of: "\r\n\r\n", in: bytes, from: 0) else { return "" }
        var body: [UInt8] = []
        var position = headEnd
        while let (chunk, next) = chunk(bytes, at: position), !chunk.isEmpty {
            body += chunk
            position = next
        }
        return String(decoding: body, as: UTF8.self)
    }

    private static func chunks(_ bytes: [UInt8], from start: Int) -> ([UInt8], Int)? {
        var body: [UInt8] = []
        var position = start
        while let (chunk, next) = chunk(bytes, at: position) {
            position = next
            if chunk.isEmpty { return (body, position) }
            body += chunk
        }
        return nil
    }

    private static func chunk(_ bytes: [UInt8], at position: Int) -> ([UInt8], Int)? {
        guard let lineEnd = end(of: "\r\n", in: bytes, from: position),
            let size = Int(String(decoding: bytes[position..<(lineEnd - 2)], as: UTF8.self), radix: 16),
            bytes.count >= lineEnd + size + 2
        else { return nil }
        return (Array(bytes[lineEnd..<(lineEnd + size)]), lineEnd + size + 2)
    }

    private static func end(of mark: String, in bytes: [UInt8], from start: Int) -> Int? {
        let mark = Array(mark.utf8)
        guard bytes.count >= start + mark.count else { return nil }
        for index in start...(bytes.count - mark.count) where bytes[index..<(index + mark.count)].elementsEqual(mark) {
            return index + mark.count
        }
        return nil
    }
}
