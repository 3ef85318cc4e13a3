# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Starts the processes that the tests talk to, and stops them."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BIN = Path(os.environ["ROLLCALL_BIN"])


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment without what would steer a part of Rollcall or of the Python package."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not re.match(r"ROLLCALL_|EP_|FW_|FIREWORKS_|GATEWAY_URL", key) or key == "ROLLCALL_BIN"
    }
    return kept | OFFLINE | extra


OFFLINE = {
    "EP_NO_UPLOAD": "1",
    "DISABLE_EP_SQLITE_LOG": "1",
    "EP_DISABLE_AUTO_BROWSER": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}


class Process:
    """A child process whose output goes to a file; `line` waits for a line of its standard output."""

    def __init__(self, name: str, *command: str | Path, **environment: str):
        self.name = name
        self.output = tempfile.NamedTemporaryFile(prefix=f"rollcall-{name}-", suffix=".log", delete=False)
        self.child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            env=clean_environment(**environment),
            start_new_session=True,
        )

    def text(self) -> str:
        return Path(self.output.name).read_text(errors="replace")

    def wait_until(self, condition, what: str, seconds: float = 60):
        deadline = time.monotonic() + seconds
        while not (result := condition()):
            if self.child.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.child.returncode} before {what}:\n{self.text()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: no {what} within {seconds} s:\n{self.text()}")
            time.sleep(0.02)
        return result

    def line(self, pattern: str) -> re.Match:
        return self.wait_until(lambda: re.search(pattern, self.text()), f"a line like {pattern!r}")

    def stop(self) -> int:
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(self.child.pid, signal.SIGKILL)
                self.child.wait()
        self.output.close()
        return self.child.returncode


class Gateway(Process):
    """`rollcall gateway` over a store in a temporary folder; `url` is one that the Python client tags."""

    def __init__(self, upstream: str, *options: str, **environment: str):
        self.upstream = upstream
        self.folder = tempfile.TemporaryDirectory(prefix="rollcall-store-")
        store = f"sqlite:{self.folder.name}/traces.sqlite"
        options = options if "--store" in options else ("--store", store, *options)
        command = [BIN / "rollcall", "gateway", "--port", "0", "--upstream", upstream, *options]
        super().__init__("gateway", *command, **environment)
        port = self.line(r"https?://[^\s\"/]+:(\d+)")[1]
        self.url = f"http://localhost:{port}"

    def stop(self) -> int:
        code = super().stop()
        self.folder.cleanup()
        return code


class SwiftEnvironment(Process):
    def __init__(self, product: str, *options: str, **environment: str):
        super().__init__(product, BIN / product, "--host", "localhost", "--port", "0", *options, **environment)
        port = self.line(r"\"url\": *\"https?://[^\"]+:(\d+)\"")[1]
        self.url = f"http://localhost:{port}"


class PythonEnvironment(Process):
    def __init__(self, gateway: str, **environment: str):
        command = [sys.executable, HERE / "python_environment.py"]
        super().__init__("python-environment", *command, FW_TRACING_GATEWAY_BASE_URL=gateway, **environment)
        self.url = self.line(r"listening on (http://\S+)")[1]


class ProcessEnvironment(Process):
    """`rollcall environment` around a Python file, run by the interpreter of these tests."""

    def __init__(self, gateway: str, agent: str | Path, *options: str, port: int = 0):
        variables = [f"{name}={value}" for name, value in OFFLINE.items() if not name.startswith("EP_")]
        command = [BIN / "rollcall", "environment", "--port", str(port), "--gateway-url", gateway]
        command += [option for variable in variables for option in ("--env", variable)]
        super().__init__("process-environment", *command, *options, "--", sys.executable, agent)
        self.port = int(self.line(r"\"url\": *\"https?://[^\"]+:(\d+)\"")[1])
        self.url = f"http://localhost:{self.port}"
