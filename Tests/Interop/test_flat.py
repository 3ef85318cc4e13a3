# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""A gateway under every kind of request for a long time keeps the memory and the descriptors that it had.

Only with `ROLLCALL_SOAK=1`, for `ROLLCALL_SOAK_MINUTES` minutes, 30 without it.
"""

import http.client
import json
import os
import random
import statistics
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from scripted_model import ScriptedModel

from processes import Gateway

MINUTES = float(os.environ.get("ROLLCALL_SOAK_MINUTES", "30"))
pytestmark = pytest.mark.skipif(os.environ.get("ROLLCALL_SOAK") != "1", reason="takes half an hour")


class Worker(threading.Thread):
    """Rollouts one after the other, each with calls, lines, polls, events, a score and what is refused; some calls end
    without their answer, and some rollouts are deleted."""

    def __init__(self, gateway: Gateway, number: int, until: float):
        super().__init__(daemon=True)
        self.port, self.number, self.until = int(gateway.url.rsplit(":", 1)[1]), number, until
        self.random = random.Random(number)
        self.requests, self.failures = 0, []

    def run(self):
        rollout = 0
        while time.monotonic() < self.until:
            rollout += 1
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                self.roll(f"flat-{self.number}-{rollout}")
            except Exception as error:
                self.failures.append(f"{type(error).__name__}: {error}")
            self.connection.close()

    def roll(self, name: str):
        tags = f"/attempt/a/rollout_id/{name}/invocation_id/i/experiment_id/e{self.number}/run_id/r/row_id/w"
        ids = {"rollout_id": name, "invocation_id": "i", "experiment_id": f"e{self.number}", "run_id": "r", "row_id": "w"}
        terms = {"metadata": ids, "attempt": "a", "deadline_seconds": 120, "budget": {"calls": 100}}
        self.ask("POST", "/v1/rollouts", [terms])
        own = {"rollcall": {"attempt": "a", "lease_seconds": 60}}
        self.line(name, 101, own)
        messages = []
        for turn in range(self.random.randrange(1, 8)):
            messages.append({"role": "user", "content": f"{name} {turn} " + "x" * self.random.randrange(2000)})
            call = {"model": "echo", "messages": messages, "stream": self.random.random() < 0.4}
            answer = self.ask("POST", f"{tags}/chat/completions", call)
            messages.append({"role": "assistant", "content": f"{turn} {len(answer)}"})
            self.ask("POST", "/v1/logs/batch", [self.body(name, None, own) | {"id": f"{name}-{turn}"} for _ in range(3)])
        self.ask("GET", f"/v1/status?rollout_id={name}&wait_seconds=0.01")
        self.leave(f"/v1/status?rollout_id={name}&wait_seconds=30", waits=False)
        self.leave(f"{tags}/chat/completions", {"model": "echo", "messages": messages}, waits=False)
        self.leave(f"/v1/events?rollout_id={name}")
        if self.random.random() < 0.2:
            self.leave(f"{tags}/chat/completions", {"model": "echo", "messages": messages, "stream": True})
        self.line(name, 100, own)
        result = {"rollout_id": name, "scorer": "s", "evaluation_result": {"score": 1.0}}
        self.ask("POST", "/v1/scores", [result])
        for path in (f"/v1/rollouts/{name}", f"/v1/rollouts/{name}/traces", f"/logs?tags=rollout_id:{name}", "/metrics"):
            self.ask("GET", path)
        traces = f"?tags=rollout_id:{name}&include_payloads=True"
        for path in (f"/v1/traces{traces}", f"/v1/traces/pointwise{traces}", f"/v1/project_id/p/traces{traces}"):
            assert len(json.loads(self.ask("GET", path))["traces"]) >= turn + 1, path
        for base in ("/v1", tags):
            self.ask("GET", f"{base}/models")
            self.ask("POST", f"{base}/embeddings", {"model": "echo", "input": name})
        self.refused(tags, name)
        if self.random.random() < 0.2:
            self.ask("DELETE", f"/v1/rollouts/{name}")

    def refused(self, tags: str, name: str):
        """What gets an error, from the gateway or from the model, and questions about a rollout that nobody knows."""
        messages = [{"role": "user", "content": name}]
        for base in ("/v1", tags):
            self.ask("POST", f"{base}/chat/completions", b'{"model": ', status=400)
            self.ask("POST", f"{base}/chat/completions", {"model": "status-503", "messages": messages}, status=503)
            self.ask("POST", f"{base}/responses", {"model": "echo", "input": name}, status=404)
        self.ask("POST", "/logs", b'{"tags": ', status=400)
        self.ask("GET", "/v1/nothing", status=404)
        self.ask("GET", f"/v1/rollouts/{name}-unknown", status=404)
        self.ask("GET", f"/v1/traces?tags=rollout_id:{name}&limit=many", status=422)
        assert json.loads(self.ask("GET", f"/v1/status?rollout_id={name}-unknown"))["status"] is None

    def body(self, name: str, code: int | None, extras: dict) -> dict:
        body = {"tags": [f"rollout_id:{name}"], "message": "m" * self.random.randrange(500), "extras": extras}
        return body | ({"status": {"code": code, "message": "", "details": []}} if code else {})

    def line(self, name: str, code: int, extras: dict):
        self.ask("POST", "/logs", self.body(name, code, extras))

    def ask(self, method: str, path: str, body=None, status: int = 200) -> bytes:
        self.connection.request(method, path, body if body is None or isinstance(body, bytes) else json.dumps(body))
        answer = self.connection.getresponse()
        text = answer.read()
        self.requests += 1
        assert answer.status == status, f"{method} {path}: {answer.status} {text[:300]!r}"
        return text

    def leave(self, path: str, body=None, waits: bool = True):
        """Goes away when the first bytes have come, or at once."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None)
        if waits:
            with suppress(http.client.HTTPException):
                connection.getresponse().read(1)
        connection.close()
        self.requests += 1


def measured(pid: int) -> tuple[float, int]:
    """Resident memory in MB, and open descriptors."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, len(os.listdir(f"/proc/{pid}/fd"))


def test_memory_and_descriptors_are_flat():
    model = ScriptedModel()
    gateway = Gateway(model.url, "--retain", "60s")
    try:
        until = time.monotonic() + MINUTES * 60
        workers = [Worker(gateway, number, until) for number in range(8)]
        for worker in workers:
            worker.start()
        samples = []
        while time.monotonic() < until:
            time.sleep(min(2, MINUTES))
            samples.append(measured(gateway.child.pid))
        for worker in workers:
            worker.join(60)
        failures = [failure for worker in workers for failure in worker.failures]
        assert not failures, failures[:5]
        quarter = len(samples) // 4
        early, late = samples[quarter : 2 * quarter], samples[3 * quarter :]
        memory = [statistics.median(sample[0] for sample in part) for part in (early, late)]
        descriptors = [max(sample[1] for sample in part) for part in (early, late)]
        count = sum(worker.requests for worker in workers)
        print(f"{count} requests in {MINUTES:g} min: {memory[0]:.0f} MB, then {memory[1]:.0f}; {descriptors[0]} "
              f"descriptors, then {descriptors[1]}")  # fmt: skip
        assert memory[1] < memory[0] * 1.1 + 5
        assert descriptors[1] <= descriptors[0] + 8
    finally:
        gateway.stop()
