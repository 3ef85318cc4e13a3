// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

public import EvalProtocol
import Synchronization
public import WireJSON

/// An answer that comes piece by piece. Iterate once; ``completion`` is there when the iteration has ended.
///
/// A stream that ends before its answer is finished throws: it never looks like a short answer.
public struct CompletionStream: AsyncSequence, Sendable {
    public typealias Element = CompletionChunk

    fileprivate final class Source: Sendable {
        let body: any AsyncSequence<[UInt8], any Error> & Sendable
        let call: CallUnderWay
        let maximumBytes: Int
        let translate: @Sendable (any Error) -> any Error
        let completion = Mutex<Completion?>(nil)

        init(
            body: any AsyncSequence<[UInt8], any Error> & Sendable, call: CallUnderWay, maximumBytes: Int,
            translate: @escaping @Sendable (any Error) -> any Error
        ) {
            self.body = body
            self.call = call
            self.maximumBytes = maximumBytes
            self.translate = translate
        }
    }

    private let source: Source

    init(
        body: any AsyncSequence<[UInt8], any Error> & Sendable, call: CallUnderWay, maximumBytes: Int,
        translate: @escaping @Sendable (any Error) -> any Error
    ) {
        source = Source(body: body, call: call, maximumBytes: maximumBytes, translate: translate)
    }

    /// The whole answer, after the last piece.
    public var completion: Completion? { source.completion.withLock { $0 } }

    /// Reads to the end.
    public func collect() async throws -> Completion { try await collect { _ in } }

    /// Reads to the end, and hands out each piece before the next one is read.
    func collect(_ onChunk: (CompletionChunk) async throws -> Void) async throws -> Completion {
        for try await chunk in self { try await onChunk(chunk) }
        guard let completion else {
            throw ModelError(.modelStreamBroken, "The model's answer was read twice or ended without a choice.")
        }
        return completion
    }

    public func makeAsyncIterator() -> Iterator { Iterator(source: source) }

    public struct Iterator: AsyncIteratorProtocol {
        private let source: Source
        private var bytes: any AsyncIteratorProtocol<[UInt8], any Error>
        private var splitter = ServerSentEventSplitter()
        private var assembler = CompletionAssembler()
        private var count = 0
        private var isOver = false

        fileprivate init(source: Source) {
            self.source = source
            bytes = source.body.makeAsyncIterator()
        }

        public mutating func next() async throws -> CompletionChunk? {
            guard !isOver else { return nil }
            do {
                while true {
                    while let event = try splitter.next() {
                        if let chunk = try take(event.data) { return chunk }
                        if isOver { return nil }
                    }
                    guard let more = try await bytes.next() else {
                        try finish(isMarked: false)
                        return nil
                    }
                    count += more.count
                    guard count <= source.maximumBytes else {
                        throw ModelError(
                            .modelAnswerTooLarge,
                            "The model's answer is longer than \(source.maximumBytes) bytes; "
                                + "raise model.maximumAnswerBytes or lower max_tokens.")
                    }
                    splitter.push(more)
                }
            } catch {
                isOver = true
                let error = source.translate(error)
                source.call.failed(error)
                throw error
            }
        }

        /// The chunk that an event holds; `nil` for a comment and for the end.
        private mutating func take(_ data: [UInt8]) throws -> CompletionChunk? {
            if data.isEmpty { return nil }
            if data.elementsEqual("[DONE]".utf8) {
                try finish(isMarked: true)
                return nil
            }
            let json = try JSONValue(parsing: data)
            if let error = ModelError(event: json) { throw error }
            try assembler.add(data)
            return CompletionChunk(json: json)
        }

        private mutating func finish(isMarked: Bool) throws {
            guard let json = assembler.completion, isMarked || assembler.finishedChoices() > 0 else {
                throw ModelError(.modelStreamBroken, "The model's answer ended before it was finished.")
            }
            let completion = try Completion(from: JSONReader(json))
            source.completion.withLock { $0 = completion }
            isOver = true
            source.call.answered(completion)
        }
    }
}

/// A piece of a streamed answer.
public struct CompletionChunk: Sendable, Hashable {
    /// The chunk as it came.
    public let json: JSONValue

    init(json: JSONValue) { self.json = json }

    private var choice: JSONValue? { json["choices"]?.array?.first { ($0["index"]?.int ?? 0) == 0 } }

    /// What the first choice says further; empty for chunks of tool calls, usage or the end.
    public var text: String { choice?["delta"]?["content"]?.string ?? "" }

    /// Why the first choice ended, in its last chunk.
    public var finishReason: String? { choice?["finish_reason"]?.string }
}
