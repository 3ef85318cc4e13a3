// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import Hummingbird
import HummingbirdCore
import ModelProxy
import NIOCore
import PrometheusMetrics
import TraceStore

/// `GET /metrics`: what happens in the gateway, for Prometheus.
struct MetricsRoutes {
    private let registry: PrometheusRegistry
    private let ledger: TraceLedger
    private let proxy: ModelProxy
    private let connections: ConnectionRegistry
    private let waiting: Slots
    private let eventStreams: Slots
    private let ready: Meter
    private let callsInFlight: Meter
    private let callsWaiting: Meter
    private let openConnections: Meter
    private let openEventStreams: Meter
    private let waitingRequests: Meter
    private let watchedRollouts: Meter
    private let pendingRecords: Meter
    private let pendingBytes: Meter
    private let databaseBytes: Meter
    private let logBytes: Meter

    private static let help = [
        "rollcall_ready": "Whether the store takes records, 1 or 0.",
        "rollcall_calls_in_flight": "Model calls whose request has come and whose end has not.",
        "rollcall_calls_waiting":
            "Those of them that wait for a connection to their upstream, as ten times a second seen.",
        "rollcall_calls_total": "Recorded model calls, and those that the upstream failed or that were cut short.",
        "rollcall_call_seconds": "From the end of a recorded call's request to the end of its answer.",
        "rollcall_call_first_byte_seconds":
            "From the end of a recorded call's request to the first byte of the answer.",
        "rollcall_call_problems_total":
            "Model calls that the gateway itself answered, and requests that are no HTTP or too slow, by code and status.",
        "rollcall_tokens_total": "Tokens of recorded calls as the upstream counts them.",
        "rollcall_log_lines_total": "Log lines that were stored.",
        "rollcall_statuses_total": "Lines with a status that were stored, by its code.",
        "rollcall_verdicts_total": "Rollouts that the gateway itself ended, by the reason.",
        "rollcall_watched_rollouts": "Running rollouts with a deadline, a lease or a budget.",
        "rollcall_records_refused_total": "Records that found no room, or a store that took none.",
        "rollcall_records_pending": "Records that are reserved, waiting or being committed.",
        "rollcall_records_pending_bytes": "Their bytes.",
        "rollcall_commits_total": "Transactions, by how they ended.",
        "rollcall_commit_seconds": "From a transaction's begin to its sync to the disk.",
        "rollcall_commit_records": "Records of a transaction.",
        "rollcall_store_bytes": "The store's database, and the write-ahead log beside it.",
        "rollcall_connections": "Open connections of clients.",
        "rollcall_event_streams": "Subscribers of events.",
        "rollcall_waiting_requests": "Requests that wait for a status.",
        "rollcall_event_loop_lag_seconds": "How late an event loop comes to a timer while there are calls.",
        "rollcall_http_requests_total": "Requests to all but the model API, by method and status.",
    ]

    init(
        _ registry: PrometheusRegistry, ledger: TraceLedger, proxy: ModelProxy, connections: ConnectionRegistry,
        waiting: Slots, eventStreams: Slots
    ) {
        self.registry = registry
        self.ledger = ledger
        self.proxy = proxy
        self.connections = connections
        self.waiting = waiting
        self.eventStreams = eventStreams
        for (name, help) in Self.help { registry.describe(name, help) }
        func meter(_ label: String, _ dimensions: [(String, String)] = []) -> Meter {
            Meter(label: label, dimensions: dimensions, factory: registry)
        }
        ready = meter("rollcall_ready")
        callsInFlight = meter("rollcall_calls_in_flight")
        callsWaiting = meter("rollcall_calls_waiting")
        openConnections = meter("rollcall_connections")
        openEventStreams = meter("rollcall_event_streams")
        waitingRequests = meter("rollcall_waiting_requests")
        watchedRollouts = meter("rollcall_watched_rollouts")
        pendingRecords = meter("rollcall_records_pending")
        pendingBytes = meter("rollcall_records_pending_bytes")
        databaseBytes = meter("rollcall_store_bytes", [("file", "database")])
        logBytes = meter("rollcall_store_bytes", [("file", "log")])
    }

    func add(to table: inout RouteTable) {
        table.add(.get, ["/metrics"], .metrics) { _, _ in
            measure()
            return Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: registry.text())))
        }
    }

    /// What is looked up when it is asked for, and not told as it changes.
    private func measure() {
        let held = ledger.held
        let sizes = ledger.storeSizes
        ready.set(ledger.health.isHealthy ? 1 : 0)
        callsInFlight.set(proxy.callsInFlight)
        callsWaiting.set(proxy.callsWaiting)
        openConnections.set(connections.count)
        openEventStreams.set(eventStreams.count)
        waitingRequests.set(waiting.count)
        watchedRollouts.set(ledger.watchedRollouts)
        pendingRecords.set(held.records)
        pendingBytes.set(held.bytes)
        databaseBytes.set(sizes.database)
        logBytes.set(sizes.log)
    }
}
