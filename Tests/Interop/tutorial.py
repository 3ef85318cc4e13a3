# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Reads the tutorial of an author's first hour: its steps are files to write and commands to run, in order."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from processes import ROOT

CATALOG = ROOT / "Sources/RolloutEnvironment/RolloutEnvironment.docc"
RESOURCES = CATALOG / "Resources"


@dataclass(frozen=True)
class Step:
    tutorial: str
    # Where the file goes in the author's package; `Terminal` for commands.
    name: str
    source: Path

    @property
    def is_command(self) -> bool:
        return self.name == "Terminal"

    def write(self, package: Path) -> Path:
        target = package / self.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.source, target)
        return target


def tutorials() -> list[str]:
    return re.findall(r'@TutorialReference\(tutorial: "doc:(\w+)"\)', (CATALOG / "Tutorials/FirstHour.tutorial").read_text())


def steps() -> list[Step]:
    found = []
    for tutorial in tutorials():
        text = (CATALOG / f"Tutorials/{tutorial}.tutorial").read_text()
        codes = re.findall(r'@Code\(name: "([^"]+)", file: "([^"]+)"', text)
        assert len(codes) == text.count("@Step {"), f"{tutorial}: a step without code that a test could run"
        found += [Step(tutorial, name, RESOURCES / file) for name, file in codes]
    return found


def script() -> str:
    """The whole hour as a script, for a folder that has `rollcall` in it."""
    lines = ["set -e", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for step in steps():
        if step.is_command:
            lines.append(f"echo '### {step.source.stem}'\n{step.source.read_text()}\necho")
        else:
            lines.append(f"mkdir -p \"$(dirname '{step.name}')\" && cp '{step.source}' '{step.name}'")
    return "\n".join(lines) + "\n"
