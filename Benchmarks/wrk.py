# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""The load generator: wrk, on core 0, with one of the scripts of this folder."""

import json
import os
import subprocess
from dataclasses import dataclass

from programs import HERE, KEY, on_core


@dataclass(frozen=True)
class Load:
    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def load(script: str, port: int, connections: int, seconds: int, **variables: str) -> Load:
    """Runs a script, which sees the variables and `BENCH_KEY`. An answer other than 2xx ends the measurement."""
    command = [
        "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", str(HERE / script),
        f"http://127.0.0.1:{port}",
    ]  # fmt: skip
    environment = os.environ | {"BENCH_KEY": KEY, "BENCH_FOLDER": str(HERE)} | variables
    done = subprocess.run(on_core(0, command), capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise SystemExit(f"wrk failed: {done.stdout}{done.stderr}")
    result = json.loads(line.removeprefix("RESULT "))
    if result.pop("errors"):
        raise SystemExit(f"{script} at {connections} connections met errors:\n{done.stdout}")
    return Load(**result)
