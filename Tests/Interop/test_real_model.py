# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""A real language model behind the gateway: streamed and not, over several turns, with its token ids."""

import json
import urllib.request

import pytest
from eval_protocol.models import Status
from processes import Gateway, PythonEnvironment

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


@pytest.fixture(scope="module")
def capturing_gateway(real_gateway):
    gateway = Gateway(real_gateway.upstream, "--capture", "tokens", "--profile", "llamacpp")
    yield gateway
    gateway.stop()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_tokens_that_nobody_asked_for(rollout, capturing_gateway, stream):
    environment = PythonEnvironment(capturing_gateway.url)
    options = {"stream": True} if stream else {}
    parameters = {"model": "smollm2", "max_tokens": 6, "temperature": 0, "seed": 1, "turns": 2}
    [row] = rollout(environment, capturing_gateway, [QUESTION], include_payloads=True, **parameters, **options)
    environment.stop()
    assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status
    for turn in row.execution_metadata.extra["assistant_turn_payloads"]:
        assert 1 <= len(turn["completion_token_ids"]) == len(turn["completion_logprobs"]) <= 6
        assert all(token >= 0 for token in turn["completion_token_ids"])
    query = f"tags=rollout_id:{row.execution_metadata.rollout_id}"
    with urllib.request.urlopen(f"{capturing_gateway.url}/v1/traces?{query}") as answer:
        traces = json.load(answer)["traces"]
    assert len(traces) == 2
    for trace in traces:
        # The server keeps the prompt's ids to itself, and of a stream that ends by itself its last token.
        missing = trace["metadata"]["capture"]["missing"]
        assert missing[-1] == "prompt_token_ids" and (not stream and len(missing) == 1 or len(missing) in (1, 3))
        assert all("logprobs" not in choice for choice in trace["metadata"]["choices"])


def test_the_swift_environment_and_the_swift_caller(rollcall, hello, real_gateway):
    result = rollcall(hello, real_gateway, "--model", "smollm2", "--param", "max_tokens=12", "--message", QUESTION)
    assert result.code == 0, result.told
    [row] = result.rows
    assert [message.role for message in row.messages] == ["user", "assistant"]
    assert row.execution_metadata.usage.completion_tokens > 0
