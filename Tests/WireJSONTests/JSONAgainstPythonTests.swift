// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing
import WireJSON

/// Python's `json`, told to be as strict as RFC 8259 and to show what it reads digit for digit.
enum PythonJSON {
    static let script = """
        import json, sys
        class Number(str): pass
        def refuse(name): raise ValueError(name)
        def show(value):
            if isinstance(value, Number): return 'N' + str(value)
            if isinstance(value, str): return 'S' + value.encode('utf-16-be', 'surrogatepass').hex()
            if value is None: return 'Z'
            if isinstance(value, bool): return 'T' if value else 'F'
            if isinstance(value, tuple):
                return '{' + ','.join(show(key) + ':' + show(element) for key, element in value) + '}'
            return '[' + ','.join(show(element) for element in value) + ']'
        for line in sys.stdin:
            try:
                text = bytes.fromhex(line.strip()).decode('utf-8')
                value = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=refuse,
                                   object_pairs_hook=tuple)
                print(show(value))
            except (ValueError, RecursionError):
                print('-')
        """

    /// What Python makes of each document: its value, or `-`.
    static func read(_ documents: [[UInt8]]) throws -> [String] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script]
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let lines = documents.map { bytes in
            bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() + "\n"
        }
        // Python answers while it reads, and either pipe may fill up. Waiting must not take the tests' own threads.
        let writer = input.fileHandleForWriting
        Thread.detachNewThread {
            try? writer.write(contentsOf: Data(lines.joined().utf8))
            try? writer.close()
        }
        let answer = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: answer, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    static func show(_ value: JSONValue) -> String {
        switch value {
        case .null: "Z"
        case .bool(let bool): bool ? "T" : "F"
        case .number(let number): "N\(number.text)"
        case .string(let string): show(string)
        case .array(let array): "[\(array.map(show).joined(separator: ","))]"
        case .object(let object):
            // Python's empty object is an empty tuple here, and so is that of no pairs.
            "{\(object.members.map { "\(show($0.key)):\(show($0.value))" }.joined(separator: ","))}"
        }
    }

    private static func show(_ string: JSONString) -> String {
        // The serialised form holds the lone surrogates, which `text` does not.
        var units: [UInt16] = []
        if string.hasLoneSurrogate {
            let json = JSONValue.string(string).serialized().dropFirst().dropLast()
            var bytes = Array(json)[...]
            while let byte = bytes.first {
                if byte == UInt8(ascii: "\\"), bytes.dropFirst().first == UInt8(ascii: "u") {
                    units.append(UInt16(String(decoding: bytes.dropFirst(2).prefix(4), as: UTF8.self), radix: 16) ?? 0)
                    bytes = bytes.dropFirst(6)
                } else if byte == UInt8(ascii: "\\") {
                    let short: [UInt8: UInt16] = [0x22: 0x22, 0x5C: 0x5C, 0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09]
                    units.append(short[bytes[bytes.startIndex + 1]] ?? 0)
                    bytes = bytes.dropFirst(2)
                } else {
                    let plain = bytes.prefix { $0 != UInt8(ascii: "\\") }
                    units += String(decoding: plain, as: UTF8.self).utf16
                    bytes = bytes.dropFirst(plain.count)
                }
            }
        } else {
            units = Array(string.text.utf16)
        }
        return "S" + units.map { ("000" + String($0, radix: 16)).suffix(4) }.joined()
    }
}

@Suite("WireJSON: the same as Python")
struct JSONAgainstPythonTests {
    @Test("accepts and refuses thousands of random documents as Python does, and reads the same")
    func random() throws {
        var random = RandomJSON(generator: SeededGenerator.printingSeed())
        var documents: [[UInt8]] = []
        for _ in 0..<2_000 {
            let document = random.document()
            documents += [document, random.broken(document), random.broken(document)]
        }
        try compare(documents)
    }

    @Test("agrees with Python on the tables")
    func tables() throws {
        try compare((JSONGrammarTests.valid + JSONGrammarTests.invalid).map { Array($0.utf8) })
    }

    private func compare(_ documents: [[UInt8]]) throws {
        let expected = try PythonJSON.read(documents)
        try #require(expected.count == documents.count)
        var accepted = 0
        for (document, expected) in zip(documents, expected) {
            let verdicts = Verdicts(document)
            let shown = (try? JSONValue(parsing: document)).map(PythonJSON.show) ?? "-"
            let text = String(decoding: document, as: UTF8.self)
            #expect(shown == expected, "\(text)")
            #expect(verdicts.parser == verdicts.validator, "\(text)")
            if verdicts.parser == nil {
                accepted += 1
                #expect(verdicts.fields == nil, "\(text)")
            }
        }
        #expect(accepted > documents.count / 3 && accepted < documents.count)
    }
}
