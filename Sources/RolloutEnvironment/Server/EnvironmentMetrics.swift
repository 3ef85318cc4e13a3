// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import CoreMetrics
import EvalProtocol
import PrometheusMetrics
import RolloutTracing
import Synchronization

/// What happens in the environment, for `GET /metrics` and for the backend of swift-metrics that the process has set up.
final class EnvironmentMetrics: Sendable {
    private let registry = PrometheusRegistry()
    private let factory: any MetricsFactory
    private let agentSeconds: Timer
    private let queueSeconds: Timer
    private let modelSeconds: Timer
    private let running: Meter
    private let queued: Meter
    private let abandoned: Meter
    private let capacity: Meter
    private let poolBlockages: Counter
    private let linesWaiting: Meter
    private let statusesWaiting: Meter
    /// What the counters of the delivery have been told of.
    private let told = Mutex(DeliveryStatistics())
    /// Those that have counted, by name and values: to look one up costs less than to make it again.
    private let counters = Mutex<[[String]: Counter]>([:])

    private static let help = [
        "rollcall_environment_running": "Rollouts whose agents run.",
        "rollcall_environment_queued": "Accepted rollouts that wait for a place.",
        "rollcall_environment_abandoned":
            "Agents among those that run which do not return though their rollouts ended.",
        "rollcall_environment_capacity": "How many agents may run at once.",
        "rollcall_environment_init_answers_total": "Answers to /init by HTTP status.",
        "rollcall_environment_ended_total": "Rollouts that ended, by their code and the reason of an error.",
        "rollcall_environment_agent_seconds": "From an agent's start to its rollout's end.",
        "rollcall_environment_queue_seconds": "From the acceptance of a rollout to its agent's start.",
        "rollcall_environment_model_seconds": "From a model call to the head of its answer.",
        "rollcall_environment_pool_blocked_total":
            "Times that no task could run for five seconds, because agents blocked the threads that all tasks share.",
        "rollcall_environment_log_lines_waiting": "Lines without a status that wait for a gateway or are on their way.",
        "rollcall_environment_statuses_waiting": "Lines with a status that wait for a gateway or are on their way.",
        "rollcall_environment_log_lines_delivered_total": "Lines that a gateway has taken.",
        "rollcall_environment_log_lines_dropped_total": "Lines that were lost: no room, or refused by the gateway.",
        "rollcall_environment_statuses_refused_total": "Statuses that a gateway refused for good.",
        "rollcall_environment_log_retries_total": "Posts to gateways that failed and are repeated.",
    ]

    init(capacity places: Int) {
        let registry = registry
        for (name, help) in Self.help { registry.describe(name, help) }
        let factory = MultiplexMetricsHandler(factories: [registry, MetricsSystem.factory])
        self.factory = factory
        func meter(_ name: String) -> Meter {
            Meter(label: "rollcall_environment_\(name)", dimensions: [], factory: factory)
        }
        func timer(_ name: String) -> Timer {
            Timer(label: "rollcall_environment_\(name)", dimensions: [], factory: factory)
        }
        agentSeconds = timer("agent_seconds")
        queueSeconds = timer("queue_seconds")
        modelSeconds = timer("model_seconds")
        running = meter("running")
        queued = meter("queued")
        abandoned = meter("abandoned")
        capacity = meter("capacity")
        poolBlockages = Counter(label: "rollcall_environment_pool_blocked_total", dimensions: [], factory: factory)
        linesWaiting = meter("log_lines_waiting")
        statusesWaiting = meter("statuses_waiting")
        capacity.set(places)
    }

    func answered(_ answer: InitAnswer) {
        count("init_answers_total", [("status", "\(answer.status)")])
    }

    func started(after wait: Duration) { queueSeconds.recordNanoseconds(wait.nanoseconds) }

    /// - Parameter duration: Of the agent's work, if it had begun.
    func ended(_ status: Status, after duration: Duration?) {
        // Reasons of the agent's own are as many as it likes.
        let reason = status.isSuccess ? nil : FailureReason(status)
        count("ended_total", [("code", "\(status.code.rawValue)"), ("reason", reason?.rawValue ?? "")])
        if let duration { agentSeconds.recordNanoseconds(duration.nanoseconds) }
    }

    func poolBlocked() { poolBlockages.increment() }

    func modelAnswered(after duration: Duration) { modelSeconds.recordNanoseconds(duration.nanoseconds) }

    /// All of it in Prometheus' text format, with what is looked up when it is asked for.
    func text(_ counts: RolloutRegistry.Counts, _ delivery: DeliveryStatistics) -> String {
        running.set(counts.running)
        queued.set(counts.queued)
        abandoned.set(counts.abandoned)
        linesWaiting.set(delivery.waiting)
        statusesWaiting.set(delivery.statusesWaiting)
        let before = told.withLock { told in
            defer { told = delivery }
            return told
        }
        count("log_lines_delivered_total", by: delivery.delivered - before.delivered)
        count("log_lines_dropped_total", by: delivery.dropped - before.dropped)
        count("statuses_refused_total", by: delivery.statusesRefused - before.statusesRefused)
        count("log_retries_total", by: delivery.retries - before.retries)
        return registry.text()
    }

    private func count(_ name: String, _ dimensions: [(String, String)] = [], by amount: Int = 1) {
        let counter = counters.withLock { counters in
            let key = [name] + dimensions.map(\.1)
            if let counter = counters[key] { return counter }
            let counter = Counter(label: "rollcall_environment_\(name)", dimensions: dimensions, factory: factory)
            counters[key] = counter
            return counter
        }
        counter.increment(by: max(0, amount))
    }
}

extension Duration {
    fileprivate var nanoseconds: Int64 { Int64(self / .nanoseconds(1)) }
}
