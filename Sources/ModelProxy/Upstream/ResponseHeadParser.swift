// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1

/// Reads the lines of an answer's head, whose end has been found.
enum ResponseHeadParser {
    /// Bytes where they are: slices of a buffer's view would be counted at every step.
    fileprivate typealias Bytes = Slice<UnsafeBufferPointer<UInt8>>

    static func parse(_ head: ByteBuffer, isAnswerToHEAD: Bool) throws(FramingError) -> ResponseHead {
        try reading(head) { bytes throws(FramingError) in try parse(bytes, isAnswerToHEAD: isAnswerToHEAD) }
    }

    /// What bytes before the end of the first line show already.
    static func checkBeginning(_ buffer: ByteBuffer) throws(FramingError) {
        try reading(buffer) { bytes throws(FramingError) in try checkBeginning(bytes) }
    }

    /// A trailer's line.
    static func checkField(_ line: ByteBuffer) throws(FramingError) {
        try reading(line) { bytes throws(FramingError) in _ = try field(bytes) }
    }

    private static func reading<Result>(
        _ buffer: ByteBuffer, _ body: (Bytes) throws(FramingError) -> Result
    ) throws(FramingError) -> Result {
        let result = buffer.withUnsafeReadableBytes { bytes -> Swift.Result<Result, FramingError> in
            do throws(FramingError) {
                return .success(try body(bytes.bindMemory(to: UInt8.self)[...]))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func parse(_ bytes: Bytes, isAnswerToHEAD: Bool) throws(FramingError) -> ResponseHead {
        var position = bytes.startIndex
        let statusLine = try line(bytes, &position)
        let (isHTTP11, status, reason) = try self.statusLine(statusLine)
        var headers: [(String, String)] = []
        headers.reserveCapacity(12)
        var framing = FramingFields()
        while true {
            let line = try self.line(bytes, &position)
            if line.isEmpty { break }
            let (name, value) = try field(line)
            try framing.note(name, value)
            headers.append((String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
        }
        guard position == bytes.endIndex else {
            throw FramingError("the head of the upstream's answer has an empty line in it")
        }
        let body = try framing.framing(status: status, isHTTP11: isHTTP11, isAnswerToHEAD: isAnswerToHEAD)
        return ResponseHead(
            status: status, reason: reason, headers: HTTPHeaders(headers), framing: body,
            keepsAlive: body != .untilClose && !framing.saysClose && (isHTTP11 || framing.saysKeepAlive))
    }

    private static func checkBeginning(_ bytes: Bytes) throws(FramingError) {
        for (byte, expected) in zip(bytes, "HTTP/1.".utf8) where byte != expected {
            throw FramingError("what the upstream answers is not HTTP/1.1")
        }
    }

    private static func line(_ bytes: Bytes, _ position: inout Int) throws(FramingError) -> Bytes {
        var index = position
        while index < bytes.endIndex {
            let byte = bytes[index]
            if byte == 0x0D {
                guard index + 1 < bytes.endIndex, bytes[index + 1] == 0x0A else {
                    throw FramingError("a line of the upstream's head has a CR in it")
                }
                let line = bytes[position..<index]
                position = index + 2
                return line
            }
            guard byte >= 0x20 && byte != 0x7F || byte == 0x09 else {
                throw FramingError(
                    byte == 0x0A
                        ? "a line of the upstream's head ends in a bare LF"
                        : "the upstream's head has a control character in it")
            }
            index += 1
        }
        throw FramingError("the upstream's head does not end")
    }

    private static func statusLine(_ line: Bytes) throws(FramingError) -> (isHTTP11: Bool, status: Int, reason: String)
    {
        try checkBeginning(line)
        let start = line.startIndex
        // "HTTP/1.1 200", then a space and a reason, or nothing.
        guard line.count >= 12, line[start + 8] == 0x20, line.count == 12 || line[start + 12] == 0x20,
            line[start + 7] == UInt8(ascii: "0") || line[start + 7] == UInt8(ascii: "1")
        else { throw FramingError("the upstream's status line is not one of HTTP/1.1") }
        var status = 0
        for byte in line[(start + 9)..<(start + 12)] {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
                throw FramingError("the upstream's status is no number")
            }
            status = status * 10 + Int(byte - UInt8(ascii: "0"))
        }
        guard status >= 100 else { throw FramingError("the upstream's status is below 100") }
        let reason = line.count > 13 ? String(decoding: line[(start + 13)...], as: UTF8.self) : ""
        return (line[start + 7] == UInt8(ascii: "1"), status, reason)
    }

    private static func field(_ line: Bytes) throws(FramingError) -> (name: Bytes, value: Bytes) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else {
            throw FramingError("a header of the upstream's answer has no name")
        }
        let name = line[line.startIndex..<colon]
        guard name.allSatisfy(isTokenByte) else {
            throw FramingError("a header's name in the upstream's answer has a character that it must not have")
        }
        var start = colon + 1
        var end = line.endIndex
        while start < end, line[start] == 0x20 || line[start] == 0x09 { start += 1 }
        while end > start, line[end - 1] == 0x20 || line[end - 1] == 0x09 { end -= 1 }
        return (name, line[start..<end])
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}

/// The headers that say where a body ends and whether the connection lives on.
private struct FramingFields {
    private var length: Int?
    private var isChunked = false
    private(set) var saysClose = false
    private(set) var saysKeepAlive = false

    mutating func note(_ name: ResponseHeadParser.Bytes, _ value: ResponseHeadParser.Bytes) throws(FramingError) {
        switch name.count {
        case 10 where name.equals("connection") && value.equals("keep-alive"): saysKeepAlive = true
        case 10 where name.equals("connection"):
            for option in value.split(separator: UInt8(ascii: ",")) {
                let option = String(decoding: option, as: UTF8.self).lowercased()
                let word = option.filter { $0 != " " && $0 != "\t" }
                if word == "close" { saysClose = true }
                if word == "keep-alive" { saysKeepAlive = true }
            }
        case 14 where name.equals("content-length"):
            guard length == nil else { throw FramingError("the upstream's answer has more than one Content-Length") }
            guard (1...18).contains(value.count),
                value.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let number = Int(String(decoding: value, as: UTF8.self))
            else { throw FramingError("the upstream's Content-Length is no number") }
            length = number
        case 17 where name.equals("transfer-encoding"):
            guard !isChunked, value.equals("chunked") else {
                throw FramingError("the upstream's Transfer-Encoding is not chunked alone")
            }
            isChunked = true
        default: break
        }
    }

    func framing(status: Int, isHTTP11: Bool, isAnswerToHEAD: Bool) throws(FramingError) -> ResponseHead.Framing {
        guard !isChunked || length == nil else {
            throw FramingError("the upstream's answer has both Content-Length and Transfer-Encoding")
        }
        guard !isChunked || isHTTP11 else { throw FramingError("an answer of HTTP/1.0 is chunked") }
        if isAnswerToHEAD || status < 200 || status == 204 || status == 304 { return .none }
        if isChunked { return .chunked }
        return length.map { .length($0) } ?? .untilClose
    }
}

extension ResponseHeadParser.Bytes {
    /// Whether these are the letters of `text`, which is lower case, in either case.
    fileprivate func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        var index = 0
        for byte in self {
            let lower = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
            if lower != text.utf8Start[index] { return false }
            index += 1
        }
        return true
    }
}
