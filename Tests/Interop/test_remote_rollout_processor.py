# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""The Python package's RemoteRolloutProcessor against our gateway, with a Swift and a Python environment."""

import pytest
from eval_protocol.models import EvaluationRow, InputMetadata, Status

TOOL = {
    "type": "function",
    "function": {
        "name": "multiply",
        "description": "Multiplies two numbers.",
        "parameters": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}},
    },
}


def contents(row: EvaluationRow) -> list[str]:
    return [message.content for message in row.messages]


def test_a_rollout_goes_round(rollout, environment, gateway):
    [row] = rollout(environment, gateway, ["hello there"])
    assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status
    assert [message.role for message in row.messages] == ["user", "assistant"]
    assert contents(row) == ["hello there", "echo 1: hello there"]


def test_rows_keep_their_identity(rollout, environment, gateway):
    ids = ["HumanEval/12", "row with spaces", "Zeile-ü-行", "plain", "a/b/c", "colon:and=equals"]
    rows = [
        EvaluationRow(messages=[{"role": "user", "content": f"marker-{i}"}], input_metadata=InputMetadata(row_id=row_id))
        for i, row_id in enumerate(ids)
    ]
    results = rollout(environment, gateway, rows)
    assert [row.input_metadata.row_id for row in results] == ids
    assert [contents(row) for row in results] == [[f"marker-{i}", f"echo 1: marker-{i}"] for i in range(len(ids))]
    assert len({row.execution_metadata.experiment_id for row in results}) == 1
    assert all(row.execution_metadata.run_id for row in results)


def test_many_rows_at_once_do_not_mix(rollout, environment, gateway):
    texts = [f"unique-{i:03}-marker" for i in range(30)]
    results = rollout(environment, gateway, texts)
    assert [contents(row) for row in results] == [[text, f"echo 1: {text}"] for text in texts]
    assert {row.rollout_status.code for row in results} == {Status.Code.FINISHED}


def test_an_image_part_and_a_system_message_reach_the_model(rollout, environment, gateway, model):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": f"picture-{environment.name}"}, image]},
    ]
    [row] = rollout(environment, gateway, [messages])
    assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status
    assert row.messages[-1].content == f"echo 1: picture-{environment.name}"
    [request] = model.requests_of(f"picture-{environment.name}")
    assert request["body"]["messages"][1]["content"][1] == image


def test_a_refusal_of_the_model_is_an_error_with_its_reason(rollout, hello, gateway):
    [row] = rollout(hello, gateway, ["please"], model="status-400")
    assert row.rollout_status.code == Status.Code.INTERNAL
    assert "refused by rule" in row.rollout_status.message


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_several_turns(rollout, python, gateway, stream):
    options = {"stream": True} if stream else {}
    [row] = rollout(python, gateway, ["begin"], turns=4, **options)
    assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status
    expected = ["begin", "echo 1: begin"]
    for turn in (2, 3, 4):
        expected += [f"turn {turn}", f"echo {turn}: turn {turn}"]
    assert contents(row) == expected
    assert row.execution_metadata.extra["reward"] == 0.5 and row.execution_metadata.extra["turns"] == 4


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_tools(rollout, python, gateway, stream):
    row = EvaluationRow(messages=[{"role": "user", "content": "6 times 7?"}], tools=[TOOL])
    options = {"stream": True} if stream else {}
    [result] = rollout(python, gateway, [row], model="tools", **options)
    assert result.rollout_status.code == Status.Code.FINISHED, result.rollout_status
    assert [message.role for message in result.messages] == ["user", "assistant", "tool", "assistant"]
    [call] = result.messages[1].tool_calls
    assert (call.id, call.function.name, call.function.arguments) == ("call_1", "multiply", '{"a": 6, "b": 7}')
    assert result.messages[2].tool_call_id == "call_1"
    assert result.messages[3].content == "the tool says 42"
    assert result.tools == [TOOL]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_payloads(rollout, python, gateway, stream):
    options = {"stream": True} if stream else {}
    [row] = rollout(python, gateway, ["begin"], model="tokens", logprobs=True, turns=2, include_payloads=True, **options)
    assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status
    extra = row.execution_metadata.extra
    words = len("echo 2: turn 2".split())
    assert extra["completion_token_ids"] == [100 + i for i in range(words)]
    assert extra["completion_logprobs"] == [-0.5] * words
    assert extra["prompt_token_ids"] == [1, 2, 3]
    assert [turn["assistant_turn_index"] for turn in extra["assistant_turn_payloads"]] == [0, 1]
    assert row.messages[1].logprobs["content"][0] == {"logprob": -0.5, "token_id": 100}


def test_payloads_only_when_asked(rollout, python, gateway):
    [row] = rollout(python, gateway, ["begin"], model="tokens", logprobs=True)
    assert "completion_logprobs" not in row.execution_metadata.extra


def test_completion_params_reach_the_model(rollout, environment, gateway, model):
    [row] = rollout(environment, gateway, [f"parameters-{environment.name}"], temperature=0.25, max_tokens=7)
    assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status
    [request] = model.requests_of(f"parameters-{environment.name}")
    assert request["body"]["temperature"] == 0.25 and request["body"]["max_tokens"] == 7


def test_base_url_of_the_row_is_the_upstream(rollout, environment, gateway, model):
    [row] = rollout(environment, gateway, [f"upstream-{environment.name}"], base_url=model.url + "/")
    assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status
    [request] = model.requests_of(f"upstream-{environment.name}")
    assert "base_url" not in request["body"]


def test_an_upstream_that_is_not_allowed_is_refused(rollout, hello, gateway):
    [row] = rollout(hello, gateway, ["hello"], base_url="http://127.0.0.1:9/v1")
    assert row.rollout_status.code == Status.Code.INTERNAL
    assert "--allow-upstream" in row.rollout_status.message


def test_a_finished_rollout_without_a_call_has_no_trace(rollout, python, gateway):
    [row] = rollout(python, gateway, ["nothing"], end_with=100)
    assert row.rollout_status.code == Status.Code.NOT_FOUND


def test_a_rollout_that_never_ends_times_out(rollout, python, gateway):
    [row] = rollout(python, gateway, ["for ever"], end_with=101, timeout=0.5)
    assert row.rollout_status.code == Status.Code.NOT_FOUND
