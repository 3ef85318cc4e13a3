// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

package import EvalProtocol
import RolloutTracing

extension RolloutEnvironment {
    /// Runs the agent in the calling task, with the model and the reports given: what tests of agents stand on.
    package func runInMemory(
        _ request: InitRequest, transport: any ModelTransport, reporter: any RolloutReporter
    ) async -> Status {
        var metadata = request.metadata
        metadata.attempt = metadata.attempt ?? .random()
        let context = RolloutContext(metadata: metadata)
        let now = ContinuousClock.now
        // What is no limit is none here: this is not /init, which would refuse it.
        let terms =
            (try? RequestedLimits(request.metadata)).map { core.terms(request, $0, arrival: now) } ?? ExecutionTerms()
        let run = core.makeRun(
            request, budget: terms.budget, context: context, reporter: reporter, transport: transport,
            secrets: core.secrets(of: request))
        _ = await reporter.deliver(.running, for: context, message: "running", within: .seconds(3))
        let status = await run.execute(deadline: terms.deadline(startingAt: now)?.at)
        run.report(status)
        return status
    }
}
