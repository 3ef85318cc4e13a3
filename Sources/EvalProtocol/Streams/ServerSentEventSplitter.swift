// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

/// Cuts a stream of server-sent events into its events, of which each keeps its bytes as they came.
///
/// Lines may end in LF, CRLF or CR. Bytes may be cut anywhere, within a character too.
public struct ServerSentEventSplitter: Sendable {
    private let maximumEventBytes: Int
    private var buffer: [UInt8] = []
    /// Where the event that is being read begins.
    private var start = 0
    /// How far the bytes have been looked at.
    private var scanned = 0
    /// Whether the line at `scanned` has no bytes yet.
    private var lineIsEmpty = true
    /// Whether the last byte looked at was a CR, to which an LF may belong.
    private var lastWasCR = false
    /// Whether the last line that had an end ended in CRLF.
    private var usesCRLF = false
    /// Whether an event has ended in the CR of an expected CRLF.
    private var pendingEnd = false
    private var isFirstEvent = true

    /// - Parameter maximumEventBytes: A longer event is an error.
    public init(maximumEventBytes: Int = 16 << 20) { self.maximumEventBytes = maximumEventBytes }

    /// Adds bytes of the stream.
    public mutating func push(_ bytes: some Sequence<UInt8>) {
        if start > 0, start == buffer.count || start > 1 << 16 {
            buffer.removeSubrange(..<start)
            scanned -= start
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole event, or `nil` when more bytes are needed.
    ///
    /// A block of comments alone, or an empty line alone, is an event without a name and data.
    /// - Throws: ``ServerSentEventError`` when the event exceeds the bound; the stream cannot be read on then.
    public mutating func next() throws(ServerSentEventError) -> Event? {
        while scanned < buffer.count {
            let byte = buffer[scanned]
            if byte == 0x0A {
                scanned += 1
                let belongsToCR = lastWasCR
                lastWasCR = false
                if belongsToCR {
                    usesCRLF = true
                    // The CR has ended the line; if that was the empty one, this LF is the event's last byte.
                    if pendingEnd { return take() }
                    continue
                }
                usesCRLF = false
                if lineIsEmpty { return take() }
                lineIsEmpty = true
            } else if pendingEnd {
                return take()
            } else if byte == 0x0D {
                scanned += 1
                if lastWasCR { usesCRLF = false }
                lastWasCR = true
                guard lineIsEmpty else {
                    lineIsEmpty = true
                    continue
                }
                // Where lines end in CRLF the LF is surely on its way; else nothing more may come for long.
                if usesCRLF { pendingEnd = true } else { return take() }
            } else {
                if lastWasCR { usesCRLF = false }
                lastWasCR = false
                lineIsEmpty = false
                scanned = endOfLine(from: scanned + 1)
            }
        }
        guard buffer.count - start <= maximumEventBytes else {
            throw ServerSentEventError(maximumEventBytes: maximumEventBytes)
        }
        return nil
    }

    /// Ends the stream.
    ///
    /// - Returns: What is left: an event that lacks the empty line at its end. Empty after a clean end.
    public mutating func finish() -> [UInt8] {
        let rest = Array(buffer[start...])
        buffer = []
        start = 0
        scanned = 0
        lineIsEmpty = true
        lastWasCR = false
        pendingEnd = false
        return rest
    }

    private mutating func take() -> Event {
        let event = Event(parsing: Array(buffer[start..<scanned]), isFirst: isFirstEvent)
        start = scanned
        isFirstEvent = false
        lineIsEmpty = true
        pendingEnd = false
        return event
    }

    private func endOfLine(from start: Int) -> Int {
        buffer.withUnsafeBufferPointer { buffer in
            var index = start
            while index < buffer.count, buffer[index] != 0x0A, buffer[index] != 0x0D { index += 1 }
            return index
        }
    }
}

/// An event that is longer than its reader allows.
public struct ServerSentEventError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The bound that was exceeded.
    public let maximumEventBytes: Int

    public init(maximumEventBytes: Int) { self.maximumEventBytes = maximumEventBytes }

    public var description: String {
        "an event of the stream is longer than \(maximumEventBytes) bytes; raise the bound or end the stream"
    }
}
