# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Examples/LangGraphAgent with the real framework: what the gateway recorded is what the framework sent."""

import json

import pytest
import requests
from eval_protocol.models import Status

from processes import BIN, ROOT, Process
from test_process import logs_of

PYTHON = ROOT / ".cache/venv-langgraph/bin/python"


class LangGraphEnvironment(Process):
    def __init__(self, gateway: str):
        command = [BIN / "rollcall", "environment", "--port", "0", "--gateway-url", gateway, "--timeout", "60"]
        super().__init__("langgraph", *command, "--", PYTHON, ROOT / "Examples/LangGraphAgent/agent.py")
        port = self.line(r"\"url\": *\"https?://[^\"]+:(\d+)\"")[1]
        self.url = f"http://localhost:{port}"


@pytest.fixture(scope="module")
def environment(gateway):
    environment = LangGraphEnvironment(gateway.url)
    yield environment
    assert environment.stop() == 0


def test_the_trajectory_is_what_the_framework_sent(rollout, gateway, model, environment):
    before = len(model.requests)
    [row] = rollout(environment, gateway, ["What is 6 times 7?"], model="tools", temperature=0.25, max_tokens=64)
    assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status
    assert [message.role for message in row.messages] == ["user", "assistant", "tool", "assistant"]
    assert row.messages[1].tool_calls[0].function.name == "multiply"
    assert json.loads(row.messages[1].tool_calls[0].function.arguments) == {"a": 6, "b": 7}
    assert (row.messages[2].content, row.messages[3].content) == ("42.0", "the tool says 42.0")
    assert row.tools[0]["function"]["name"] == "multiply"
    sent = model.requests[before:]
    assert len(sent) == 2
    assert all("OpenAI/Python" in one["headers"]["user-agent"] for one in sent)
    tag = f"rollout_id:{row.execution_metadata.rollout_id}"
    traces = requests.get(f"{gateway.url}/v1/traces", params={"tags": tag}, timeout=10).json()["traces"]
    traces.sort(key=lambda trace: int(trace["id"]))
    # To the byte, parameters included.
    assert [trace["metadata"]["request"].encode() for trace in traces] == [one["raw"] for one in sent]
    assert sent[1]["body"]["temperature"] == 0.25
    assert row.tools == sent[1]["body"]["tools"]
    assert {entry["message"] for entry in logs_of(gateway, row)} >= {"ask: ['multiply']", "tools: 42.0", "ask: the tool says 42.0"}


def test_rollouts_at_once_do_not_mix(rollout, gateway, environment):
    texts = [f"graph {index}" for index in range(4)]
    rows = rollout(environment, gateway, texts, timeout=90.0)
    assert [row.rollout_status.code for row in rows] == [Status.Code.FINISHED] * len(texts)
    assert [row.messages[-1].content for row in rows] == [f"echo 1: {text}" for text in texts]
