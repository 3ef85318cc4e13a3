# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Where the gateway's time goes at 64 connections: by thread and by whose code it is, and how often memory is asked for.

Needs Linux' `perf` and the right to watch the kernel and other processes; without them it says so.
"""

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from calls import NOT_RECORDING, RECORDING, variables
from programs import Program, start_gateway, start_stub
from settings import Settings, read_settings, table
from wrk import load

CONNECTIONS = 64
MALLOC = "probe_rollcall:malloc"
PLACES = ["kernel", "SQLite", "rollcall and what it links", "Swift's runtime", "C library", "other"]
LIBRARIES = {"libsqlite3": "SQLite", "libc.so": "C library"}


def perf(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["perf", *arguments], capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)


def during_load(program: Program, seconds: int, label: str, watch: list[str], name: str) -> tuple[int, str]:
    """Runs perf on the program while calls come; how many came, and what perf said."""
    watching = subprocess.Popen(
        ["perf", *watch, "--pid", str(program.child.pid)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        result = load("calls.lua", program.port, CONNECTIONS, seconds, **variables(name, label))
    finally:
        watching.send_signal(2)
        said, _ = watching.communicate(timeout=60)
    return result.requests, said


def place(function: str, library: str, rollcall: str) -> str:
    if library.startswith("[kernel") or library.startswith("[vdso"):
        return "kernel"
    if library == rollcall:
        # The runtime is linked in.
        return "Swift's runtime" if re.match(r"_?swift(_|::)", function) else "rollcall and what it links"
    return next((place for start, place in LIBRARIES.items() if library.startswith(start)), "other")


def thread(name: str) -> str:
    """The event loops have names; the writer has that of the queue which it runs for SQLite."""
    if name.startswith("NIO"):
        return "event loops"
    return "checkpoints" if "overcommit" in name else "writer" if "qos" in name or name.startswith("rollcall") else "other"


def profile(program: Program, settings: Settings, name: str) -> list[list[str]]:
    data = Path(program.folder, "perf.data")
    during_load(program, settings.seconds, "p", ["record", "--quiet", "--freq", "1999", "--output", str(data)], name)
    listed = perf("script", "--input", str(data), "--fields", "comm,ip,sym,dso").stdout
    samples: Counter[tuple[str, str]] = Counter()
    for line in listed.splitlines():
        if found := re.match(r"\s*(\S.*?)\s+[0-9a-f]+ (.*) \((.*)\)$", line):
            samples[thread(found[1]), place(found[2], Path(found[3]).name, Path(settings.rollcall).name)] += 1
    total = max(1, samples.total())
    threads = sorted({thread for thread, _ in samples}, key=lambda each: -sum(samples[each, place] for place in PLACES))
    return [
        [name, each, *(f"{100 * samples[each, place] / total:.1f}" for place in PLACES),
         f"{100 * sum(samples[each, place] for place in PLACES) / total:.0f}"]
        for each in threads
        if sum(samples[each, place] for place in PLACES) > total / 200
    ]  # fmt: skip


def allocations(program: Program, settings: Settings, name: str) -> str:
    calls, said = during_load(program, settings.seconds, "m", ["stat", "--field-separator", ",", "--event", MALLOC], name)
    found = re.search(rf"^(\d+),,{MALLOC}", said, re.MULTILINE)
    return f"{int(found[1]) / calls:.0f}" if found else "–"


def report(settings: Settings) -> str:
    library = re.search(r"libc\.so\.6.* => (\S+)", subprocess.run(["ldconfig", "-p"], capture_output=True, text=True).stdout)
    if not shutil.which("perf") or not library or perf("stat", "--event", "cpu-clock:k", "true").returncode:
        return "Not measured: there is no perf here that may watch the kernel."
    probed = perf("probe", "--exec", library[1], "--add", f"{MALLOC}=malloc").returncode == 0
    try:
        rows, counts = [], []
        with start_stub() as stub:
            for name in (RECORDING, NOT_RECORDING):
                with start_gateway(settings.rollcall, f"http://127.0.0.1:{stub.port}/v1") as program:
                    load("calls.lua", program.port, CONNECTIONS, 1, **variables(name, "w"))
                    rows += profile(program, settings, name)
                    counts.append([name, allocations(program, settings, name) if probed else "–"])
                    print(f"{name:>24}: profiled", file=sys.stderr)
        return "\n\n".join(
            [
                "Per cent of the gateway's CPU time.",
                table(f"program | thread | {' | '.join(PLACES)} | all", rows),
                table("program | mallocs a call", counts),
            ]
        )
    finally:
        if probed:
            perf("probe", "--del", MALLOC)


if __name__ == "__main__":
    print(report(read_settings(__doc__)))
