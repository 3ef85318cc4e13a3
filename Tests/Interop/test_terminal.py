# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""`rollcall gateway` before a person: the line of figures on a terminal, and nothing of it elsewhere."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
import urllib.request

import pytest

from processes import BIN, clean_environment

FIGURES = re.compile(
    r"^\d+ in flight · [\d.]+ calls/s · (\d+) recorded · (\d+) failed · [\d.]+ logs/s · store [\d.]+ k?M?B · "
    r"\d+ pending · healthy$"
)


class Terminal:
    """A terminal of 200 columns that a gateway has as its standard error, and everything that was written to it."""

    def __init__(self, folder, *flags: str, columns: int = 200, **environment: str):
        self.end, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self.child = subprocess.Popen(
            [str(BIN / "rollcall"), "gateway", "--port", "0", "--store", f"sqlite:{folder}/s.sqlite", *flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=inner,
            env=clean_environment(**{"TERM": "xterm"} | environment),
        )
        os.close(inner)
        self.written = b""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.url = json.loads(self.child.stdout.readline())["url"]

    def read(self):
        try:
            while piece := os.read(self.end, 65536):
                self.written += piece
        except OSError:
            pass  # Nobody has the other end any more.

    def log(self, message: str):
        body = json.dumps({"tags": ["rollout_id:r"], "message": message}).encode()
        with urllib.request.urlopen(f"{self.url}/logs", data=body, timeout=10) as answer:
            assert answer.status == 200

    def lines(self) -> tuple[list[str], list[str]]:
        """What stands on the screen at the end, and every line of figures that ever stood below it."""
        screen, shown, line = [], [], ""
        for piece in re.split(r"(\r\n|\r\x1b\[K)", self.written.decode()):
            if piece == "\r\n":
                screen.append(line)
                line = ""
            elif piece == "\r\x1b[K":
                line = ""
            else:
                line += piece
                if " in flight" in line:
                    shown.append(line)
        return [*screen, line], shown

    def wait_until(self, condition, what: str):
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, f"no {what}: {self.written!r}"
            time.sleep(0.02)

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        assert self.child.wait(timeout=20) == 0
        self.reader.join(timeout=20)
        os.close(self.end)


def test_the_line_tells_what_happens_and_leaves_the_log_whole(tmp_path):
    terminal = Terminal(tmp_path, "--log-level", "debug", ROLLCALL_UPSTREAM="http://localhost:1")
    terminal.wait_until(lambda: terminal.lines()[1], "line of figures")
    for number in range(200):
        terminal.log(f"m{number}")
    terminal.wait_until(lambda: "0 logs/s" not in terminal.lines()[1][-1], "rate of log lines")
    terminal.stop()
    screen, shown = terminal.lines()
    assert all(FIGURES.match(line) for line in shown), shown
    # Taken away at the end, and no log line is cut or has anything of it.
    assert screen[-1] == ""
    posts = [line for line in screen if "POST /logs 200" in line]
    assert len(posts) == 200
    assert all(re.match(r"^\d{4}-\S+ DEBUG POST /logs 200 request=req_[0-9a-f]{16}$", line) for line in posts), posts
    assert all(" in flight" not in line for line in screen)


def test_it_is_written_once_a_second_at_most_and_only_when_it_changes(tmp_path):
    terminal = Terminal(tmp_path)
    begun = time.monotonic()
    terminal.wait_until(lambda: terminal.lines()[1], "line of figures")
    for number in range(100):
        terminal.log(f"m{number}")
        time.sleep(0.01)
    terminal.stop()
    seconds = time.monotonic() - begun
    _, shown = terminal.lines()
    assert 1 <= len(shown) <= seconds + 2, shown


def test_it_fits_a_narrow_terminal(tmp_path):
    terminal = Terminal(tmp_path, columns=40)
    terminal.wait_until(lambda: terminal.lines()[1], "line of figures")
    terminal.stop()
    assert all(len(line) < 40 and line.endswith("…") for line in terminal.lines()[1])


@pytest.mark.parametrize("flags, environment", [(["--quiet"], {}), ([], {"ROLLCALL_QUIET": "1"}), ([], {"TERM": "dumb"})])
def test_there_is_none_where_it_is_not_wanted(tmp_path, flags, environment):
    terminal = Terminal(tmp_path, *flags, **environment)
    for number in range(20):
        terminal.log(f"m{number}")
    time.sleep(1.2)
    terminal.stop()
    assert b" in flight" not in terminal.written
    assert b"\x1b" not in terminal.written


def test_there_is_none_in_a_file(tmp_path, gateway):
    assert " in flight" not in gateway.text()
    assert "\x1b" not in gateway.text()
