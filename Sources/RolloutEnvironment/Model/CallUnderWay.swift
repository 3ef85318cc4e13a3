// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol

/// A model call until it is answered, has failed or is forgotten: what it holds of the rollout's gate and budget, and its
/// span.
final class CallUnderWay: Sendable {
    let endpoint: ModelEndpoint
    let span: ModelCallSpan
    private let pass: ModelCallGate.Pass
    private let budget: BudgetMeter.Call

    init(endpoint: ModelEndpoint, pass: ModelCallGate.Pass, budget: BudgetMeter.Call, span: ModelCallSpan) {
        self.endpoint = endpoint
        self.pass = pass
        self.budget = budget
        self.span = span
    }

    func answered(_ completion: Completion) {
        budget.answered(completion)
        span.answered(completion)
        pass.release()
    }

    func failed(_ error: any Error) {
        span.failed(error)
        pass.release()
    }
}
