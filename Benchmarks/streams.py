# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Streamed answers through each program: events/s and CPU an event.

The answering server sends 64 events of about 190 bytes in chunks, with no pause between them. What the gateway does not
record comes without tags: of what is tagged, chat completions are recorded and embeddings do not stream.
"""

import json
import sys
from contextlib import ExitStack

from calls import NOT_RECORDING, RECORDING
from programs import start_gateway, start_proxy, start_stub
from settings import Settings, medians, read_settings, table
from wrk import load

EVENTS = 64


def event(delta: dict, finish_reason: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    chunk = {"id": "bench", "object": "chat.completion.chunk", "created": 1, "model": "bench", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n"


ANSWER = "".join(event({"content": f" word {number}"}) for number in range(EVENTS - 2)) + event({}, "stop") + "data: [DONE]\n\n"


def measure(settings: Settings) -> dict:
    """Medians by (connections, program): events/s and CPU in µs an event."""
    with ExitStack() as stack:
        stub = stack.enter_context(start_stub(ANSWER, events=True))
        programs = {"direct": stub, "nginx": stack.enter_context(start_proxy(stub.port, buffering="off"))}
        for name in (RECORDING, NOT_RECORDING):
            programs[name] = stack.enter_context(start_gateway(settings.rollcall, f"http://127.0.0.1:{stub.port}/v1"))

        def run(name: str, connections: int, seconds: int, label: str) -> tuple[float, ...]:
            program = programs[name]
            before = program.cpu_seconds()
            variables = {"BENCH_ROLLOUTS": label} if name == RECORDING else {}
            result = load("calls.lua", program.port, connections, seconds, BENCH_STREAM="1", **variables)
            cpu = program.cpu_seconds() - before
            print(f"{name:>24} {connections:>3} connections: {result.rate * EVENTS:>9,.0f} events/s", file=sys.stderr)
            return result.rate * EVENTS, cpu / (result.requests * EVENTS) * 1e6

        for name in programs:
            run(name, 16, 1, "warm")
        cases = [(connections, name) for connections in ((16,) if settings.quick else (1, 16, 64)) for name in programs]
        return medians(
            settings, cases, lambda case, repetition: run(case[1], case[0], settings.seconds, f"s{case[0]}-{repetition}")
        )


def report(settings: Settings) -> str:
    streams = measure(settings)

    def row(connections: int, name: str) -> list[str]:
        rate, cpu = streams[connections, name]
        reference = streams[connections, "nginx"]
        return [str(connections), name, f"{rate:,.0f}", f"{rate / reference[0]:.2f}", f"{cpu:.2f}", f"{cpu / reference[1]:.2f}"]

    return table("connections | program | events/s | × nginx | CPU µs/event | × nginx", (row(*case) for case in streams))


if __name__ == "__main__":
    print(report(read_settings(__doc__)))
