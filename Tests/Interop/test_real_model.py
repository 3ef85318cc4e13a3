# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""A real language model behind the gateway: streamed and not, over several turns, with its token ids."""

import pytest
from eval_protocol.models import Status
from processes import PythonEnvironment

QUESTION = "Name one colour."


@pytest.fixture(scope="module")
def environment(real_gateway):
    environment = PythonEnvironment(real_gateway.url)
    yield environment
    environment.stop()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_three_turns_with_token_ids(rollout, environment, real_gateway, stream):
    options = {"stream": True} if stream else {}
    parameters = {"model": "smollm2", "max_tokens": 12, "temperature": 0, "seed": 1, "logprobs": True, "turns": 3}
    [row] = rollout(environment, real_gateway, [QUESTION], include_payloads=True, **parameters, **options)
    assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status
    assert [message.role for message in row.messages] == ["user", "assistant"] * 3
    assert all(message.content.strip() for message in row.messages)
    turns = row.execution_metadata.extra["assistant_turn_payloads"]
    assert [turn["assistant_turn_index"] for turn in turns] == [0, 1, 2]
    for turn in turns:
        assert 1 <= len(turn["completion_token_ids"]) == len(turn["completion_logprobs"]) <= 13
        assert all(token >= 0 for token in turn["completion_token_ids"])


def test_the_swift_environment_and_the_swift_caller(rollcall, hello, real_gateway):
    result = rollcall(hello, real_gateway, "--model", "smollm2", "--param", "max_tokens=12", "--message", QUESTION)
    assert result.code == 0, result.told
    [row] = result.rows
    assert [message.role for message in row.messages] == ["user", "assistant"]
    assert row.execution_metadata.usage.completion_tokens > 0
