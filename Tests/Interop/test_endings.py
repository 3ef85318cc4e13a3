# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Every ending that our environments give a rollout, as the unmodified Python client sees it through our gateway."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import requests
from eval_protocol.models import Status

from processes import HERE, ProcessEnvironment
from test_status_table import ONCE, RETRIED, TABLE

SUCCESSES = (0, 100, 102)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def environment(gateway, folder):
    options = ["--timeout", "60", "--memory", "300", "--workdir", str(folder)]
    environment = ProcessEnvironment(gateway.url, HERE / "ending_agent.py", *options)
    yield environment
    assert environment.stop() == 0


@pytest.fixture
def roll(rollout, gateway):
    """Runs one row; what the client made of it, and what the gateway has recorded."""

    def run(environment, text, timeout=60.0, **parameters):
        start = time.monotonic()
        [row] = rollout(environment, gateway, [text], timeout=timeout, **parameters)
        page = requests.get(f"{gateway.url}/v1/rollouts/{row.execution_metadata.rollout_id}", timeout=10).json()
        statuses = [attempt["status"] for attempt in page.get("attempts", [])]
        return SimpleNamespace(
            row=row,
            seconds=time.monotonic() - start,
            code=int(row.rollout_status.code),
            message=row.rollout_status.message,
            attempts=len(statuses),
            codes=[status["code"] for status in statuses],
            reasons=[info.get("reason") for status in statuses for info in status["details"]],
        )

    return run


def test_every_code_of_the_table_from_a_process(roll, environment):
    """The table's codes by a process's last line, the successes among them after a model call."""

    def one(code: int):
        closing = {"code": code, "message": f"ended with {code}"}
        return code, roll(environment, f"code {code}", closing=closing, extras={"reward": 0.25})

    with ThreadPoolExecutor(8) as pool:
        results = dict(pool.map(one, TABLE))
    expected = {code: (code, ONCE) if code in SUCCESSES else entry for code, entry in TABLE.items()}
    assert {code: (result.code, result.attempts) for code, result in results.items()} == expected
    for code, result in results.items():
        assert result.message == f"ended with {code}"
        assert result.codes == [code] * result.attempts
        # Traces and extras are read of what has succeeded.
        assert (len(result.row.messages) == 2) == (code in SUCCESSES)
        assert (result.row.execution_metadata.extra or {}).get("reward") == (0.25 if code in SUCCESSES else None)


def test_a_code_that_is_none_of_the_contract_is_no_status(roll, environment):
    result = roll(environment, "no code", closing={"code": 77, "message": "what"})
    assert (result.code, result.attempts, result.codes) == (100, ONCE, [100])


@pytest.mark.parametrize(
    "parameters, code, reason, attempts, says",
    [
        ({"exit": 0}, 100, None, ONCE, "finished"),
        ({"exit": 7}, 13, "PROCESS_EXITED", ONCE, "exit code 7"),
        ({"error": "not today"}, 13, "PROCESS_EXITED", ONCE, "ValueError: not today"),
        ({"signal": int(signal.SIGSEGV)}, 10, "PROCESS_CRASHED", ONCE, "SIGSEGV"),
        ({"signal": int(signal.SIGKILL)}, 14, "PROCESS_KILLED", RETRIED, "SIGKILL"),
        ({"memory": 500}, 8, "PROCESS_MEMORY_LIMIT", RETRIED, "300 MB"),
    ],
    ids=["exit-0", "exit-7", "exception", "crash", "killed", "memory"],
)
def test_how_a_process_ends(roll, environment, parameters, code, reason, attempts, says):
    result = roll(environment, f"ends by {parameters}", **parameters)
    assert result.codes == [code] * attempts
    assert set(result.reasons) == ({reason} if reason else set())
    assert result.code == (100 if code == 100 else 13)
    assert says in result.message


def test_what_failed_once_is_tried_again_and_finishes(roll, environment):
    result = roll(environment, "killed once", signal=int(signal.SIGKILL), once=True)
    assert (result.code, result.codes) == (100, [14, 100])
    assert [message.content for message in result.row.messages] == ["killed once", "echo 1: killed once"]


def test_a_deadline(roll, gateway, folder):
    environment = ProcessEnvironment(gateway.url, HERE / "ending_agent.py", "--timeout", "1", "--workdir", str(folder))
    try:
        result = roll(environment, "for too long", hang=True, once=True)
        assert (result.code, result.codes, result.reasons) == (100, [4, 100], ["DEADLINE_PASSED"])
        result = roll(environment, "always for too long", hang=True)
        assert (result.code, result.codes) == (13, [4] * RETRIED)
        assert "after 1.0 seconds, the environment's timeout" in result.message
    finally:
        environment.stop()


def test_a_budget(roll, gateway, folder):
    options = ["--budget", "calls=2", "--workdir", str(folder)]
    environment = ProcessEnvironment(gateway.url, HERE / "ending_agent.py", *options)
    try:
        result = roll(environment, "within its budget", calls=2)
        assert (result.code, result.codes) == (100, [100])
        result = roll(environment, "beyond its budget", calls=3)
        assert (result.code, result.codes) == (13, [8] * RETRIED)
        assert set(result.reasons) == {"BUDGET_CALLS"}
        assert "budget of 2 model calls" in result.message
    finally:
        environment.stop()


