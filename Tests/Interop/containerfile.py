# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Carries out the last stage of a Containerfile in a folder, where there is no container engine."""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

from processes import ROOT

# In a root folder, the certificates that this machine trusts.
MIRRORS = "/etc/mirrors.crt"


class Containerfile:
    def __init__(self, path: Path):
        text = path.read_text().replace("\\\n", " ")
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        instructions = [line.split(None, 1) for line in lines]
        last = max(index for index, (name, _) in enumerate(instructions) if name == "FROM")
        self.base = instructions[last][1]
        self.steps = instructions[last + 1 :]

    def setting(self, name: str) -> str:
        """What the last instruction of that name says."""
        return [value for one, value in self.steps if one == name][-1]

    @property
    def command(self) -> list[str]:
        return json.loads(self.setting("ENTRYPOINT")) + json.loads(self.setting("CMD"))

    def build(self, root: Path, built: dict[str, Path]) -> None:
        """Runs the steps in a root folder that has the base already; `built` has the results of other stages."""
        for name, value in self.steps:
            if name == "RUN":
                run(root, ["/bin/sh", "-c", value])
            elif name == "COPY":
                *sources, target = [word for word in shlex.split(value) if not word.startswith("--")]
                folder = root / target.lstrip("/")
                folder.mkdir(parents=True, exist_ok=True)
                for source in sources:
                    shutil.copy(built[source] if "--from=" in value else ROOT / source, folder)
            else:
                assert name in ("USER", "WORKDIR", "ENTRYPOINT", "CMD"), f"a step that this does not know: {name}"


def run(root: Path, command: list[str], user: str = "0", folder: str = "/", **options) -> subprocess.CompletedProcess:
    """Runs a command in the root folder with a clean environment, but for what leads to package mirrors."""
    kept = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    fixed = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", "PIP_CERT": MIRRORS}
    variables = kept | fixed | options.pop("env", {})
    enter = ["chroot", f"--userspec={user}:{user}", str(root), "env", f"--chdir={folder}"]
    done = subprocess.run([*enter, *command], env=variables, capture_output=True, text=True, **options)
    if "check" not in options:
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done
