// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import TraceStore

/// The statuses of many rollouts on one connection, as server-sent events.
struct EventRoutes {
    let ledger: TraceLedger
    let limits: RouteLimits
    let streams: Slots
    let logger: Logger

    init(ledger: TraceLedger, limits: RouteLimits, logger: Logger) {
        self.ledger = ledger
        self.limits = limits
        self.logger = logger
        streams = Slots(limits.eventStreams)
    }

    func add(to table: inout RouteTable) {
        table.add(.get, ["/v1/events"], .events, events)
    }

    private static let lastEventID = HTTPField.Name("last-event-id")

    @Sendable private func events(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let parameters = try QueryParameters(request)
        let filter = try parameters.rolloutFilter()
        guard !filter.isEmpty else {
            throw Problem(
                .badRequest,
                "name the rollouts with experiment_id, run_id, invocation_id or rollout_id in the query",
                parameter: "experiment_id")
        }
        let last = Self.lastEventID.flatMap { request.headers[$0] }
        let subscription = ledger.subscribe(
            filter, account: context.account, after: last.map(EventText.sequence(ofID:)))
        let stream = EventStream(
            subscription: subscription, channel: context.channel, limits: limits,
            logger: logger, requestID: context.requestID)
        guard let slot = streams.take() else {
            throw Problem.tooBusy(
                "\(limits.eventStreams) event streams are open, as many as --max-event-streams allows; close some, or "
                    + "name several experiments in one",
                parameter: "--max-event-streams")
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-cache"],
            body: ResponseBody { writer in
                await stream.run()
                withExtendedLifetime(slot) {}
                try await writer.finish(nil)
            })
    }
}
