# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Log lines of about 300 bytes, each on the disk before it is acknowledged: posted alone, and in batches of 100."""

import sys

from programs import start_gateway
from settings import Settings, medians, read_settings, table
from wrk import load

BATCH = 100


def measure(settings: Settings) -> dict:
    """Medians by (connections, lines a post): posts/s, CPU in µs a line, p50 and p99 in ms."""
    with start_gateway(settings.rollcall, "http://127.0.0.1:9/v1") as gateway:

        def run(case: tuple[int, int], repetition: int, seconds: int = settings.seconds) -> tuple[float, ...]:
            connections, lines = case
            variables = {"BENCH_ROLLOUTS": f"log-{connections}-{lines}-{repetition}"}
            if lines > 1:
                variables["BENCH_LINES"] = str(lines)
            before = gateway.cpu_seconds()
            result = load("logs.lua", gateway.port, connections, seconds, **variables)
            cpu = gateway.cpu_seconds() - before
            print(f"{connections:>3} connections, {lines:>3} lines a post: {result.rate * lines:>9,.0f} lines/s", file=sys.stderr)
            return result.rate, cpu / (result.requests * lines) * 1e6, result.p50_ms, result.p99_ms

        run((16, 1), -1, seconds=1)
        cases = [(64, 1), (16, BATCH)] if settings.quick else [(1, 1), (16, 1), (64, 1), (256, 1), (1, BATCH), (16, BATCH)]
        return medians(settings, cases, run)


def report(settings: Settings) -> str:
    return table(
        "connections | lines a post | posts/s | lines/s | CPU µs/line | p50 ms | p99 ms",
        (
            [str(connections), str(lines), f"{rate:,.0f}", f"{rate * lines:,.0f}", f"{cpu:.1f}", f"{p50:.2f}", f"{p99:.2f}"]
            for (connections, lines), (rate, cpu, p50, p99) in measure(settings).items()
        ),
    )


if __name__ == "__main__":
    print(report(read_settings(__doc__)))
