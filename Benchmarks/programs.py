# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""The programs of a measurement: an nginx that answers, an nginx that forwards, the gateway.

The load generator and what answers share core 0; the program under test has core 1.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
TICK = os.sysconf("SC_CLK_TCK")
# What the gateways that check keys are given and every request brings.
KEY = "sk-bench"
ANSWER = json.dumps(
    {
        "id": "bench", "object": "chat.completion", "created": 1, "model": "bench",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "It depends on the case. " * 48}}
        ],
        "usage": {"prompt_tokens": 420, "completion_tokens": 240, "total_tokens": 660},
    }
)  # fmt: skip


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def on_core(core: int, command: list[str]) -> list[str]:
    """The command, kept to one core where the machine has two."""
    if (os.cpu_count() or 1) < 2 or not shutil.which("taskset"):
        return command
    return ["taskset", "-c", str(core), *command]


class Program:
    """A child process in a folder of its own, which both go with it."""

    def __init__(self, core: int, command: Callable[[str, int], list[str]], **environment: str):
        """`command` is told the folder and a free port."""
        self.folder = tempfile.mkdtemp(prefix="rollcall-bench-")
        self.port = free_port()
        self.output = Path(self.folder, "output.log")
        try:
            with self.output.open("wb") as output:
                self.child = subprocess.Popen(
                    on_core(core, command(self.folder, self.port)),
                    stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=self.folder,
                    env=os.environ | environment,
                )  # fmt: skip
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait_until(self, condition: Callable[[], object]):
        """Waits for the condition, or ends the program and the measurement."""
        deadline = time.monotonic() + 60
        try:
            while not (result := condition()):
                if self.child.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{self.child.args} did not start:\n{self.output.read_text()}")
                time.sleep(0.02)
            return result
        except BaseException:
            self.__exit__()
            raise

    def accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def cpu_seconds(self) -> float:
        """Its own processor time."""
        return self._ticks(11, 12) / TICK

    def children_cpu_seconds(self) -> float:
        """The processor time of the children that it has waited for, and of theirs."""
        return self._ticks(13, 14) / TICK

    def _ticks(self, *fields: int) -> int:
        values = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(int(values[field]) for field in fields)

    def resident_megabytes(self) -> float:
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    def freeze(self) -> None:
        self.child.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.child.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.child.poll() is not None:
            return
        self.thaw()
        self.child.terminate()
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def start_nginx(core: int, server: str) -> Program:
    def command(folder: str, port: int) -> list[str]:
        text = (HERE / "nginx.conf.in").read_text().replace("@SERVER@", server.replace("@PORT@", str(port)))
        Path(folder, "nginx.conf").write_text(text)
        return [shutil.which("nginx") or "/usr/sbin/nginx", "-p", folder, "-c", "nginx.conf", "-e", "error.log"]

    program = Program(core, command)
    program.wait_until(program.accepts)
    return program


def start_stub(body: str = ANSWER, events: bool = False) -> Program:
    """Answers every request with the same body, in chunks where it is one of events."""
    # A word of nginx's configuration has room for 4,096 bytes, a variable for any number.
    pieces = [body[start : start + 2000].replace("'", "\\'") for start in range(0, len(body), 2000)]
    variables = " ".join(f"set $piece{number} '{piece}';" for number, piece in enumerate(pieces))
    whole = "".join(f"$piece{number}" for number in range(len(pieces)))
    # Server-side includes look for something to replace, so the length is not known beforehand.
    kind = "default_type text/event-stream; ssi on; ssi_types text/event-stream;" if events else ""
    return start_nginx(0, f'server {{ listen 127.0.0.1:@PORT@ reuseport; location / {{ {kind} {variables} return 200 "{whole}"; }} }}')


def start_proxy(upstream: int, buffering: str = "on") -> Program:
    return start_nginx(
        1,
        f"upstream stub {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 1h; }}\n"
        "server { listen 127.0.0.1:@PORT@; location / { proxy_pass http://stub; proxy_http_version 1.1;"
        f' proxy_set_header Connection ""; proxy_buffering {buffering}; }} }}',
    )


def start_gateway(rollcall: str, upstream: str, *options: str, core: int = 1) -> Program:
    """`core`: 0 where something else is under test, which the gateway answers."""
    def command(folder: str, port: int) -> list[str]:
        return [
            rollcall, "gateway", "--port", str(port), "--store", f"sqlite:{folder}/traces.sqlite", "--upstream", upstream,
            "--log-level", "warning", *options,
        ]  # fmt: skip

    program = Program(core, command, ROLLCALL_API_KEYS=KEY)
    program.wait_until(program.accepts)
    return program
