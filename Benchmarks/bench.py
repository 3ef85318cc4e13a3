# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""All measurements, each of which can be run alone, too.

Load generator and answering server have core 0, the program under test has core 1. Repetitions of all programs are
interleaved and their medians taken; ratios are within this run, so they hold where absolute figures do not.
"""

import os
import platform
import sys
import time
from datetime import date
from pathlib import Path

import calls
import events
import first_event
import logs
import polls
import processes
import stored_bytes
import streams
import where
from settings import read_settings

MEASUREMENTS = {
    "Model calls": calls,
    "Where the time of model calls goes": where,
    "Streamed events": streams,
    "Time to the first streamed event": first_event,
    "Status polls": polls,
    "Log lines": logs,
    "Until all who wait have learned a status": events,
    "Rollouts that are processes": processes,
    "Stored bytes of growing conversations": stored_bytes,
}


def machine() -> str:
    names = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, {memory} GiB, {platform.platform()}, {date.today()}"


def main() -> None:
    settings = read_settings(__doc__)
    begin = time.monotonic()
    print(f"Machine: {machine()}.")
    print(f"Medians of {settings.repetitions} interleaved repetitions of {settings.seconds} s.", flush=True)
    for title, measurement in MEASUREMENTS.items():
        print(f"measuring: {title}", file=sys.stderr)
        print(f"\n### {title}\n\n{measurement.report(settings)}", flush=True)
    print(f"measured for {time.monotonic() - begin:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
