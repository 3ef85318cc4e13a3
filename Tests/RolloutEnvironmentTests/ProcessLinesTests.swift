// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Foundation
import Logging
import RolloutEnvironment
import TestSupport
import Testing
import WireJSON

@Suite("Processes: lines") struct ProcessLinesTests {
    @Test(
        "output is cut into lines, however it comes",
        arguments: [
            ("", []),
            ("one\n", ["one"]),
            ("one\ntwo", ["one", "two"]),
            ("one\r\ntwo\r\n", ["one", "two"]),
            ("\n\n", ["", ""]),
            ("10%\r50%\r100%\n", ["100%"]),
            ("10%\r50%\r", ["50%"]),
            ("a\r\r\nb", ["a", "b"]),
            ("0123456789", ["0123456789"]),
            ("0123456789ab\nc\n", ["0123456789+2", "c"]),
        ] as [(String, [String])])
    func splitting(text: String, lines: [String]) {
        for size in [1, 2, 3, 1_000] {
            var splitter = LineSplitter(maximumBytes: 10)
            var seen: [LineSplitter.Line] = []
            let bytes = Array(text.utf8)
            for start in stride(from: 0, to: bytes.count, by: size) {
                Array(bytes[start..<min(start + size, bytes.count)]).withUnsafeBytes { part in
                    splitter.append(part) { seen.append($0) }
                }
            }
            if let last = splitter.finish() { seen.append(last) }
            let shown = seen.map { line in
                String(decoding: line.bytes, as: UTF8.self) + (line.omitted > 0 ? "+\(line.omitted)" : "")
            }
            #expect(shown == lines, "in parts of \(size) bytes")
        }
    }

    @Test(
        "a line's severity is that of its stream, or its own",
        arguments: [
            ("plain", .stdout, .info, "plain"),
            ("plain", .stderr, .warning, "plain"),
            (#"{"severity": "ERROR", "message": "bad"}"#, .stdout, .error, "bad"),
            (#"{"level": "debug", "msg": "fine"}"#, .stderr, .debug, "fine"),
            (#"{"severity": "fatal"}"#, .stdout, .critical, #"{"severity": "fatal"}"#),
            (#"{"severity": "WARN", "level": "error", "message": "m"}"#, .stdout, .warning, "m"),
            (#"{"severity": "loud", "message": "m"}"#, .stdout, .info, #"{"severity": "loud", "message": "m"}"#),
            (#"{"level": 30, "msg": "m"}"#, .stdout, .info, #"{"level": 30, "msg": "m"}"#),
            (#"{"severity": "ERROR""#, .stdout, .info, #"{"severity": "ERROR""#),
            (#"[{"severity": "ERROR"}]"#, .stderr, .warning, #"[{"severity": "ERROR"}]"#),
        ] as [(String, OutputLine.Stream, Logger.Level, String)])
    func severity(text: String, stream: OutputLine.Stream, level: Logger.Level, message: String) {
        let line = OutputLine(LineSplitter.Line(bytes: Array(text.utf8)), from: stream)
        #expect(line.level == level)
        #expect(line.message == message)
        #expect(line.extras["stream"] == .string(stream.rawValue))
        #expect(line.closing == nil)
    }

    @Test("members of a JSON line are extras, but for those that say something about the rollout") func extras() {
        let text = """
            {"severity": "info", "message": "m", "step": 3, "rollout_id": "other", "rollcall": {"attempt": "x"}, \
            "status": {"code": 101}, "stream": "x", "experiment_id": "e", "tags": ["t"]}
            """
        let line = OutputLine(LineSplitter.Line(bytes: Array(text.utf8)), from: .stderr)
        #expect(line.extras == ["stream": "stderr", "step": 3, "tags": ["t"]])
    }

    @Test(
        "bytes that are no text are made one",
        arguments: [
            ([0x61, 0xFF, 0x62], "a\u{FFFD}b"),
            ([0x1B, 0x5B, 0x31, 0x6D], "␛[1m"),
            ([0x00, 0x09, 0x7F], "␀\t␡"),
            ([0xC2, 0x85, 0x63], "\u{FFFD}c"),
            ([0xC3, 0xA9], "é"),
        ] as [([UInt8], String)])
    func harmless(bytes: [UInt8], text: String) {
        #expect(OutputLine.harmless(bytes) == text)
    }

    @Test("what was cut is counted") func cut() {
        let line = OutputLine(LineSplitter.Line(bytes: Array("begun".utf8), omitted: 7), from: .stdout)
        #expect(line.message == "begun… (7 bytes more)")
    }

    @Test(
        "a line of standard output with a terminal status can tell the end",
        arguments: [
            (#"{"status": {"code": 100, "message": "done"}}"#, .finished, "done", [:]),
            (
                #"{"status": {"code": 8, "message": "s"}, "message": "text", "extras": {"reward": 1, "rollcall": {}}}"#,
                .resourceExhausted, "text", ["reward": 1]
            ),
        ] as [(String, StatusCode, String, JSONObject)])
    func closing(text: String, code: StatusCode, message: String, extras: JSONObject) {
        let bytes = LineSplitter.Line(bytes: Array(text.utf8))
        let closing = OutputLine(bytes, from: .stdout).closing
        #expect(closing?.code == code)
        #expect((closing?.lineMessage ?? closing?.message) == message)
        #expect(closing?.extras == extras)
        #expect(OutputLine(bytes, from: .stderr).closing == nil)
    }

    @Test(
        "any other line cannot",
        arguments: [
            #"{"status": {"code": 101}}"#, #"{"status": {"code": 77}}"#, #"{"status": {"code": "100"}}"#,
            #"{"status": 100}"#, #"{"status": {}}"#, #"["status"]"#,
        ])
    func noClosing(text: String) {
        #expect(OutputLine(LineSplitter.Line(bytes: Array(text.utf8)), from: .stdout).closing == nil)
    }

    @Test("random bytes never stop the splitter, and no line is longer than allowed") func random() {
        var generator = SeededGenerator.printingSeed()
        for _ in 0..<200 {
            var splitter = LineSplitter(maximumBytes: 50)
            var lines: [LineSplitter.Line] = []
            let bytes = (0..<Int.random(in: 0...2_000, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator) % (Bool.random(using: &generator) ? 16 : 255)
            }
            bytes.withUnsafeBytes { splitter.append($0) { lines.append($0) } }
            if let last = splitter.finish() { lines.append(last) }
            for line in lines {
                #expect(line.bytes.count <= 50)
                let shown = OutputLine(line, from: .stdout).message.unicodeScalars
                #expect(!shown.contains { $0.value < 0x20 && $0 != "\t" })
            }
        }
    }
}
