# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Agents in Python as processes of `rollcall environment`, called by the Python client and by `rollcall rollout`."""

import os
import sys
import time
from pathlib import Path

import pytest
import requests
from eval_protocol.models import Status

from processes import HERE, ROOT, Process, ProcessEnvironment


class ProcessAgentServer(Process):
    def __init__(self, gateway: str):
        command = [sys.executable, HERE / "process_agent_server.py"]
        super().__init__("process-agent-server", *command, FW_TRACING_GATEWAY_BASE_URL=gateway)
        self.url = self.line(r"listening on (http://\S+)")[1]


@pytest.fixture(scope="module")
def as_process(gateway):
    environment = ProcessEnvironment(gateway.url, HERE / "process_agent.py", "--timeout", "60")
    yield environment
    assert environment.stop() == 0


@pytest.fixture(scope="module")
def as_server(gateway):
    server = ProcessAgentServer(gateway.url)
    yield server
    server.stop()


def lives(pid: str) -> bool:
    """Whether there is such a process that is not merely waiting for its new parent to take note of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def logs_of(gateway, row) -> list[dict]:
    tag = f"rollout_id:{row.execution_metadata.rollout_id}"
    return requests.get(f"{gateway.url}/logs", params={"tags": tag, "limit": 100}, timeout=10).json()["entries"]


def shape(row) -> dict:
    return {
        "code": row.rollout_status.code,
        "message": row.rollout_status.message,
        "messages": [(message.role, message.content) for message in row.messages],
        "extra": {key: (row.execution_metadata.extra or {}).get(key) for key in ("reward", "turns")},
    }


def test_the_same_agent_as_a_process_and_in_a_server(rollout, gateway, as_process, as_server):
    [process] = rollout(as_process, gateway, ["same agent"])
    [server] = rollout(as_server, gateway, ["same agent"])
    assert shape(process) == shape(server)
    assert process.rollout_status.code == Status.Code.FINISHED
    assert process.rollout_status.message == "Rollout finished"
    assert process.execution_metadata.extra["reward"] == 0.75
    assert [message.content for message in process.messages][:2] == ["same agent", "echo 1: same agent"]
    said = {entry["message"] for entry in logs_of(gateway, server)}
    lines = logs_of(gateway, process)
    assert said <= {entry["message"] for entry in lines}
    terminal = [entry for entry in lines if (entry.get("status") or {}).get("code") not in (None, 101)]
    assert [entry["message"] for entry in terminal] == ["three turns done"]


def test_a_failure_that_the_agent_reports_is_told_once(rollout, gateway, as_process, as_server):
    [process] = rollout(as_process, gateway, ["failing agent"], fail=True)
    [server] = rollout(as_server, gateway, ["failing agent"], fail=True)
    assert shape(process) == shape(server)
    assert process.rollout_status.code == Status.Code.INTERNAL
    assert process.rollout_status.message == "told to fail"


def test_a_secret_in_front_of_the_path_is_a_part_of_the_base_url(rollout, gateway, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("a-secret-in-front-of-paths\n")
    secret.chmod(0o600)
    environment = ProcessEnvironment(gateway.url, HERE / "process_agent.py", "--path-secret-file", secret)
    try:
        [row] = rollout(environment, gateway, ["no secret"], fail=True)
        assert row.rollout_status.code == Status.Code.INTERNAL
        assert "HTTP 404" in row.rollout_status.message
        for end in ("", "/"):
            environment.url = f"http://localhost:{environment.port}/{secret.read_text().strip()}{end}"
            [row] = rollout(environment, gateway, ["behind the secret"])
            assert row.rollout_status.code == Status.Code.FINISHED
            assert row.messages[1].content == "echo 1: behind the secret"
    finally:
        assert environment.stop() == 0
    assert secret.read_text().strip() not in environment.text()


def test_a_key_is_the_api_key_of_the_client(rollout, gateway, tmp_path, monkeypatch):
    monkeypatch.setenv("FIREWORKS_API_KEY", "key-of-the-caller")
    keys = tmp_path / "keys"
    keys.write_text("key-of-the-caller\n")
    environment = ProcessEnvironment(gateway.url, HERE / "process_agent.py", "--api-keys-file", keys)
    try:
        [row] = rollout(environment, gateway, ["with a key"])
        assert row.rollout_status.code == Status.Code.FINISHED
        monkeypatch.setenv("FIREWORKS_API_KEY", "key-of-another")
        [row] = rollout(environment, gateway, ["with another"], fail=True)
        assert "HTTP 401" in row.rollout_status.message
    finally:
        assert environment.stop() == 0


def test_many_processes_at_once(rollout, gateway, as_process):
    texts = [f"process {index}" for index in range(12)]
    rows = rollout(as_process, gateway, texts, timeout=60.0)
    assert [row.rollout_status.code for row in rows] == [Status.Code.FINISHED] * len(texts)
    assert [row.messages[1].content for row in rows] == [f"echo 1: {text}" for text in texts]


def test_a_killed_environment_takes_its_processes_with_it_on_the_way_out(gateway, tmp_path):
    agent = tmp_path / "agent.py"
    agent.write_text("import os, time\nopen(os.environ['MARK'], 'w').write(str(os.getpid()))\ntime.sleep(600)\n")
    mark = tmp_path / "pid"
    environment = ProcessEnvironment(gateway.url, agent, "--grace", "0", "--env", f"MARK={mark}")
    body = {
        "completion_params": {"model": "echo"},
        "messages": [],
        "metadata": {name: f"stopped-{name}" for name in ("invocation_id", "experiment_id", "rollout_id", "run_id", "row_id")},
    }
    assert requests.post(f"{environment.url}/init", json=body, timeout=10).status_code == 200
    environment.wait_until(lambda: mark.exists() and mark.read_text(), "started agent")
    assert environment.stop() == 0
    deadline = time.monotonic() + 5
    while os.path.exists(f"/proc/{mark.read_text()}") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not os.path.exists(f"/proc/{mark.read_text()}")
    status = requests.get(f"{gateway.url}/v1/status", params={"rollout_id": "stopped-rollout_id"}, timeout=10).json()
    assert status["status"]["code"] == 14


def test_the_next_environment_ends_what_a_killed_one_left_behind(gateway, tmp_path):
    agent = tmp_path / "agent.py"
    # A grandchild in a session of its own outlives the agent.
    agent.write_text(
        "import os, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "open(os.environ['MARK'], 'w').write(f'{os.getpid()} {child.pid}')\ntime.sleep(600)\n"
    )
    mark = tmp_path / "pids"
    options = ["--journal", str(tmp_path / "journal"), "--env", f"MARK={mark}"]
    environment = ProcessEnvironment(gateway.url, agent, *options)
    body = {
        "completion_params": {"model": "echo"},
        "messages": [],
        "metadata": {name: f"killed-{name}" for name in ("invocation_id", "experiment_id", "rollout_id", "run_id", "row_id")},
    }
    assert requests.post(f"{environment.url}/init", json=body, timeout=10).status_code == 200
    environment.wait_until(lambda: mark.exists() and len(mark.read_text().split()) == 2, "started agent")
    environment.child.kill()
    environment.child.wait()
    left = mark.read_text().split()
    assert all(lives(pid) for pid in left)
    second = ProcessEnvironment(gateway.url, agent, *options)
    try:
        def status() -> dict:
            answer = requests.get(f"{gateway.url}/v1/status", params={"rollout_id": "killed-rollout_id"}, timeout=10).json()
            return answer["status"] or {}

        second.wait_until(lambda: status().get("code") == 14, "report of the lost rollout", seconds=10)
        assert status()["details"][0]["reason"] == "ENVIRONMENT_RESTARTED"
        assert [pid for pid in left if lives(pid)] == []
    finally:
        second.stop()


def test_the_example(rollcall, gateway):
    environment = ProcessEnvironment(gateway.url, ROOT / "Examples/PythonAgent/agent.py")
    try:
        result = rollcall(environment, gateway, "--model", "echo", "--message", "17 + 25?")
        assert result.code == 0, result.told
        [row] = result.rows
        assert [message.role for message in row.messages] == ["user", "assistant", "user", "assistant"]
        assert row.messages[1].content == "echo 1: 17 + 25?"
        assert {entry["message"] for entry in logs_of(gateway, row)} >= {"said: echo 1: 17 + 25?"}
    finally:
        environment.stop()
