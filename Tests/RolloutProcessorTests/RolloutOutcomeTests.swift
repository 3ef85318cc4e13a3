// Part of Rollcall. SPDX-License-Identifier: Apache-2.0

import EvalProtocol
import RolloutProcessor
import Testing
import WireJSON

@Suite("RolloutProcessor: what becomes of a row")
struct RolloutOutcomeTests {
    private let row = EvaluationRow(messages: [.system("be brief"), .user("6 times 7?")])

    private func trace(_ id: String, _ messages: [Message], usage: Usage? = nil, payloads: JSONObject = [:]) -> Trace {
        let last = messages[messages.count - 1].json
        let value: JSONValue = [
            "id": .string(id), "tags": [], "input": ["messages": .array(messages.dropLast().map(\.json))],
            "output": last,
            "metadata": ["usage": usage?.json ?? .null, "finish_reason": "stop"], "payloads": .object(payloads),
        ]
        return (try? Trace(from: JSONReader(value)))!
    }

    private func outcome(_ status: Status, extras: JSONObject? = nil, payloads: Bool = false) -> RolloutOutcome {
        RolloutOutcome(
            ending: RolloutEnding(
                status: status, extras: extras,
                execution: RolloutExecution(serial: 0, rolloutID: "r", attempt: nil), tries: 1),
            metadata: RolloutMetadata(invocationID: "i", experimentID: "e", rolloutID: "r", runID: "u", rowID: "w"),
            parameters: CompletionParameters(model: "m"), duration: .milliseconds(1_500), includePayloads: payloads)
    }

    @Test("the longest conversation becomes the trajectory, of equally long ones the newest, and all calls are counted")
    func longest() {
        let answer = row.messages + [.assistant("42")]
        let traces = [
            trace("newest", answer, usage: Usage(promptTokens: 10, completionTokens: 2)),
            trace("older", row.messages + [.assistant("41")], usage: Usage(promptTokens: 10, completionTokens: 3)),
            trace("side", [.user("hm"), .assistant("ok")], usage: Usage(promptTokens: 1, completionTokens: 1)),
        ]
        let result = outcome(.finished(), extras: ["turns": 1, "level": "INFO", "rollcall": ["attempt": "a"]])
            .apply(to: row, traces: traces)
        #expect(result.messages == answer)
        #expect(result.rolloutStatus == .finished())
        #expect(result.executionMetadata.usage == Usage(promptTokens: 21, completionTokens: 6))
        #expect(result.executionMetadata.rolloutDurationSeconds == 1.5)
        #expect(result.executionMetadata.finishReason == "stop")
        #expect(result.executionMetadata.toolCallCount == 0)
        #expect(result.executionMetadata.extra == ["turns": 1])
        #expect(result.executionMetadata.rolloutID == "r")
        #expect(result.inputMetadata.rowID == "w")
        #expect(result.inputMetadata.sessionData == ["langfuse_trace_id": "newest"])
    }

    @Test("a failed rollout keeps its status and shows its trajectory")
    func failed() {
        let status = Status.error("the tool broke", info: ["tool": "shell"])
        let result = outcome(status).apply(to: row, traces: [trace("t", row.messages + [.assistant("42")])])
        #expect(result.rolloutStatus == status)
        #expect(result.messages.count == 3)
        #expect(outcome(status).apply(to: row, traces: []).rolloutStatus == status)
        #expect(outcome(status).apply(to: row, unreadable: "HTTP 500").rolloutStatus == status)
    }

    @Test("a success without a trace is NOT_FOUND and keeps what the environment said")
    func noTrace() {
        let status = Status.finished("all good", reason: .stop)
        let result = outcome(status).apply(to: row, traces: []).rolloutStatus
        #expect(result.code == .notFound)
        #expect(result.message.hasPrefix("No remote data found for rollout"))
        #expect(result.terminationReason == .stop)
        #expect(result.errorInfos.last?.metadata["reported_message"] == "all good")
        #expect(outcome(status).apply(to: row, unreadable: "HTTP 500").rolloutStatus.code == .unavailable)
    }

    @Test("a success with no more messages than before is INTERNAL")
    func nothingAdded() {
        let result = outcome(.finished()).apply(to: row, traces: [trace("t", [.user("?"), .assistant("42")])])
        #expect(result.rolloutStatus.code == .internal)
        #expect(result.messages == row.messages)
    }

    @Test("payloads come as extras, of every turn, and as logprobs of the messages")
    func payloads() {
        func payload(_ logprob: Float, _ id: Int32?) -> JSONObject {
            let tokens = LogprobsPayload(tokens: [.init(id: id, logprob: logprob)])
            return [
                "logprobs": TracePayload(version: LogprobsPayload.version, content: tokens.encode()).json,
                "prompt_token_ids": TracePayload(
                    version: PromptTokenIDsPayload.version, content: PromptTokenIDsPayload(tokenIDs: [1, 2]).encode()
                ).json,
            ]
        }
        let first = row.messages + [.assistant("let me see")]
        let second = first + [.user("go on"), .assistant("42")]
        let result = outcome(.finished(), payloads: true).apply(
            to: row,
            traces: [trace("2", second, payloads: payload(-0.5, 7)), trace("1", first, payloads: payload(-0.25, nil))])
        let extra = result.executionMetadata.extra
        #expect(extra?["completion_logprobs"] == [-0.5])
        #expect(extra?["completion_token_ids"] == [7])
        #expect(extra?["prompt_token_ids"] == [1, 2])
        let turns = extra?["assistant_turn_payloads"]
        #expect(turns?[0]?["assistant_turn_index"] == 0)
        #expect(turns?[0]?["completion_token_ids"] == nil)
        #expect(turns?[1]?["assistant_turn_index"] == 1)
        #expect(result.messages[2].additional["logprobs"] == ["content": [["logprob": -0.25]]])
        #expect(result.messages[4].additional["logprobs"] == ["content": [["logprob": -0.5, "token_id": 7]]])
    }
}
