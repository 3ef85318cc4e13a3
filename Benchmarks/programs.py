# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""The programs of a measurement: an nginx that answers, an nginx that forwards, the gateway, the load generator."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
TICK = os.sysconf("SC_CLK_TCK")
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
    """A child process with a folder of its own."""

    def __init__(self, core: int, command: list[str], folder: str):
        self.folder = folder
        with open(f"{folder}/output.log", "wb") as output:
            self.child = subprocess.Popen(
                on_core(core, command), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def wait_until(self, condition):
        deadline = time.monotonic() + 20
        while not (result := condition()):
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("did not start:\n" + Path(f"{self.folder}/output.log").read_text())
            time.sleep(0.02)
        return result

    def accepts(self, port: int) -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def start_nginx(core: int, server: str) -> tuple[Program, int]:
    folder, port = tempfile.mkdtemp(prefix="rollcall-bench-"), free_port()
    text = (HERE / "nginx.conf.in").read_text().replace("@SERVER@", server.replace("@PORT@", str(port)))
    Path(folder, "nginx.conf").write_text(text)
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    program = Program(core, [nginx, "-p", folder, "-c", "nginx.conf", "-e", "error.log"], folder)
    program.wait_until(lambda: program.accepts(port))
    return program, port


def start_stub() -> tuple[Program, int]:
    answer = ANSWER.replace("'", "\\'")
    return start_nginx(0, f"server {{ listen 127.0.0.1:@PORT@ reuseport; location / {{ return 200 '{answer}'; }} }}")


def start_proxy(upstream: int) -> tuple[Program, int]:
    return start_nginx(
        1,
        f"upstream stub {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}\n"
        "server { listen 127.0.0.1:@PORT@; location / { proxy_pass http://stub; proxy_http_version 1.1;"
        ' proxy_set_header Connection ""; } }',
    )


def start_gateway(rollcall: str, upstream: str, core: int = 1) -> tuple[Program, int]:
    folder = tempfile.mkdtemp(prefix="rollcall-bench-")
    command = [rollcall, "gateway", "--port", "0", "--store", f"sqlite:{folder}/traces.sqlite", "--upstream", upstream]
    program = Program(core, [*command, "--log-level", "warning"], folder)
    output = Path(folder, "output.log")
    found = program.wait_until(lambda: re.search(r"https?://[^\s\"/]+:(\d+)", output.read_text()))
    return program, int(found[1])


def load(port: int, connections: int, seconds: float, prefix: str) -> dict:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(HERE / "request.lua"), f"http://127.0.0.1:{port}"]
    environment = os.environ | {"BENCH_PREFIX": prefix}
    done = subprocess.run(on_core(0, command), capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise SystemExit(f"wrk failed: {done.stdout}{done.stderr}")
    return json.loads(line.removeprefix("RESULT "))
