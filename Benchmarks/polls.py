# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Status polls: `GET /v1/status` of 10,000 rollouts in turn, half of them at their end."""

import sys

from gateway_client import post, status_line
from programs import start_gateway
from settings import Settings, medians, read_settings, table
from wrk import load

ROLLOUTS = 10_000


def measure(settings: Settings) -> dict:
    """Medians by connections: polls/s, CPU in µs a poll, p50 and p99 in ms."""
    with start_gateway(settings.rollcall, "http://127.0.0.1:9/v1") as gateway:
        post(gateway.port, "/v1/logs/batch", [status_line(f"poll-{number}", "r", 100 + number % 2) for number in range(ROLLOUTS)])

        def run(connections: int, _: int = 0, seconds: int = settings.seconds) -> tuple[float, ...]:
            before = gateway.cpu_seconds()
            result = load("polls.lua", gateway.port, connections, seconds, BENCH_COUNT=str(ROLLOUTS))
            cpu = gateway.cpu_seconds() - before
            print(f"{connections:>3} connections: {result.rate:>9,.0f} polls/s", file=sys.stderr)
            return result.rate, cpu / result.requests * 1e6, result.p50_ms, result.p99_ms

        run(16, seconds=1)
        return medians(settings, (64,) if settings.quick else (1, 16, 64, 256), run)


def report(settings: Settings) -> str:
    return table(
        "connections | polls/s | CPU µs/poll | p50 ms | p99 ms",
        (
            [str(connections), f"{rate:,.0f}", f"{cpu:.1f}", f"{p50:.2f}", f"{p99:.2f}"]
            for connections, (rate, cpu, p50, p99) in measure(settings).items()
        ),
    )


if __name__ == "__main__":
    print(report(read_settings(__doc__)))
