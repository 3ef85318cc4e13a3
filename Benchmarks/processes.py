# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Rollouts that are processes, against starting the same processes by hand, eight at a time.

By hand is a small program in C that starts the command with the request as its standard input and pipes for its output,
reads those, and waits for it. What process mode adds is the processor time of the environment and of all it has started,
from `/init` to the last line delivered, less that of the same command by hand.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

from programs import HERE, KEY, Program, on_core, start_gateway
from settings import Settings, medians, read_settings, table

AT_ONCE = 8
# Rollouts and processes by hand take turns, since what a process costs differs from minute to minute.
TURNS = 10
AGENT = "import json, sys; print(len(json.load(sys.stdin)['messages']), 'messages')"
COMMANDS = {
    "`true`": lambda folder: ["true"],
    # Its code and data take hardly any room in the processor's caches.
    "C that reads the request, computes for 35 ms and prints a line": lambda folder: [f"{folder}/busy", "35"],
    "Python that reads the request and prints a line": lambda folder: [sys.executable, "-c", AGENT],
}
# What the command inherits from an environment, too.
VARIABLES = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | {"PYTHONUNBUFFERED": "1"}


def request(name: str) -> dict:
    ids = {key: name for key in ("invocation_id", "experiment_id", "rollout_id", "run_id", "row_id")}
    message = {"role": "user", "content": "What do you make of this?"}
    return {"completion_params": {"model": "bench"}, "messages": [message], "metadata": ids}


def start_environment(settings: Settings, gateway: int, command: list[str]) -> Program:
    def words(_: str, port: int) -> list[str]:
        return [
            settings.rollcall, "environment", "--port", str(port), "--max-concurrent", str(AT_ONCE), "--gateway-url",
            f"http://localhost:{gateway}", "--log-level", "error", "--", *command,
        ]  # fmt: skip

    program = Program(1, words, FIREWORKS_API_KEY=KEY)
    program.wait_until(program.accepts)
    return program


class Caller(threading.local):
    """Connections that stay open, as those of clients do; each thread has its own."""

    def __init__(self, environment: int, gateway: int):
        self.environment = HTTPConnection("127.0.0.1", environment, timeout=60)
        self.gateway = HTTPConnection("127.0.0.1", gateway, timeout=60)

    def roll(self, name: str) -> None:
        self.call(self.environment, "POST", "/init", json.dumps(request(name)))
        answer = self.call(self.gateway, "GET", f"/v1/status?rollout_id={name}&wait_seconds=50")
        if answer["status"]["code"] != 100:
            raise SystemExit(f"the rollout {name} ended with {answer['status']}")

    def call(self, connection: HTTPConnection, method: str, path: str, body: str | None = None) -> dict:
        connection.request(method, path, body, {"Authorization": f"Bearer {KEY}"})
        with connection.getresponse() as answer:
            text = answer.read()
            if answer.status != 200:
                raise SystemExit(f"{path} was answered {answer.status}: {text.decode()}")
        return json.loads(text)


def by_hand(folder: str, command: list[str], count: int) -> tuple[float, float]:
    """Processes/s, and CPU in ms of each, on the core that the environment and its commands have."""
    file = Path(folder, "request.json")
    file.write_text(json.dumps(request("by-hand")))
    words = on_core(1, [f"{folder}/by_hand", str(count), str(AT_ONCE), str(file), *command])
    output = subprocess.run(words, cwd=folder, env=VARIABLES, stdout=subprocess.PIPE, check=True, text=True).stdout
    rate, cpu = output.split()
    return float(rate), float(cpu)


def measure(settings: Settings) -> dict:
    """Medians by command: rollouts/s and processes/s by hand; CPU in ms of each by hand, of the environment, and of what it
    starts, and what of that process mode adds."""
    share = 40 * settings.seconds // TURNS
    with tempfile.TemporaryDirectory(prefix="rollcall-bench-") as folder:
        for program in ("by_hand", "busy"):
            subprocess.run(["clang", "-O2", "-o", f"{folder}/{program}", HERE / f"{program}.c"], check=True)

        def run(name: str, repetition: int) -> tuple[float, ...]:
            command = COMMANDS[name](folder)
            with (
                start_gateway(settings.rollcall, "http://127.0.0.1:9/v1", core=0) as gateway,
                start_environment(settings, gateway.port, command) as environment,
                ThreadPoolExecutor(AT_ONCE) as pool,
            ):
                caller = Caller(environment.port, gateway.port)

                def rate(numbers: range) -> float:
                    begin = time.monotonic()
                    list(pool.map(lambda number: caller.roll(f"process-{number}"), numbers))
                    return len(numbers) / (time.monotonic() - begin)

                rate(range(share))
                own, started = environment.cpu_seconds(), environment.children_cpu_seconds()
                parts = []
                for part in range(1, TURNS + 1):
                    rollouts = rate(range(part * share, (part + 1) * share))
                    parts.append((rollouts, *by_hand(folder, command, share)))
                own, started = environment.cpu_seconds() - own, environment.children_cpu_seconds() - started
            rollouts, processes, hand = (statistics.mean(column) for column in zip(*parts))
            own, started = own / (TURNS * share) * 1e3, started / (TURNS * share) * 1e3
            print(f"{name}: {rollouts:.0f} rollouts/s, {processes:.0f} processes/s by hand", file=sys.stderr)
            return rollouts, processes, hand, own, started, own + started - hand

        return medians(settings, COMMANDS, run)


def report(settings: Settings) -> str:
    return table(
        "command | rollouts/s | by hand, processes/s | by hand, CPU ms | the environment's CPU, ms/rollout "
        "| what it started, ms/rollout | added by process mode, ms/rollout",
        (
            [name, f"{rollouts:,.0f}", f"{processes:,.0f}", *(f"{milliseconds:.2f}" for milliseconds in cpu)]
            for name, (rollouts, processes, *cpu) in measure(settings).items()
        ),
    )


if __name__ == "__main__":
    print(report(read_settings(__doc__)))
