// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutTracing

extension EnvironmentCore {
    /// Tells the gateway of a rollout's budget, so that it holds for calls that do not go through the rollout's own model
    /// client, too.
    ///
    /// - Returns: The answer to `/init` when the gateway does not take it. One that knows no budgets is no problem.
    func register(
        _ context: RolloutContext, _ terms: ExecutionTerms, _ chosen: ChosenDestination
    ) async -> InitAnswer? {
        let destination = chosen.destination
        let client = TracingClient(gatewayURL: destination.gatewayURL, apiKey: destination.apiKey)
        let deadline = terms.deadline.map { max(ContinuousClock.now.duration(to: $0.at), .milliseconds(1)) }
        let registration = Task {
            try await client.register([context.metadata], deadline: deadline, budget: terms.budget)
        }
        let timer = Task { [limit = configuration.runningTimeout] in
            try await Task.sleep(for: limit)
            registration.cancel()
        }
        defer { timer.cancel() }
        do {
            switch try await registration.value?.first {
            case nil, .registered: return nil
            case .refused(409, let reason):
                return .error(
                    409, code: "rollout_known",
                    "metadata: the gateway \(destination) knows the rollout otherwise: \(reason)",
                    param: "metadata")
            case .refused(let code, let reason):
                return .error(
                    503, code: "gateway_refused",
                    "The gateway \(destination) refused the rollout's budget with \(code): \(reason)", retryAfter: 5)
            }
        } catch let error as TracingClientError where !error.mattersToBudgets {
            return nil
        } catch {
            let isKey = [401, 403].contains((error as? TracingClientError)?.code)
            let cause =
                (error as? TracingClientError)?.reason ?? "no answer within \(configuration.runningTimeout)"
            return .error(
                503, code: isKey ? "gateway_refused" : "gateway_unreachable",
                "The rollout's budget could not be brought to the gateway \(destination): \(cause). "
                    + (isKey ? chosen.keyAdvice : chosen.addressAdvice), retryAfter: 5)
        }
    }
}

extension TracingClientError {
    /// Whether a gateway that knows budgets may have answered so; others answer an unknown route with anything.
    fileprivate var mattersToBudgets: Bool {
        switch kind {
        case .unreachable, .refused(401), .refused(403), .refused(408), .refused(429), .refused(500...599): true
        case .refused, .unreadable, .unsupported: false
        }
    }
}
