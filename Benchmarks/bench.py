# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""The gateway, recording durably, against nginx `proxy_pass` and a direct connection.

Load generator and answering server share core 0, the program under test has core 1. Repetitions of all programs are
interleaved and their medians taken; ratios are within this run, so they hold where absolute figures do not.
"""

import argparse
import os
import platform
import statistics
import sys
from datetime import date
from pathlib import Path

import stored_bytes
from programs import load, start_gateway, start_proxy, start_stub

CONNECTIONS = (1, 16, 64)


def measure(rollcall: str, repetitions: int, seconds: float) -> dict:
    """Medians by (program, connections): requests/s, CPU in µs a request, p50 and p99 in ms."""
    stub, stub_port = start_stub()
    proxy, proxy_port = start_proxy(stub_port)
    gateway, gateway_port = start_gateway(rollcall, f"http://127.0.0.1:{stub_port}/v1")
    programs = {"direct": (stub, stub_port), "nginx": (proxy, proxy_port), "rollcall": (gateway, gateway_port)}
    samples: dict = {}
    try:
        for name, (_, port) in programs.items():
            load(port, 16, 1, f"warm-{name}")
        for repetition in range(repetitions):
            for connections in CONNECTIONS:
                for name, (program, port) in programs.items():
                    before = program.cpu_seconds()
                    result = load(port, connections, seconds, f"{name}-{connections}-{repetition}")
                    cpu = program.cpu_seconds() - before
                    if result["errors"] or not result["requests"]:
                        raise SystemExit(f"{name} at {connections} connections: {result}")
                    rate = result["requests"] / result["seconds"]
                    values = (rate, cpu / result["requests"] * 1e6, result["p50_ms"], result["p99_ms"])
                    samples.setdefault((name, connections), []).append(values)
                    print(f"{name:>9} {connections:>3} connections: {rate:>9,.0f} requests/s", file=sys.stderr)
    finally:
        for program in (gateway, proxy, stub):
            program.stop()
    return {key: [statistics.median(column) for column in zip(*rows)] for key, rows in samples.items()}


def table(medians: dict) -> str:
    lines = [
        "| connections | program | requests/s | × nginx | CPU µs/request | × nginx | p50 ms | p99 ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for connections in CONNECTIONS:
        reference = medians["nginx", connections]
        for name in ("direct", "nginx", "rollcall"):
            rate, cpu, p50, p99 = medians[name, connections]
            lines.append(
                f"| {connections} | {name} | {rate:,.0f} | {rate / reference[0]:.2f} | {cpu:.1f} | {cpu / reference[1]:.2f} "
                f"| {p50:.2f} | {p99:.2f} |"
            )
    return "\n".join(lines)


def machine() -> str:
    names = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, {memory} GiB, {platform.platform()}, {date.today()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rollcall", help="path of the program")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement")
    arguments = parser.parse_args()
    medians = measure(arguments.rollcall, arguments.repetitions, arguments.seconds)
    ratio = medians["rollcall", 64][0] / medians["nginx", 64][0]
    print(f"\nMachine: {machine()}.\nMedians of {arguments.repetitions} repetitions of {arguments.seconds:g} s.\n")
    print(table(medians))
    print("\nThe direct row's CPU is the answering server's own.\n")
    print(stored_bytes.table(arguments.rollcall))
    print(f"\nrecording durably at 64 connections: {ratio:.2f} of nginx")


if __name__ == "__main__":
    main()
