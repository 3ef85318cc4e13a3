// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EvalProtocol
import NIOCore
import NIOHTTP1
import WireJSON

extension GatewayAccess {
    enum FeedEvent: Sendable {
        /// The current statuses have been told; what follows is new.
        case ready
        case status(StatusReport)
    }

    /// The gateway has no stream of events.
    struct EventsUnsupported: Error {}

    /// A stream that could not be opened now.
    private struct EventsRefused: Error { var code: Int }

    /// Hands over the statuses of an experiment's rollouts until the stream ends.
    ///
    /// - Parameter lastEventID: Where the stream before broke off; kept up to date.
    func events(
        experimentID: String, lastEventID: inout String?, _ body: (FeedEvent) -> Void
    ) async throws {
        var request = HTTPClientRequest(url: baseURL + "/v1/events?experiment_id=" + experimentID)
        request.headers.add(name: "Accept", value: "text/event-stream")
        if let apiKey { request.headers.add(name: "Authorization", value: "Bearer \(apiKey)") }
        if let lastEventID { request.headers.add(name: "Last-Event-ID", value: lastEventID) }
        let response = try await http.execute(request, deadline: .distantFuture)
        let isStream = response.headers.first(name: "Content-Type")?.lowercased().hasPrefix("text/event-stream") ?? false
        guard response.status.code == 200, isStream else {
            if response.status.code >= 500 || response.status.code == 429 {
                throw EventsRefused(code: Int(response.status.code))
            }
            throw EventsUnsupported()
        }
        var splitter = ServerSentEventSplitter()
        for try await piece in response.body {
            splitter.push(piece.readableBytesView)
            while let event = try splitter.next() {
                if let id = event.id { lastEventID = id }
                switch event.name {
                case "ready": body(.ready)
                case "status": if let report = StatusReport(event: event.data) { body(.status(report)) }
                default: break
                }
            }
        }
    }
}

extension StatusReport {
    /// Reads the data of a `status` event; `nil` for one that tells no status.
    init?(event data: [UInt8]) {
        guard let value = try? JSONValue(parsing: data), let rolloutID = value["rollout_id"]?.string,
            let status = try? Status(from: JSONReader(value["status"]))
        else { return nil }
        self.init(
            rolloutID: rolloutID,
            attempt: value["attempt"]?.string.map { .name($0) } ?? value["attempt"]?.int.map { .number($0) },
            status: status, extras: value["extras"]?.object)
    }
}
