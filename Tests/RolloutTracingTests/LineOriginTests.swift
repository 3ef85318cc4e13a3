// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import Logging
import RolloutTracing
import Testing

@Suite("RolloutTracing: the rollout of a line") struct LineOriginTests {
    private func origin(
        call: Logger.Metadata = [:], task: RolloutContext? = nil, own: Logger.Metadata = [:],
        rollout: RolloutContext? = nil, configured: String? = nil
    ) -> LineOrigin? {
        LineOrigin(call: call, task: task, own: own, rollout: rollout, configuredRolloutID: configured)
    }

    @Test("call, task, handler, configuration, in this order")
    func precedence() {
        let call: Logger.Metadata = ["rollout_id": "call"]
        let (task, rollout) = (context("task"), context("handler"))
        let own: Logger.Metadata = ["rollout_id": "own"]
        func first(_ origin: LineOrigin?) -> String? { origin?.tags.first }
        #expect(first(origin(call: call, task: task, own: own, rollout: rollout, configured: "x")) == "rollout_id:call")
        #expect(first(origin(task: task, own: own, rollout: rollout, configured: "x")) == "rollout_id:task")
        #expect(first(origin(own: own, rollout: rollout, configured: "x")) == "rollout_id:own")
        #expect(first(origin(rollout: rollout, configured: "x")) == "rollout_id:handler")
        #expect(first(origin(configured: "x")) == "rollout_id:x")
        #expect(origin() == nil)
        #expect(origin(call: ["rollout_id": ""]) == nil)
    }

    @Test("a rollout named by its id takes the rest from where it is known")
    func knownRest() {
        let destination = LogDestination(gatewayURL: "http://a")
        let task = context("r", attempt: "a1", destination: destination)
        let same = origin(call: ["rollout_id": "r"], task: task)
        #expect(same?.tags == ["rollout_id:r", "experiment_id:e", "run_id:u"])
        #expect(same?.attempt == AttemptID("a1"))
        let other = origin(call: ["rollout_id": "s", "run_id": "v"], task: task)
        #expect(other?.tags == ["rollout_id:s", "run_id:v"])
        #expect(other?.attempt == nil)
        #expect(other?.destination == destination)
    }

    @Test("a call can add the members of a group")
    func group() {
        let tags = origin(call: ["rollout_ids": ["a", "b", "r"]], task: context("r"))?.tags
        #expect(tags == ["rollout_id:a", "rollout_id:b", "rollout_id:r"])
        let both = origin(call: ["rollout_id": "r", "rollout_ids": ["r", "b"]], task: context("r"))?.tags
        #expect(both == ["rollout_id:r", "experiment_id:e", "run_id:u", "rollout_id:b"])
    }

    @Test("timestamps are ISO 8601 with microseconds")
    func timestamps() {
        #expect(LogTimestamp.text(microseconds: 0) == "1970-01-01T00:00:00.000000Z")
        #expect(LogTimestamp.text(microseconds: 1_769_860_800_123_456) == "2026-01-31T12:00:00.123456Z")
        #expect(LogTimestamp.text(microseconds: 951_782_400_000_001) == "2000-02-29T00:00:00.000001Z")
        #expect(LogTimestamp.text(microseconds: -1) == "1969-12-31T23:59:59.999999Z")
    }

    @Test("the environment's variables")
    func variables() {
        let configuration = TracingConfiguration(environment: [
            "FW_TRACING_GATEWAY_BASE_URL": "http://localhost:8787//", "FIREWORKS_API_KEY": "", "EP_ROLLOUT_ID": "r",
        ])
        #expect(configuration.destination == LogDestination(gatewayURL: "http://localhost:8787"))
        #expect(configuration.rolloutID == "r")
        #expect(TracingConfiguration(environment: [:]).destination.gatewayURL == "https://tracing.fireworks.ai")
        let secret = LogDestination(gatewayURL: "HTTP://Host:1/p", apiKey: "secret")
        #expect(!"\(secret)\(String(reflecting: secret))".contains("secret"))
        #expect(secret.origin == "http://host:1")
    }
}
