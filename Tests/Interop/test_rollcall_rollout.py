# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""`rollcall rollout` with an environment server written in Python, and with the Swift one."""

import json

import pytest
from eval_protocol.models import Status


def test_one_message(rollcall, environment, gateway):
    result = rollcall(environment, gateway, "--model", "echo", "--message", "hello there")
    assert result.code == 0, result.told
    [row] = result.rows
    assert row.rollout_status.code == Status.Code.FINISHED
    assert [message.content for message in row.messages] == ["hello there", "echo 1: hello there"]
    assert row.execution_metadata.usage.completion_tokens > 0
    assert row.execution_metadata.rollout_duration_seconds > 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_dataset_over_several_turns(rollcall, python, gateway, tmp_path, stream):
    dataset = tmp_path / "rows.jsonl"
    lines = [
        {"messages": [{"role": "user", "content": f"marker-{i}"}], "input_metadata": {"row_id": f"set/{i} ü"}, "ground_truth": i}
        for i in range(8)
    ]
    dataset.write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = ["--param", "stream=true"] if stream else []
    result = rollcall(python, gateway, "--model", "echo", "--param", "turns=3", "--dataset", str(dataset), "--runs", "2", *options)
    assert result.code == 0, result.told
    assert len(result.rows) == 16
    for row in result.rows:
        number = row.ground_truth
        assert row.input_metadata.row_id == f"set/{number} ü"
        assert row.messages[1].content == f"echo 1: marker-{number}"
        assert [message.content for message in row.messages[2:]] == ["turn 2", "echo 2: turn 2", "turn 3", "echo 3: turn 3"]
    assert len({row.execution_metadata.run_id for row in result.rows}) == 2


def test_tools(rollcall, python, gateway, tmp_path):
    tool = {"type": "function", "function": {"name": "multiply", "parameters": {"type": "object", "properties": {}}}}
    dataset = tmp_path / "rows.jsonl"
    dataset.write_text(json.dumps({"messages": [{"role": "user", "content": "6 times 7?"}], "tools": [tool]}) + "\n")
    result = rollcall(python, gateway, "--model", "tools", "--dataset", str(dataset))
    assert result.code == 0, result.told
    [row] = result.rows
    assert [message.role for message in row.messages] == ["user", "assistant", "tool", "assistant"]
    assert row.messages[1].tool_calls[0].function.name == "multiply"
    assert row.tools == [tool]


def test_a_failure_keeps_its_code(rollcall, python, gateway):
    result = rollcall(python, gateway, "--model", "echo", "--param", "end_with=3", "--message", "hello")
    assert result.code != 0
    [row] = result.rows
    assert row.rollout_status.code == Status.Code.INVALID_ARGUMENT
    assert row.rollout_status.message == "ended with 3"


def test_unavailable_is_tried_again(rollcall, python, gateway):
    result = rollcall(python, gateway, "--model", "echo", "--param", "end_with_once=14", "--message", "again")
    assert result.code == 0, result.told
    [row] = result.rows
    assert row.rollout_status.code == Status.Code.FINISHED
    assert [message.content for message in row.messages] == ["again", "echo 1: again"]


def test_model_url_is_the_upstream(rollcall, environment, gateway, model):
    text = f"model-url-{environment.name}"
    result = rollcall(environment, gateway, "--model", "echo", "--model-url", model.url, "--message", text)
    assert result.code == 0, result.told
    [request] = model.requests_of(text)
    assert "base_url" not in request["body"]
