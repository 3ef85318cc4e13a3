# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""From the post of a status until all who wait for it know: many rollouts on event streams, and a poll for each.

First 200 statuses one at a time while all the others wait, from the post to the event or answer; then those of all the
rollouts in batches of 1,000, from the first post to the last event or answer. Posts, streams and polls are one process,
so that part of the time is its own.
"""

import asyncio
import json
import resource
import statistics
import sys
from collections.abc import Callable

from gateway_client import metadata, post, status_line
from programs import KEY, start_gateway
from settings import Settings, medians, read_settings, table

ROLLOUTS = 10_000
# A gateway has at most 8,192 connections.
POLLS = 8_000
SINGLES = 200
EVENT = b"event: status\n"
READY = b"event: ready\n"


class Waiting:
    """Counts what has been learned, and wakes who waits for a count."""

    def __init__(self):
        self.ready = 0
        self.learned = 0
        self._condition = lambda: False
        self._woken = asyncio.Event()

    def changed(self) -> None:
        if self._condition():
            self._woken.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        self._condition = condition
        self._woken.clear()
        self.changed()
        async with asyncio.timeout(60):
            await self._woken.wait()


class Connection(asyncio.Protocol):
    """Sends a request, and has what comes counted."""

    def __init__(self, waiting: Waiting, path: str):
        self.waiting = waiting
        self.request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()
        self.received = b""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        transport.write(self.request)


class Stream(Connection):
    is_ready = False

    def data_received(self, data: bytes) -> None:
        data = self.received + data
        if not self.is_ready and READY in data:
            self.is_ready = True
            self.waiting.ready += 1
        self.waiting.learned += data.count(EVENT)
        # A name may be cut. Less than a whole one is kept, so that none counts twice.
        self.received = data[1 - len(EVENT) :]
        self.waiting.changed()


class Poll(Connection):
    def data_received(self, data: bytes) -> None:
        self.received += data
        if b'"code":100' in self.received:
            self.waiting.learned += 1
            self.waiting.changed()
        elif not self.received.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"a poll was answered {self.received[:300].decode()}")


class Poster:
    """A connection for statuses, which are acknowledged before the next are sent."""

    async def connect(self, port: int) -> "Poster":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        return self

    async def post(self, lines: list[dict]) -> None:
        body = json.dumps(lines).encode()
        head = (
            f"POST /v1/logs/batch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + body)
        answer = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        await self.reader.readexactly(int(answer.split("content-length:")[1].split("\r\n")[0]))
        if not answer.startswith("http/1.1 200"):
            raise SystemExit(f"statuses were answered {answer}")


class Case:
    """So many rollouts, which are waited for on so many streams, or with a poll each."""

    def __init__(self, name: str, rollouts: int, streams: int = 0):
        self.name = name
        self.streams = streams
        self.rollouts = [(f"rollout-{number}", f"run-{number % max(1, streams)}") for number in range(rollouts)]

    def connections(self, waiting: Waiting) -> list[Connection]:
        if self.streams:
            return [Stream(waiting, f"/v1/events?run_id=run-{number}") for number in range(self.streams)]
        return [Poll(waiting, f"/v1/status?rollout_id={rollout}&wait_seconds=60") for rollout, _ in self.rollouts]

    async def measure(self, port: int) -> tuple[float, ...]:
        """p50 and p99 of a single status in ms; the time of the rest until acknowledged, and until learned, in s."""
        loop = asyncio.get_running_loop()
        waiting = Waiting()
        connections = self.connections(waiting)
        for connection in connections:
            await loop.create_connection(lambda: connection, "127.0.0.1", port)
        if self.streams:
            await waiting.until(lambda: waiting.ready == self.streams)
        else:
            await asyncio.sleep(1)  # nothing tells that a poll waits
        poster = await Poster().connect(port)

        lines = [status_line(rollout, run, 100) for rollout, run in self.rollouts]
        times = []
        for number in range(SINGLES):
            begin = loop.time()
            posting = asyncio.create_task(poster.post([lines[number]]))
            await waiting.until(lambda: waiting.learned == number + 1)
            times.append((loop.time() - begin) * 1e3)
            await posting

        begin = loop.time()
        for start in range(SINGLES, len(lines), 1000):
            await poster.post(lines[start : start + 1000])
        acknowledged = loop.time() - begin
        await waiting.until(lambda: waiting.learned == len(lines))
        learned = loop.time() - begin

        for connection in connections:
            connection.transport.abort()
        poster.writer.close()
        return statistics.median(times), statistics.quantiles(times, n=100)[98], acknowledged, learned


def cases(settings: Settings) -> list[Case]:
    streams = [Case("1 event stream", ROLLOUTS, streams=1)]
    if settings.quick:
        return streams
    return [*streams, Case("100 event streams", ROLLOUTS, streams=100), Case("a poll for each", POLLS)]


def report(settings: Settings) -> str:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def run(case: Case, _: int) -> tuple[float, ...]:
        with start_gateway(settings.rollcall, "http://127.0.0.1:9/v1") as gateway:
            post(gateway.port, "/v1/rollouts", [{"metadata": metadata(rollout, run)} for rollout, run in case.rollouts])
            result = asyncio.run(case.measure(gateway.port))
        print(f"{case.name}: the last of {len(case.rollouts)} after {result[3]:.2f} s", file=sys.stderr)
        return result

    rows = (
        [
            case.name, f"{len(case.rollouts):,}", f"{p50:.2f}", f"{p99:.2f}", f"{acknowledged * 1e3:,.0f}",
            f"{learned * 1e3:,.0f}", f"{(len(case.rollouts) - SINGLES) / learned:,.0f}",
        ]
        for case, (p50, p99, acknowledged, learned) in medians(settings, cases(settings), run).items()
    )  # fmt: skip
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return table(
        "waiting | rollouts | one status, p50 ms | p99 ms | all: acknowledged, ms | all: learned, ms | learned/s", rows
    )


if __name__ == "__main__":
    print(report(read_settings(__doc__)))
