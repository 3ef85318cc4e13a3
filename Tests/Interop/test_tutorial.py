# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""The tutorial of an author's first hour stays true: its files compile, its service file and its program know the same
settings, and with `ROLLCALL_SOAK=1` the whole hour is walked, command by command, in a folder of its own."""

import configparser
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from processes import BIN, HERE, ROOT, clean_environment
from test_readme import own_network
from tutorial import CATALOG, RESOURCES, script, steps


def compiler(*arguments: str | Path) -> None:
    """swiftc on the modules of the ordinary build, as scripts/docs.sh sees them."""
    target = json.loads(subprocess.check_output(["swiftc", "-print-target-info"], text=True))
    plugins = Path(target["paths"]["runtimeResourcePath"]).parent / "swift/host/plugins/testing"
    includes = [BIN / "Modules", ROOT / "Sources/CZlib", ROOT / "Sources/CZstd", *ROOT.glob(".build/checkouts/*/Sources/*/include")]
    maps = [f"-fmodule-map-file={path}" for path in BIN.glob("*.build/module.modulemap")]
    command = ["swiftc", "-swift-version", "6", "-wmo", "-plugin-path", plugins, *(part for path in includes for part in ("-I", path))]
    command += [part for one in maps for part in ("-Xcc", one)]
    done = subprocess.run([str(part) for part in [*command, *arguments]], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert "warning:" not in done.stderr, done.stderr


def test_every_file_is_a_step_and_compiles_at_its_step(tmp_path):
    sources = {step.source for step in steps()}
    pictures = set(re.findall(r'@Image\(source: "([^"]+)"', (CATALOG / "Tutorials/FirstHour.tutorial").read_text()))
    assert {path for path in RESOURCES.iterdir() if path.name not in pictures} == sources
    package, modules = tmp_path / "Librarian", tmp_path / "modules"
    modules.mkdir()
    (tmp_path / "rollcall").symlink_to(ROOT)
    for step in steps():
        if step.is_command:
            subprocess.run(["bash", "-n", step.source], check=True)
            continue
        file = step.write(package)
        if step.name == "Package.swift":
            described = subprocess.check_output(["swift", "package", "--package-path", package, "dump-package"], text=True)
            assert json.loads(described)["name"] == "Librarian"
        elif step.name.startswith("Sources/Librarian/"):
            files = sorted(file.parent.glob("*.swift"))
            compiler("-typecheck", "-module-name", "Librarian", *files)
            compiler("-emit-module", "-module-name", "Librarian", "-o", modules / "Librarian.swiftmodule", *files)
        elif file.suffix == ".swift":
            compiler("-typecheck", "-module-name", file.parent.name, "-I", modules, file)


def test_the_service_has_the_settings_that_the_program_reads():
    program = (RESOURCES / "deploying-1-main.swift").read_text()
    settings = dict(line.split("=", 1) for line in (RESOURCES / "deploying-6-librarian.env").read_text().splitlines())
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str
    unit.read(RESOURCES / "deploying-5-librarian.service")
    service = unit["Service"]
    assert set(unit.sections()) == {"Unit", "Service", "Install"}
    name, _, journal = service["Environment"].partition("=")
    assert set(re.findall(r'settings\["(\w+)"\]', program)) == {*settings, name}
    # The journal lies where systemd makes a folder for it, and the grace fits into the time to stop.
    assert journal == f"%S/{service['StateDirectory']}/journal"
    assert int(service["TimeoutStopSec"]) > 30 + 5


# Runs as `python -c`: brings the loopback interface up, serves a model that looks books up, then the script.
HARNESS = """
import fcntl, json, socket, struct, subprocess, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
try:
    fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 1 | 64))
except OSError:
    pass

class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        last = body["messages"][-1]
        if "Take your time" in last["content"]: time.sleep(3)
        message = {"role": "assistant", "content": "Michael Ende." if last["role"] == "user" else "It is here: " + last["content"]}
        if body.get("tools") and last["role"] == "user":
            call = {"name": body["tools"][0]["function"]["name"], "arguments": json.dumps({"title": "Momo"})}
            message = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": call}]}
        answer = {"id": "m", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}]}
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

server = ThreadingHTTPServer(("127.0.0.1", 8000), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.exit(subprocess.run(["bash", sys.argv[1]], stdin=subprocess.DEVNULL).returncode)
"""


@pytest.mark.skipif(os.environ.get("ROLLCALL_SOAK") != "1", reason="builds a package of its own, which takes minutes")
def test_the_whole_hour(tmp_path):
    (tmp_path / "rollcall").symlink_to(ROOT)
    lines = tmp_path / "hour.sh"
    lines.write_text(script())
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    child = subprocess.Popen(
        [*own_network(), sys.executable, "-c", HARNESS, lines],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment(PATH=path),
        start_new_session=True,
    )
    try:
        text, _ = child.communicate(timeout=1800)
        assert child.returncode == 0, text
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    parts = dict(part.split("\n", 1) for part in text.split("### ")[1:])
    assert '"status":"healthy"' in parts["hello-7-environment"], text
    assert "FINISHED" in parts["hello-8-rollout"] and "Michael Ende." in parts["hello-8-rollout"], text
    assert "answered with 13 characters" in parts["hello-9-record"], text
    assert "It is here: Momo stands on shelf C3." in parts["tools-4-rollout"] and '"reward": 1' in parts["tools-4-rollout"], text
    assert re.search(r"Test run with 4 tests .*passed", parts["testing-4-test"]), text
    assert "FINISHED" in parts["deploying-3-rollout"] and "refused, as it should be" in parts["deploying-3-rollout"], text
    assert "FINISHED" in parts["deploying-4-kill"] and "C3" in parts["deploying-4-kill"], text
    assert "rollcall_environment" in parts["deploying-7-health"], text
