# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Rollouts that are processes, against starting the same processes by hand, eight at a time.

The processor time is the environment's own for a rollout, from `/init` to the last line delivered, without that of the
command. By hand means a thread pool that starts the command with pipes, and waits for it.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from programs import KEY, Program, start_gateway
from settings import Settings, medians, read_settings, table

AT_ONCE = 8
COMMANDS = {
    "`true`": ["true"],
    "Python that prints a line": [sys.executable, "-c", "print('done')"],
}


def start_environment(settings: Settings, gateway: int, command: list[str]) -> Program:
    def words(_: str, port: int) -> list[str]:
        return [
            settings.rollcall, "environment", "--port", str(port), "--max-concurrent", str(AT_ONCE), "--gateway-url",
            f"http://localhost:{gateway}", "--log-level", "error", "--", *command,
        ]  # fmt: skip

    program = Program(1, words, FIREWORKS_API_KEY=KEY)
    program.wait_until(program.accepts)
    return program


def call(url: str, body: dict | None = None) -> dict:
    headers = {"Authorization": f"Bearer {KEY}"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as answer:
        return json.load(answer)


def roll(environment: int, gateway: int, name: str) -> None:
    ids = {key: name for key in ("invocation_id", "experiment_id", "rollout_id", "run_id", "row_id")}
    message = {"role": "user", "content": "What do you make of this?"}
    body = {"completion_params": {"model": "bench"}, "messages": [message], "metadata": ids}
    call(f"http://localhost:{environment}/init", body)
    code = call(f"http://localhost:{gateway}/v1/status?rollout_id={name}&wait_seconds=50")["status"]["code"]
    if code != 100:
        raise SystemExit(f"the rollout {name} ended with {code}")


def by_hand(command: list[str]) -> None:
    cores = os.sched_getaffinity(0)
    try:
        # The thread, and what it starts, on the core that the environment and its commands have.
        os.sched_setaffinity(0, {1} & cores or cores)
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    finally:
        os.sched_setaffinity(0, cores)


def measure(settings: Settings) -> dict:
    """Medians by command: rollouts/s, processes/s by hand, the environment's CPU in ms a rollout."""
    count = 60 * settings.seconds

    def run(name: str, repetition: int) -> tuple[float, ...]:
        command = COMMANDS[name]
        with (
            start_gateway(settings.rollcall, "http://127.0.0.1:9/v1") as gateway,
            start_environment(settings, gateway.port, command) as environment,
            ThreadPoolExecutor(AT_ONCE) as pool,
        ):

            def rate(work, items) -> float:
                begin = time.monotonic()
                list(pool.map(work, items))
                return len(items) / (time.monotonic() - begin)

            def rollout(number: int) -> None:
                roll(environment.port, gateway.port, f"process-{number}")

            rate(rollout, range(AT_ONCE))
            before = environment.cpu_seconds()
            rollouts = rate(rollout, range(AT_ONCE, AT_ONCE + count))
            cpu = environment.cpu_seconds() - before
            processes = rate(by_hand, [command] * count)
        print(f"{name}: {rollouts:.0f} rollouts/s, {processes:.0f} processes/s by hand", file=sys.stderr)
        return rollouts, processes, cpu / count * 1e3

    return medians(settings, COMMANDS, run)


def report(settings: Settings) -> str:
    return table(
        "command | rollouts/s | by hand, processes/s | ratio | environment's CPU, ms/rollout",
        (
            [name, f"{rollouts:,.0f}", f"{processes:,.0f}", f"{rollouts / processes:.2f}", f"{cpu:.2f}"]
            for name, (rollouts, processes, cpu) in measure(settings).items()
        ),
    )


if __name__ == "__main__":
    print(report(read_settings(__doc__)))
