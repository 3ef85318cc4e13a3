// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol

/// The experts that a pass over each token of prompt and completion was routed to, but for the last token, over which
/// there was none.
struct RoutedExperts: Sendable {
    struct Unusable: Error {
        var sentence: String
    }

    /// Elements of 1, 2, 4 or 8 bytes, little-endian.
    private let elements: ArraySlice<UInt8>
    private let elementBytes: Int
    /// The tokens, when the form tells their number.
    private let rows: Int?

    /// Base64 of 32-bit numbers, as SGLang sends them.
    init(integers text: ArraySlice<UInt8>) throws(Unusable) {
        elements = try Self.decoded(text)
        elementBytes = 4
        rows = nil
    }

    /// Base64 of a `.npy` file, as vLLM sends it.
    init(numpy text: ArraySlice<UInt8>) throws(Unusable) {
        let file = try Self.decoded(text)
        let unusable = Unusable(sentence: "the routed experts are no .npy file of small whole numbers")
        guard file.count > 12, file.prefix(6).elementsEqual([0x93] + Array("NUMPY".utf8)) else { throw unusable }
        let lengthBytes = file[file.startIndex + 6] == 1 ? 2 : 4
        let start = file.startIndex + 8 + lengthBytes
        let length = file[(file.startIndex + 8)..<start].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard length <= file.endIndex - start else { throw unusable }
        let header = String(decoding: file[start..<(start + length)], as: UTF8.self).filter { $0 != " " }
        let sizes = ["|u1": 1, "|i1": 1, "<u2": 2, "<i2": 2, "<u4": 4, "<i4": 4, "<u8": 8, "<i8": 8]
        guard let size = sizes.first(where: { header.contains("'descr':'\($0.key)'") })?.value,
            header.contains("'fortran_order':False"), let shape = header.firstRange(of: "'shape':("),
            let count = Int(header[shape.upperBound...].prefix { $0 != "," && $0 != ")" })
        else { throw unusable }
        elements = file[(start + length)...]
        elementBytes = size
        rows = count
    }

    private static func decoded(_ text: ArraySlice<UInt8>) throws(Unusable) -> ArraySlice<UInt8> {
        guard let bytes = Base64.decoded(text) else { throw Unusable(sentence: "the routed experts are not Base64") }
        return bytes[...]
    }

    /// The matrices of the passes from which the completion's tokens came: over the last token of the prompt and all
    /// of the completion but its last.
    func payload(completionTokens: Int, promptTokens: Int?) throws(Unusable) -> RouterReplayPayload {
        guard let count = rows ?? promptTokens.map({ $0 + completionTokens - 1 }), count >= completionTokens,
            completionTokens > 0, elements.count % (count * elementBytes) == 0
        else {
            throw Unusable(
                sentence: "\(elements.count) bytes of routed experts do not fit \(completionTokens) completion tokens")
        }
        let last = numbers(elements.suffix(elements.count / count * completionTokens))
        guard let largest = last.max(), largest <= UInt64(UInt16.max) else {
            throw Unusable(sentence: "a routed expert has a number that is larger than 65535")
        }
        let element: RouterReplayPayload.Element = largest <= UInt64(UInt8.max) ? .uint8 : .uint16
        var bytes: [UInt8] = []
        bytes.reserveCapacity(last.count * 2)
        for number in last {
            bytes.append(UInt8(truncatingIfNeeded: number))
            if element == .uint16 { bytes.append(UInt8(truncatingIfNeeded: number >> 8)) }
        }
        let size = bytes.count / completionTokens
        let matrices = (0..<completionTokens).map { Array(bytes[($0 * size)..<(($0 + 1) * size)]) }
        do {
            return try RouterReplayPayload(matrices: matrices, element: element)
        } catch {
            throw Unusable(sentence: "the routed experts cannot be stored: \(error)")
        }
    }

    private func numbers(_ bytes: ArraySlice<UInt8>) -> [UInt64] {
        stride(from: bytes.startIndex, to: bytes.endIndex, by: elementBytes).map { start in
            bytes[start..<(start + elementBytes)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
    }
}
