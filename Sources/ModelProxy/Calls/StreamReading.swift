// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
package import NIOCore
package import TraceStore
package import WireJSON

/// Reads a streamed answer on its way: which bytes may pass at once, which are held for the commit, and what the
/// events add up to.
///
/// Only whole events pass, so that an error can be told as an event of its own at any time. Holding begins with the
/// event in which the last choice finishes, or with `[DONE]`.
package struct StreamReading {
    /// What becomes of the bytes that were read.
    package struct Portion: Equatable {
        package var passes = ByteBuffer()
        package var holds = ByteBuffer()
    }

    private let choices: Int
    private let maximumBytes: Int
    private var splitter: ServerSentEventSplitter
    private var assembler = CompletionAssembler()
    private let inflater: Inflater?
    /// What is captured of the events on their way; `nil` where they pass as they are.
    private var capture: TokenCapture?
    /// Bytes that have been read.
    package private(set) var total = 0
    /// Bytes in the splitter that have neither passed nor been held.
    private var unfinished = 0
    /// Whether what comes is held.
    package private(set) var isHolding = false
    /// Whether `[DONE]` has come.
    package private(set) var isDone = false
    /// Whether the stream ended in an event that lacks its empty line.
    package private(set) var endedWithinEvent = false
    /// Why the events do not add up to an answer, when one of them could not be read.
    package private(set) var fault: String?

    package init(
        choices: Int, maximumBytes: Int, encoding: Inflater.Encoding, capture: CapturePlan? = nil
    ) {
        self.choices = choices
        self.maximumBytes = maximumBytes
        splitter = ServerSentEventSplitter(maximumEventBytes: maximumBytes)
        if case .identity = encoding { inflater = nil } else { inflater = Inflater(maximumBytes: maximumBytes) }
        self.capture = capture.map { TokenCapture($0) }
    }

    package struct TooLarge: Error {}

    /// Whether every choice has finished.
    package var hasFinished: Bool { assembler.finishedChoices() >= choices }

    /// The completion so far.
    package var completion: JSONValue? { assembler.completion }

    /// What has been captured, with the answer's own count of its tokens.
    package func captured(_ usage: Usage?) -> CapturedTokens { capture?.result(usage: usage) ?? CapturedTokens() }

    package mutating func read(_ bytes: ByteBuffer) throws(TooLarge) -> Portion {
        total += bytes.readableBytes
        guard total <= maximumBytes else { throw TooLarge() }
        if capture != nil { return try readCaptured(bytes) }
        return inflater == nil ? try readPlain(bytes) : try readCompressed(bytes)
    }

    /// The upstream has ended the stream: what is left of it. It counts if it can be read, and is no fault if it cannot.
    package mutating func finish() -> Portion {
        let rest = splitter.finish()
        guard !rest.isEmpty else { return Portion() }
        endedWithinEvent = true
        let fault = fault
        defer { self.fault = fault }
        if capture != nil {
            var portion = Portion()
            noteCaptured(ServerSentEventSplitter.Event(parsing: rest), &portion)
            return portion
        }
        let wasHolding = isHolding
        note(ServerSentEventSplitter.Event(parsing: rest))
        guard inflater == nil, unfinished > 0, !wasHolding else { return Portion() }
        unfinished = 0
        let buffer = ByteBuffer(bytes: rest)
        return isHolding ? Portion(holds: buffer) : Portion(passes: buffer)
    }

    private mutating func readPlain(_ bytes: ByteBuffer) throws(TooLarge) -> Portion {
        let wasHolding = isHolding
        let hadUnfinished = unfinished > 0
        splitter.push(bytes.readableBytesView)
        unfinished += bytes.readableBytes
        var passes: [[UInt8]] = []
        var holds: [[UInt8]] = []
        while let event = try nextEvent() {
            note(event)
            unfinished -= event.raw.count
            if isHolding { holds.append(event.raw) } else { passes.append(event.raw) }
        }
        if wasHolding {
            unfinished = 0
            return Portion(holds: bytes)
        }
        if isHolding {
            var held = Self.joined(holds)
            held.writeImmutableBuffer(Self.suffix(of: bytes, count: unfinished))
            unfinished = 0
            return Portion(passes: Self.joined(passes), holds: held)
        }
        // The usual case: whole events, which pass as they came.
        if !hadUnfinished, unfinished == 0 { return Portion(passes: bytes) }
        return Portion(passes: Self.joined(passes))
    }

    /// Compressed bytes cannot be cut at an event, so a piece passes or is held as a whole.
    private mutating func readCompressed(_ bytes: ByteBuffer) throws(TooLarge) -> Portion {
        guard let inflater else { return Portion(passes: bytes) }
        do throws(Inflater.Failure) {
            splitter.push(try inflater.inflate(bytes.readableBytesView))
        } catch {
            fault = fault ?? error.sentence
        }
        while let event = try nextEvent() { note(event) }
        return isHolding ? Portion(holds: bytes) : Portion(passes: bytes)
    }

    /// What passes is put together anew, without compression.
    private mutating func readCaptured(_ bytes: ByteBuffer) throws(TooLarge) -> Portion {
        if let inflater {
            do throws(Inflater.Failure) {
                splitter.push(try inflater.inflate(bytes.readableBytesView))
            } catch {
                fault = fault ?? error.sentence
            }
        } else {
            splitter.push(bytes.readableBytesView)
        }
        var portion = Portion()
        while let event = try nextEvent() { noteCaptured(event, &portion) }
        return portion
    }

    private mutating func noteCaptured(_ event: ServerSentEventSplitter.Event, _ portion: inout Portion) {
        var event = event
        if !event.data.isEmpty, !event.isDone {
            // What is no JSON passes, and is told of when it is noted.
            switch (try? capture?.take(event.data, isChunk: true)) ?? .same {
            case .same: break
            case .changed(let data): event.replaceData(with: data)
            case .nothing: return
            }
        }
        note(event)
        if isHolding { portion.holds.writeBytes(event.raw) } else { portion.passes.writeBytes(event.raw) }
    }

    private mutating func nextEvent() throws(TooLarge) -> ServerSentEventSplitter.Event? {
        do {
            return try splitter.next()
        } catch {
            throw TooLarge()
        }
    }

    private mutating func note(_ event: ServerSentEventSplitter.Event) {
        guard !event.data.isEmpty else { return }
        if event.isDone {
            isDone = true
            isHolding = true
            return
        }
        do {
            try assembler.add(event.data)
        } catch {
            fault = fault ?? "an event of the stream cannot be read: \(error)"
        }
        if hasFinished { isHolding = true }
    }

    private static func joined(_ pieces: [[UInt8]]) -> ByteBuffer {
        guard !pieces.isEmpty else { return ByteBuffer() }
        var buffer = ByteBufferAllocator().buffer(capacity: pieces.reduce(0) { $0 + $1.count })
        for piece in pieces { buffer.writeBytes(piece) }
        return buffer
    }

    private static func suffix(of bytes: ByteBuffer, count: Int) -> ByteBuffer {
        bytes.getSlice(at: bytes.writerIndex - count, length: count) ?? ByteBuffer()
    }
}
