# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""The file Examples/PythonAgent/agent.py, unchanged: as a process of `rollcall environment`, and in a server of the Python
package without Rollcall. Callers, models and the gateway cannot tell which of the two it was."""

import sys

import pytest
import requests
from eval_protocol.models import EvaluationRow, Message, Status

from processes import ROOT, Process
from test_process import ProcessEnvironment

EXAMPLE = ROOT / "Examples/PythonAgent"
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
TOOL = {
    "type": "function",
    "function": {
        "name": "multiply",
        "description": "Größe × Zahl",
        "parameters": {"type": "object", "properties": {"b": {"type": "number"}, "a": {"type": "number"}}, "required": []},
        "strict": False,
    },
}


class ExampleServer(Process):
    def __init__(self, gateway: str):
        command = [sys.executable, EXAMPLE / "server.py"]
        super().__init__("example-server", *command, FW_TRACING_GATEWAY_BASE_URL=gateway, OPENAI_API_KEY="none", PORT="0")
        self.url = self.line(r"running on (http://\S+)")[1]


@pytest.fixture(scope="module")
def as_process(gateway):
    environment = ProcessEnvironment(gateway.url, EXAMPLE / "agent.py", "--timeout", "60")
    yield environment
    assert environment.stop() == 0


@pytest.fixture(scope="module")
def as_server(gateway):
    server = ExampleServer(gateway.url)
    yield server
    server.stop()


def plain() -> EvaluationRow:
    return EvaluationRow(messages=[Message(role="user", content="17 times 25? ß 🦊 \u2028 \"quoted\" </script>")])


def conversation() -> EvaluationRow:
    """What of a conversation the package can send."""
    call = {"id": "c1", "type": "function", "function": {"name": "multiply", "arguments": "{\"a\": 1.50, \"b\": 1e2}"}}
    return EvaluationRow(
        messages=[
            Message(role="developer", content="Be brief.", name="boss"),
            Message(role="user", content=[{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}]),
            Message(role="assistant", content="", reasoning_content="It is small.", tool_calls=[call]),
            Message(role="tool", content="150", tool_call_id="c1", name="multiply"),
            Message(role="assistant", content="150", weight=0),
            Message(role="user", content="And now?"),
        ],
        tools=[TOOL],
    )


ROWS = {
    "plain": (plain, "echo", {}),
    "tools": (plain, "tools", {"temperature": 0.0, "seed": 12345678901234567}),
    "conversation": (
        conversation, "tools",
        {"temperature": 0.7, "top_p": 1.0, "max_tokens": 64, "stop": ["\n\n", "é"], "extra_body": {"top_k": 40, "min_p": 1e-05}},
    ),
}


def trace_of(gateway, row) -> list[dict]:
    """The recorded calls, oldest first, without what names the rollout and the time; `request` is the body as text."""
    tag = f"rollout_id:{row.execution_metadata.rollout_id}"
    traces = requests.get(f"{gateway.url}/v1/traces", params={"tags": tag}, timeout=10).json()["traces"]
    kept = ("request", "choices", "finish_reason", "requested_model", "answered_model", "edits", "streamed")
    return [
        {name: trace["metadata"][name] for name in kept}
        | {"input": trace["input"], "output": trace["output"], "usage": trace["observations"][0]["usage"]}
        for trace in sorted(traces, key=lambda trace: int(trace["id"]))
    ]


@pytest.mark.parametrize("name", ROWS)
def test_the_same_file_leaves_the_same_trajectory(rollout, gateway, model, as_process, as_server, name):
    make, rule, parameters = ROWS[name]
    recorded = []
    for environment in (as_process, as_server):
        before = len(model.requests)
        [row] = rollout(environment, gateway, [make()], model=rule, **parameters)
        assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status
        recorded.append((row, model.requests[before:], trace_of(gateway, row)))
    (process, process_calls, process_trace), (server, server_calls, server_trace) = recorded
    calls = {"echo": 2, "tools": 4}[rule]
    assert len(process_calls) == len(server_calls) == calls
    # To the byte: what the model was asked.
    assert [one["raw"] for one in process_calls] == [one["raw"] for one in server_calls]
    assert [one["path"] for one in process_calls] == [one["path"] for one in server_calls]
    # What the gateway says of it, and what the package makes of that.
    assert len(process_trace) == calls
    assert process_trace == server_trace
    assert [one.model_dump() for one in process.messages] == [one.model_dump() for one in server.messages]
    assert process.tools == server.tools
    assert process.input_metadata.completion_params == server.input_metadata.completion_params
    assert process.execution_metadata.usage == server.execution_metadata.usage
    assert process.rollout_status == server.rollout_status
