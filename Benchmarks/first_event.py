# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""How long a caller waits for the first event of a streamed answer, and how late the end comes, one call at a time.

The answering server sends the first event at once and the rest 2 ms later; it is part of this process, as the caller is.
"""

import asyncio
import statistics
from contextlib import ExitStack

from calls import NOT_RECORDING, RECORDING
from programs import KEY, start_gateway, start_proxy
from settings import Settings, read_settings, table
from streams import event

PAUSE = 0.002
FIRST = event({"role": "assistant", "content": "It"})
REST = event({"content": " depends."}) + event({}, "stop") + "data: [DONE]\n\n"
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b'{"model":"bench","stream":true,"messages":[{"role":"user","content":"What do you make of this?"}]}'
TAGS = "/rollout_id/first-{}/invocation_id/i/experiment_id/e/run_id/r/row_id/w/chat/completions"


def chunk(text: str) -> str:
    return f"{len(text):x}\r\n{text}\r\n"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The answering server's part of a connection."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.split("content-length:")[1].split("\r\n")[0]))
            writer.write((HEAD + chunk(FIRST)).encode())
            await asyncio.sleep(PAUSE)
            writer.write((chunk(REST) + "0\r\n\r\n").encode())
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        pass  # the other side has gone, or the measurement has ended
    finally:
        writer.close()


class Caller:
    def __init__(self, port: int, path: str):
        self.port = port
        self.path = path
        self.calls = 0

    async def connect(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)

    async def call(self) -> tuple[float, float]:
        """Milliseconds to the first event and to the end."""
        self.calls += 1
        head = (
            f"POST {self.path.format(self.calls)} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
        )
        clock = asyncio.get_running_loop().time
        begin = clock()
        self.writer.write(head.encode() + BODY)
        received = b""
        first = None
        while not received.endswith(b"0\r\n\r\n"):
            piece = await self.reader.read(1 << 16)
            if not piece:
                raise SystemExit(f"a stream ended early: {received.decode()}")
            received += piece
            if first is None and b"data:" in received:
                first = clock()
        if first is None or b"[DONE]" not in received:
            raise SystemExit(f"a stream was not the one sent: {received.decode()}")
        return (first - begin) * 1e3, (clock() - begin) * 1e3


async def measure(settings: Settings) -> dict[str, list[tuple[float, float]]]:
    """The times of each program's calls, which took turns."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    upstream = server.sockets[0].getsockname()[1]
    with ExitStack() as stack:
        proxy = stack.enter_context(start_proxy(upstream, buffering="off"))
        callers = {"direct": Caller(upstream, "/"), "nginx": Caller(proxy.port, "/")}
        for name, path in ((RECORDING, TAGS), (NOT_RECORDING, "/v1/chat/completions")):
            gateway = stack.enter_context(start_gateway(settings.rollcall, f"http://127.0.0.1:{upstream}/v1"))
            callers[name] = Caller(gateway.port, path)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in callers}
        for caller in callers.values():
            await caller.connect()
            await caller.call()
        for _ in range(200 if settings.quick else 1000):
            for name, caller in callers.items():
                times[name].append(await caller.call())
        for caller in callers.values():
            caller.writer.close()
    server.close()
    return times


def report(settings: Settings) -> str:
    times = asyncio.run(measure(settings))
    middle = {name: [statistics.median(column) for column in zip(*calls)] for name, calls in times.items()}

    def row(name: str) -> list[str]:
        first, end = middle[name]
        p99 = statistics.quantiles((call[0] for call in times[name]), n=100)[98]
        return [
            name, f"{first:.2f}", f"{first - middle['nginx'][0]:+.2f}", f"{p99:.2f}", f"{end:.2f}",
            f"{end - middle['nginx'][1]:+.2f}",
        ]  # fmt: skip

    header = "program | first event, p50 ms | − nginx | p99 ms | end, p50 ms | − nginx"
    return table(header, (row(name) for name in times))


if __name__ == "__main__":
    print(report(read_settings(__doc__)))
