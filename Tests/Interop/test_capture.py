# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""What a gateway captures of calls whose clients ask for nothing: the unmodified package reads it, the client never does."""

import base64
import json
import struct
import urllib.request

import pytest
from eval_protocol.models import Status
from processes import Gateway, PythonEnvironment
from scripted_model import experts_of

TAGS = "rollout_id/{}/invocation_id/i/experiment_id/e/run_id/r/row_id/w"


@pytest.fixture(scope="module")
def gateway(model):
    gateway = Gateway(model.url, "--capture", "tokens", "--profile", "vllm")
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def environment(gateway):
    environment = PythonEnvironment(gateway.url)
    yield environment
    environment.stop()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_package_gets_tokens_that_nobody_asked_for(rollout, environment, gateway, stream):
    options = {"stream": True} if stream else {}
    [row] = rollout(environment, gateway, ["begin"], model="vllm", turns=3, include_payloads=True, **options)
    assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status
    extra = row.execution_metadata.extra
    words = len("echo 3: turn 3".split())
    assert extra["completion_token_ids"] == [100 + i for i in range(words)]
    assert extra["completion_logprobs"] == [-0.5] * words
    turns = extra["assistant_turn_payloads"]
    assert [turn["assistant_turn_index"] for turn in turns] == [0, 1, 2]
    prompts = [turn["prompt_token_ids"] for turn in turns]
    assert prompts[0] == prompts[1][: len(prompts[0])] and prompts[1] == prompts[2][: len(prompts[1])]
    assert len(prompts[0]) < len(prompts[1]) < len(prompts[2])


@pytest.fixture
def routing_gateway(model):
    gateway = Gateway(model.url, "--capture", "tokens", "--profile", "vllm+routing")
    yield gateway
    gateway.stop()


@pytest.fixture
def routing_environment(routing_gateway):
    environment = PythonEnvironment(routing_gateway.url)
    yield environment
    environment.stop()


def test_the_package_decodes_the_very_experts(rollout, routing_environment, routing_gateway):
    """The package's own processor asks for the payloads and its own decoder of r3/v1 (`tracing/router_replay.py`) reads
    them. The first turn's numbers fit in bytes, those of the others do not."""
    [row] = rollout(routing_environment, routing_gateway, ["begin"], model="experts", turns=3, include_payloads=True)
    assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status
    extra = row.execution_metadata.extra
    turns = extra["assistant_turn_payloads"]
    assert [turn["routing_metadata"]["routing_dtype"] for turn in turns] == ["uint8", "uint16", "uint16"]
    for turn, form in zip(turns, "BHH", strict=True):
        # A token comes from the pass over the one before it: the first one from the prompt's last.
        first, count = len(turn["prompt_token_ids"]) - 1, len(turn["completion_token_ids"])
        assert len(turn["completion_logprobs"]) == count > 1
        matrices = [base64.b64decode(matrix) for matrix in turn["routing_matrices"]]
        assert matrices == [struct.pack(f"<4{form}", *experts_of(first + index)) for index in range(count)]
        assert turn["routing_metadata"]["replayed_token_count"] == turn["routing_metadata"]["total_token_count"] == count
    assert [len(turn["prompt_token_ids"]) for turn in turns] == [1, 6, 12]
    assert extra["routing_matrices"] == turns[-1]["routing_matrices"]
    url = f"{routing_gateway.url}/v1/traces?tags=rollout_id:{row.execution_metadata.rollout_id}"
    with urllib.request.urlopen(url) as answer:
        assert [trace["metadata"]["capture"] for trace in json.load(answer)["traces"]] == ["complete"] * 3


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_client_sees_what_it_would_have_seen(gateway, model, stream):
    body = json.dumps({"model": "vllm", "messages": [{"role": "user", "content": "one two"}], "stream": stream}).encode()

    def ask(base: str) -> bytes:
        request = urllib.request.Request(f"{base}/chat/completions", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    rollout = f"seen-{stream}"
    assert ask(f"{gateway.url}/{TAGS.format(rollout)}") == ask(model.url)
    with urllib.request.urlopen(f"{gateway.url}/v1/traces?tags=rollout_id:{rollout}") as answer:
        [trace] = json.load(answer)["traces"]
    assert trace["metadata"]["capture"] == "complete"
    assert trace["metadata"]["edits"][:3] == ["capture:logprobs", "capture:top_logprobs", "capture:return_token_ids"]
    assert trace["metadata"]["request"] == body.decode()
