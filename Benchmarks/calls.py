# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Unstreamed model calls through each program: requests/s, CPU, time, and the memory that it has after them.

Of the gateway there are two: one whose calls are recorded durably, and one whose calls are only forwarded. Both get the
same bytes on tagged paths, check the key, and hold accounts and rollouts to their limits. While one program is measured
the others are frozen.
"""

import sys
from contextlib import ExitStack

from others import start_litellm, start_vllm_router, start_vllm_router_in_turns
from programs import Program, start_gateway, start_proxy, start_stub
from settings import Settings, medians, read_settings, table
from wrk import load

RECORDING = "rollcall, recording"
NOT_RECORDING = "rollcall, not recording"


def variables(name: str, rollouts: str) -> dict[str, str]:
    """What `calls.lua` is told for a program. Embeddings on a tagged path are counted for their rollout, and not recorded."""
    api = {RECORDING: "chat/completions", NOT_RECORDING: "embeddings"}.get(name)
    return {"BENCH_ROLLOUTS": rollouts, "BENCH_API": api} if api else {}


def start(settings: Settings, stack: ExitStack) -> dict[str, Program]:
    stub = stack.enter_context(start_stub())
    programs = {"direct": stub, "nginx": stack.enter_context(start_proxy(stub.port))}
    for name in (RECORDING, NOT_RECORDING):
        programs[name] = stack.enter_context(start_gateway(settings.rollcall, f"http://127.0.0.1:{stub.port}/v1"))
    others = {
        "LiteLLM": start_litellm,
        "vllm-router": start_vllm_router,
        "vllm-router, in turns": start_vllm_router_in_turns,
    }
    for name, start_other in ({} if settings.quick else others).items():
        if program := start_other(stub.port):
            programs[name] = stack.enter_context(program)
    return programs


def measure(settings: Settings) -> tuple[dict, dict]:
    """Medians by (connections, program), and by program the memory before and after."""
    with ExitStack() as stack:
        programs = start(settings, stack)

        def run(name: str, connections: int, seconds: int, label: str) -> tuple[float, ...]:
            program = programs[name]
            program.thaw()
            before = program.cpu_seconds()
            result = load("calls.lua", program.port, connections, seconds, **variables(name, label))
            cpu = program.cpu_seconds() - before
            if name != "direct":
                program.freeze()
            print(f"{name:>24} {connections:>3} connections: {result.rate:>9,.0f} calls/s", file=sys.stderr)
            # The slowest may have answered nothing yet.
            return result.rate, cpu / max(1, result.requests) * 1e6, result.p50_ms, result.p99_ms

        for name in programs:
            run(name, 1, 1, "warm")
        idle = {name: program.resident_megabytes() for name, program in programs.items()}
        cases = [(connections, name) for connections in ((1, 64) if settings.quick else (1, 16, 64, 256)) for name in programs]
        result = medians(
            settings, cases, lambda case, repetition: run(case[1], case[0], settings.seconds, f"c{case[0]}-{repetition}")
        )
        return result, {name: (idle[name], program.resident_megabytes()) for name, program in programs.items()}


def report(settings: Settings) -> str:
    calls, memory = measure(settings)

    def row(connections: int, name: str) -> list[str]:
        rate, cpu, p50, p99 = calls[connections, name]
        reference = calls[connections, "nginx"]
        return [
            str(connections), name, f"{rate:,.0f}", f"{rate / reference[0]:.3f}", f"{cpu:.1f}", f"{cpu / reference[1]:.2f}",
            f"{p50:.2f}", f"{p99:.2f}",
        ]  # fmt: skip

    return "\n\n".join(
        [
            table("connections | program | calls/s | × nginx | CPU µs/call | × nginx | p50 ms | p99 ms", (row(*case) for case in calls)),
            "The direct row's CPU is the answering server's own.",
            table(
                "program | resident MB after a second of calls | after all of them",
                ([name, f"{idle:.0f}", f"{after:.0f}"] for name, (idle, after) in memory.items()),
            ),
        ]
    )


if __name__ == "__main__":
    print(report(read_settings(__doc__)))
