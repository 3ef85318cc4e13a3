// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Hummingbird
import HummingbirdCore
import ServiceLifecycle
import TraceStore
import WireJSON

/// How a rollout stands, now or as soon as it has ended.
struct StatusRoutes {
    let ledger: TraceLedger
    let limits: RouteLimits
    let waiting: Slots

    init(ledger: TraceLedger, limits: RouteLimits) {
        self.ledger = ledger
        self.limits = limits
        waiting = Slots(limits.waiting)
    }

    func add(to table: inout RouteTable) {
        table.add(.get, ["/v1/status", "/status"], .status(limits), status)
    }

    @Sendable private func status(_ request: Request, _ context: GatewayContext) async throws -> Response {
        let parameters = try QueryParameters(request)
        let key = RolloutKey(account: context.account, rolloutID: try parameters.required("rollout_id"))
        let view = StatusView(rolloutID: key.rolloutID, attempt: try parameters.attempt())
        let wait = try parameters.number("wait_seconds", upTo: limits.waitSeconds) ?? 0
        let state = try await state(of: key, view, wait: wait)
        return Response(json: view.json(state))
    }

    private func state(of key: RolloutKey, _ view: StatusView, wait: Double) async throws -> RolloutState? {
        guard wait > 0 else { return try await ledger.state(of: key) }
        guard let slot = waiting.take() else {
            throw Problem.tooBusy(
                "\(limits.waiting) requests wait for a status, as many as --max-waiting allows; poll again later",
                parameter: "--max-waiting")
        }
        defer { withExtendedLifetime(slot) {} }
        do {
            // A gateway that shuts down answers with what it knows.
            return try await cancelWhenGracefulShutdown {
                try await ledger.state(of: key, waiting: .seconds(wait)) { view.isSettled($0) }
            }
        } catch is CancellationError {
            return try await ledger.state(of: key)
        }
    }
}
