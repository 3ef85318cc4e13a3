// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import ModelProxy
import NIOCore
import WireJSON

/// A stream of events means the same wherever it is cut, and none of its bytes is lost.
enum EventsFuzz: FuzzTarget {
    static let name = "events"

    private static let chunks = [
        #"{"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":"a"}}]}"#,
        #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{"}}]}}]}"#,
        #"{"choices":[{"index":0,"delta":{},"finish_reason":"stop","logprobs":{"content":[{"logprob":-1}]},"token_ids":[1]}]}"#,
        #"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#, "[DONE]",
    ]

    static let seeds =
        ["\n", "\r\n", "\r"].map { end in
            Array(chunks.map { "data: \($0)\(end)\(end)" }.joined().utf8)
        } + [Array("\u{FEFF}: comment\n\nevent: status\nid: 7\ndata: a\ndata\ndata:b\n\nrest".utf8)]

    static func run(_ input: [UInt8]) {
        let whole = Events(input, of: [input])
        require(whole.bytes == input, "events and what is left of them are the stream")
        require(Events(input, of: input.singles) == whole, "events are the same byte by byte")
        require(Events(input, of: input.pieces) == whole, "events are the same in pieces")

        let read = Read([input])
        require(read.passes + read.holds == input, "what passes and what is held are the stream")
        require(Read(input.singles) == read, "a stream is read the same byte by byte")
        require(Read(input.pieces) == read, "a stream is read the same in pieces")
        assemble(whole.events)
    }

    private struct Events: Equatable {
        var events: [ServerSentEventSplitter.Event] = []
        var rest: [UInt8] = []

        init(_ input: [UInt8], of pieces: [[UInt8]]) {
            var splitter = ServerSentEventSplitter()
            for piece in pieces {
                splitter.push(piece)
                while let event = try? splitter.next() { events.append(event) }
            }
            rest = splitter.finish()
        }

        var bytes: [UInt8] { events.flatMap(\.raw) + rest }
    }

    /// A stream as the gateway reads it on its way.
    private struct Read: Equatable {
        var passes: [UInt8] = []
        var holds: [UInt8] = []
        var completion: JSONValue?
        var isDone = false
        var hasFinished = false
        var fault: String?

        init(_ pieces: [[UInt8]]) {
            var reading = StreamReading(choices: 1, maximumBytes: 1 << 20, encoding: .identity)
            for piece in pieces {
                guard let portion = try? reading.read(ByteBuffer(bytes: piece)) else {
                    fatalError("a short stream is too large")
                }
                add(portion)
            }
            add(reading.finish())
            (completion, isDone, hasFinished) = (reading.completion, reading.isDone, reading.hasFinished)
            fault = reading.fault
        }

        private mutating func add(_ portion: StreamReading.Portion) {
            require(holds.isEmpty || portion.passes.readableBytes == 0, "nothing passes once something is held")
            passes += portion.passes.readableBytesView
            holds += portion.holds.readableBytesView
        }
    }

    private static func assemble(_ events: [ServerSentEventSplitter.Event]) {
        var assembler = CompletionAssembler()
        for event in events {
            var next = assembler
            do {
                try next.add(event.data)
            } catch {
                require(next.completion == assembler.completion, "a chunk that is refused changes nothing")
            }
            assembler = next
        }
        guard let completion = assembler.completion else { return }
        require(
            (try? JSONValue(parsing: completion.serialized())) == completion,
            "a completion is the same once written and read")
        _ = try? Completion(from: JSONReader(completion))
    }
}