def test_a_cancellation(roll, gateway, environment):
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(roll, environment, "cancelled", hang=True)
        environment.wait_until(lambda: requests.get(f"{environment.url}/health", timeout=5).json()["running"], "a rollout")
        answer = requests.post(f"{environment.url}/cancel", json={"all": True}, timeout=5).json()
        assert [one["result"] for one in answer["results"]] == ["cancelled"]
        result = running.result(timeout=20)
    assert (result.code, result.codes, result.reasons) == (13, [1], ["CANCELLED"])
    assert "/cancel" in result.message


@pytest.mark.parametrize("calls, code", [(1, 4), (0, 5)], ids=["with-a-call", "without"])
def test_one_that_runs_longer_than_its_caller_waits(roll, environment, calls, code):
    result = roll(environment, "patience", timeout=1.5, calls=calls, hang=True)
    assert (result.code, result.attempts) == (code, ONCE)
    assert len(result.row.messages) == 1 + calls
    assert requests.post(f"{environment.url}/cancel", json={"all": True}, timeout=5).status_code == 200


def test_finished_without_a_call(roll, environment):
    result = roll(environment, "no call", calls=0)
    assert (result.code, result.codes) == (5, [100])


@pytest.mark.parametrize(
    "answered, code, attempts",
    [(400, 3, ONCE), (401, 16, RETRIED), (403, 7, RETRIED), (404, 5, RETRIED)],
)
def test_what_a_model_server_refuses(roll, hello, answered, code, attempts):
    """In Swift, where the SDK tells what the model server said."""
    result = roll(hello, f"refused with {answered}", model=f"status-{answered}")
    assert (result.code, result.codes) == (13, [code] * attempts)
    assert "refused by rule" in result.message


@pytest.fixture
def killable(gateway, tmp_path):
    """Starts environments in a folder of their own, kills them, and ends what those leave behind."""
    environments = []

    def start(*options: str) -> ProcessEnvironment:
        port = environments[0].port if environments else 0
        options = ["--workdir", str(tmp_path), *options]
        environments.append(ProcessEnvironment(gateway.url, HERE / "ending_agent.py", *options, port=port))
        return environments[-1]

    def wait() -> None:
        """Until the agent is where it hangs."""
        environments[-1].wait_until(lambda: any(file.read_text() for file in tmp_path.glob("seen-*")), "rollout at its end")

    def kill() -> float:
        wait()
        environments[-1].child.kill()
        environments[-1].child.wait()
        return time.monotonic()

    yield SimpleNamespace(start=start, wait=wait, kill=kill)
    for environment in environments:
        environment.stop()
    for file in tmp_path.glob("seen-*"):
        try:
            os.kill(int(file.read_text()), signal.SIGKILL)
        except ProcessLookupError:
            pass


@pytest.mark.parametrize(
    "lease, has_journal, reason, within",
    [(2, False, "LEASE_EXPIRED", 2 + 2), (30, True, "ENVIRONMENT_RESTARTED", 3)],
    ids=["lease", "journal"],
)
def test_a_killed_environment_costs_the_lease_or_less_and_not_the_timeout(
    roll, killable, tmp_path, lease, has_journal, reason, within
):
    timeout = 60.0
    options = ["--lease", str(lease)] + (["--journal", str(tmp_path / "journal")] if has_journal else [])
    environment = killable.start(*options)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(roll, environment, "left alone", timeout=timeout, hang=True, once=True)
        killed = killable.kill()
        killable.start(*options)
        result = running.result(timeout=timeout)
    cost = time.monotonic() - killed
    print(f"\na killed environment cost {cost:.1f} s ({reason}); the lease is {lease} s, the timeout {timeout:.0f} s")
    assert (result.code, result.codes, result.reasons) == (100, [14, 100], [reason])
    assert cost < within


def test_a_killed_environment_that_stays_away(roll, killable):
    """The lease, and then the client's own three further attempts, of which the last two come after 2 s each."""
    timeout, lease = 60.0, 2
    environment = killable.start("--lease", str(lease))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(roll, environment, "left for ever", timeout=timeout, hang=True)
        killed = killable.kill()
        result = running.result(timeout=timeout)
    cost = time.monotonic() - killed
    print(f"\nan environment that stays away cost {cost:.1f} s; the lease is {lease} s, the timeout {timeout:.0f} s")
    assert (result.code, result.codes, result.reasons) == (13, [14], ["LEASE_EXPIRED"])
    assert "Cannot connect to host" in result.message
    assert cost < lease + 4 + 2


def test_an_environment_that_is_stopped_hands_its_rollouts_back(roll, killable):
    environment = killable.start("--grace", "0")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(roll, environment, "handed back", hang=True, once=True)
        killable.wait()
        assert environment.stop() == 0
        killable.start()
        result = running.result(timeout=30)
    assert (result.code, result.codes, result.reasons) == (100, [14, 100], ["ENVIRONMENT_STOPPED"])


def test_an_environment_whose_gateway_is_away_is_asked_again(roll):
    environment = ProcessEnvironment("http://localhost:9", HERE / "ending_agent.py")
    try:
        result = roll(environment, "no gateway")
        assert (result.code, result.attempts) == (13, 0)
        assert "HTTP 503" in result.message and "http://localhost:9" in result.message
        assert result.seconds >= 4
    finally:
        environment.stop()


def test_a_request_that_is_too_long_is_not_sent_again(roll, environment):
    result = roll(environment, "long " * (7 << 20))
    assert (result.code, result.attempts) == (13, 0)
    assert "HTTP 413" in result.message
    assert result.seconds < 4
