// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import GRDB
import TraceStore

/// How bytes, tags and ids stand in columns.
enum Blob {
    static func encoded(texts: [String]) -> [UInt8] {
        var bytes: [UInt8] = []
        for text in texts {
            VariableInteger.append(text.utf8.count, to: &bytes)
            bytes += text.utf8
        }
        return bytes
    }

    static func texts(_ bytes: [UInt8]) -> [String] {
        var reader = VariableIntegerReader(bytes)
        var texts: [String] = []
        while !reader.isAtEnd, let text = reader.nextText() { texts.append(text) }
        return texts
    }

    static func encoded(ids: RolloutIDs) -> [UInt8] {
        encoded(texts: [ids.invocationID ?? "", ids.experimentID ?? "", ids.runID ?? "", ids.rowID ?? ""])
    }

    static func ids(_ bytes: [UInt8]) -> RolloutIDs? {
        let texts = texts(bytes)
        guard texts.count == 4 else { return nil }
        return RolloutIDs(invocationID: texts[0], experimentID: texts[1], runID: texts[2], rowID: texts[3])
    }

    /// A hash that stays the same from run to run, other in each file.
    static func hash(_ bytes: some Collection<UInt8>, seed: Int64) -> Int64 {
        var hash = UInt64(bitPattern: seed)
        for byte in bytes {
            hash = (hash ^ UInt64(byte)) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 29
        }
        return Int64(bitPattern: hash)
    }
}

extension String {
    /// The text as a BLOB column has it.
    var blob: Data { Data(utf8) }
}

extension Row {
    /// A text that stands in a BLOB column.
    func text(_ index: Int) -> String { bytes(index).map { String(decoding: $0, as: UTF8.self) } ?? "" }

    func bytes(_ index: Int) -> [UInt8]? { (self[index] as Data?).map { [UInt8]($0) } }

    func bytes(_ name: String) -> [UInt8]? { (self[name] as Data?).map { [UInt8]($0) } }
}
