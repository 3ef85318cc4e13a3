// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import NIOHTTP1
import RolloutEnvironment
import RolloutTesting
import Synchronization
import TestSupport
import Testing
import WireJSON

@Suite("RolloutEnvironment: budgets") struct BudgetTests {
    /// An agent that goes on asking within one conversation until it may not.
    private static func talkative(
        _ configuration: RolloutEnvironment.Configuration, isStreamed: Bool = false
    ) -> RolloutEnvironment {
        RolloutEnvironment(configuration) { rollout in
            var messages = rollout.messages
            for _ in 0..<50 {
                let completion =
                    isStreamed
                    ? try await rollout.model.stream(messages).collect()
                    : try await rollout.model.complete(messages)
                messages += [completion.message, .user("go on")]
            }
            return .finished("nobody stopped me")
        }
    }

    @Test(
        "a model call for which there is no room is not made, and the rollout ends as RESOURCE_EXHAUSTED",
        arguments: [
            (Budget(calls: 3), 3, FailureReason.budgetCalls), (Budget(turns: 2), 2, .budgetTurns),
            (Budget(promptTokens: 25), 3, .budgetPromptTokens),
            (Budget(completionTokens: 10), 2, .budgetCompletionTokens),
            (Budget(calls: 9, turns: 4, completionTokens: 1_000), 4, .budgetTurns),
        ] as [(Budget, Int, FailureReason)])
    func reached(limits: (budget: Budget, calls: Int, reason: FailureReason)) async throws {
        // Streams tell of tokens only where they are asked to.
        let countsTokens = limits.budget.promptTokens != nil || limits.budget.completionTokens != nil
        for isStreamed in countsTokens ? [false] : [false, true] {
            var configuration = RolloutEnvironment.Configuration.test
            configuration.budget = limits.budget
            // Ten prompt tokens and five of the completion each.
            let model = ScriptedModel { _ in .text("more") }
            let recording = await Self.talkative(configuration, isStreamed: isStreamed).test(
                [.user("go")], model: model)
            #expect(model.calls.count == limits.calls)
            #expect(recording.status.code == .resourceExhausted)
            #expect(FailureReason(recording.status) == limits.reason)
            let info = try #require(recording.status.errorInfos.first)
            #expect(info.metadata["blame"] == "policy")
            #expect(info.metadata["bound"]?.string != nil)
        }
    }

    @Test("turns are those of this rollout: answers in the row are none, and a new conversation begins anew")
    func turns() async {
        var configuration = RolloutEnvironment.Configuration.test
        configuration.budget = Budget(turns: 2)
        let environment = RolloutEnvironment(configuration) { rollout in
            for _ in 0..<5 { _ = try await rollout.model.complete(rollout.messages) }
            return .finished()
        }
        let row: [Message] = [.user("a"), .assistant("b"), .user("c"), .assistant("d"), .user("e")]
        let recording = await environment.test(row, model: ScriptedModel { _ in .text("x") })
        #expect(recording.status.code == .finished)
    }

    @Test("calls that fail do not count") func failures() async {
        var configuration = RolloutEnvironment.Configuration.test
        configuration.budget = Budget(calls: 1)
        let environment = RolloutEnvironment(configuration) { rollout in
            for _ in 0..<3 { _ = try? await rollout.model.complete(rollout.messages) }
            _ = try await rollout.model.complete(rollout.messages)
            return .finished()
        }
        let model = ScriptedModel([
            .failure(httpStatus: 400), .failure(httpStatus: 400), .failure(httpStatus: 400), "good",
        ])
        #expect(await environment.test([.user("go")], model: model).status.code == .finished)
    }

    @Test(
        "an agent that goes on regardless is ended, unless it is to decide itself",
        arguments: [
            (RolloutEnvironment.Configuration.BudgetEnd.ends, StatusCode.resourceExhausted), (.asksAgent, .finished),
        ])
    func who(decides: RolloutEnvironment.Configuration.BudgetEnd, code: StatusCode) async throws {
        var configuration = RolloutEnvironment.Configuration.test
        configuration.budget = Budget(calls: 5)
        configuration.whenBudgetIsUsedUp = decides
        let calls = Atomic(0)
        try await FakeGateway.with { gateway in
            let environment = RolloutEnvironment(configuration) { rollout in
                do {
                    while true {
                        _ = try await rollout.model.complete(rollout.messages)
                        calls.add(1, ordering: .relaxed)
                    }
                } catch let error as ModelError where error.reason == .budgetCalls {
                    return .finished(reason: .maxSteps)
                }
            }
            try await ServedEnvironment.with(environment) { environment in
                // The caller may ask for less, and not for more.
                for (id, asked) in [("less", 2), ("more", 50)] {
                    var request = InitRequest.test(id, gateway: gateway.url)
                    request.metadata.additional["budget"] = ["calls": .number(asked)]
                    #expect(try await environment.initialize(request).status == 200)
                    try await eventually("end") { gateway.terminal(of: id) == [code] }
                }
            }
            let count = calls.load(ordering: .relaxed)
            #expect(count == 7)
        }
    }

    @Test(
        "an /init whose budget the gateway does not take is not accepted",
        arguments: [(401, 503), (500, 503), (404, 200), (200, 200)])
    func refused(code: Int, expected: Int) async throws {
        let gateway = try await ScriptedHTTPServer.start { request in
            request.path == "/v1/rollouts" ? .json(["detail": "no"], status: code) : FakeGateway.taken
        }
        var configuration = RolloutEnvironment.Configuration.test
        configuration.budget = Budget(calls: 5)
        configuration.runningTimeout = .seconds(2)
        let environment = RolloutEnvironment(configuration) { _ in .finished() }
        let answer = await environment.handle(InitRequest.test("a", gateway: gateway.url).json.serialized())
        #expect(answer.status == expected)
        await gateway.stop()
    }
}
