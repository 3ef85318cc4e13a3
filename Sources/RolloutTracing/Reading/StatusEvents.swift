// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import NIOCore
import NIOHTTP1

extension TracingClient {
    /// The statuses of the rollouts that match, first the current ones, then each as the gateway takes it.
    ///
    /// The sequence does not end by itself. When the connection breaks it is made again after a pause and goes on where
    /// it stood; when the gateway no longer knows that place, the current statuses come again. So a status can come
    /// twice, but none is missed. Cancel the task that iterates to stop.
    public func events(_ filter: EventFilter) -> StatusEvents { StatusEvents(client: self, filter: filter) }
}

/// The event stream of a gateway, see ``TracingClient/events(_:)``.
public struct StatusEvents: AsyncSequence, Sendable {
    public typealias Element = StatusEvent

    let client: TracingClient
    let filter: EventFilter
    var backoff = Backoff(first: .milliseconds(100), longest: .seconds(5))

    public func makeAsyncIterator() -> Iterator { Iterator(sequence: self) }

    public struct Iterator: AsyncIteratorProtocol {
        let sequence: StatusEvents
        private var body: HTTPClientResponse.Body.AsyncIterator?
        private var splitter = ServerSentEventSplitter()
        private var lastID: String?
        private var failures = 0

        init(sequence: StatusEvents) { self.sequence = sequence }

        /// The next status.
        ///
        /// - Throws: ``TracingClientError`` when the gateway has no event stream or refuses the request, and
        ///   `CancellationError`.
        public mutating func next() async throws -> StatusEvent? {
            while true {
                try Task.checkCancellation()
                do {
                    if body == nil { try await connect() }
                    if let event = try await read() { return event }
                } catch let error as TracingClientError {
                    guard error.kind == .unreachable else { throw error }
                    try await pause()
                } catch {
                    if Task.isCancelled { throw CancellationError() }
                    try await pause()
                }
            }
        }

        /// The next status of this connection; `nil` when it has ended.
        private mutating func read() async throws -> StatusEvent? {
            while true {
                while let event = try splitter.next() {
                    failures = 0
                    if let id = event.id { lastID = id }
                    guard event.name == "status" else { continue }
                    if let status = StatusEvent(data: event.data, id: event.id) { return status }
                }
                guard let buffer = try await body?.next() else {
                    try await pause()
                    return nil
                }
                splitter.push(buffer.readableBytesView)
            }
        }

        private mutating func connect() async throws {
            let client = sequence.client
            let url = client.url("/v1/events", sequence.filter.query)
            var headers: HTTPHeaders = ["accept": "text/event-stream", "cache-control": "no-store"]
            if let lastID { headers.add(name: "last-event-id", value: lastID) }
            let response = try await client.eventHTTP.open(url, apiKey: client.apiKey, headers: headers)
            let code = Int(response.status.code)
            guard code == 200 else {
                if [408, 429].contains(code) || (code >= 500 && code != 501) {
                    throw TracingClientError(.unreachable, url: url, "it answered \(code)")
                }
                if [404, 405, 501].contains(code) {
                    throw TracingClientError(.unsupported, url: url, "it answered \(code)")
                }
                let body = try await Array(response.body.collect(upTo: 1 << 20).readableBytesView)
                let answer = GatewayHTTP.Answer(code: code, headers: response.headers, body: body)
                throw TracingClientError(.refused(code), url: url, answer.errorMessage ?? "it gave no reason")
            }
            guard response.headers.first(name: "content-type")?.lowercased().hasPrefix("text/event-stream") == true
            else {
                throw TracingClientError(.unsupported, url: url, "its answer is no event stream")
            }
            splitter = ServerSentEventSplitter()
            body = response.body.makeAsyncIterator()
        }

        private mutating func pause() async throws {
            body = nil
            failures += 1
            try await Task.sleep(
                for: sequence.backoff.pause(afterFailures: failures, jitter: .random(in: 0...1)))
        }
    }
}
