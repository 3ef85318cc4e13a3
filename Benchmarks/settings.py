# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""What every measurement can be told, and how it is repeated."""

import argparse
import os
import signal
import statistics
import sys
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    rollcall: str
    repetitions: int
    seconds: int
    quick: bool


def read_settings(description: str) -> Settings:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rollcall", help="path of the program")
    parser.add_argument("--quick", action="store_true", help="fewer cases, twice two seconds of each, and no other gateways")
    parser.add_argument("--repetitions", type=int, help="of each case, whose median counts (3)")
    parser.add_argument("--seconds", type=int, help="of each repetition (4)")
    arguments = parser.parse_args()
    # Python would end on a SIGTERM without the `with`s that stop what has been started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return Settings(
        rollcall=os.path.abspath(arguments.rollcall),
        repetitions=arguments.repetitions or (2 if arguments.quick else 3),
        seconds=arguments.seconds or (2 if arguments.quick else 4),
        quick=arguments.quick,
    )


def medians(
    settings: Settings, cases: Iterable[Hashable], measure: Callable[[Hashable, int], tuple[float, ...]]
) -> dict[Hashable, list[float]]:
    """Measures every case, then every case again, so that a busy minute of the machine meets all alike."""
    cases = list(cases)
    samples: dict[Hashable, list[tuple[float, ...]]] = {case: [] for case in cases}
    for repetition in range(settings.repetitions):
        for case in cases:
            samples[case].append(measure(case, repetition))
    return {case: [statistics.median(column) for column in zip(*rows)] for case, rows in samples.items()}


def table(header: str, rows: Iterable[Iterable[str]]) -> str:
    columns = header.count("|") + 1
    return "\n".join([f"| {header} |", "|" + "---|" * columns, *(f"| {' | '.join(row)} |" for row in rows)])
