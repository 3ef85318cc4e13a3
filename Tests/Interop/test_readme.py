# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""The lines that the README gives to somebody with a Python environment, run as they stand there.

They use the ordinary ports, so they run in a network of their own where the kernel lets us make one.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from processes import BIN, HERE, ROOT, clean_environment

HEADING = "## You have an environment already"

# Runs as `python -c`: brings the loopback interface up, serves the scripted model, then the lines.
HARNESS = """
import fcntl, os, socket, struct, subprocess, sys
sys.path.insert(0, sys.argv[1])
from scripted_model import ScriptedModel
try:
    name = struct.pack("16sh", b"lo", 1 | 64)
    fcntl.ioctl(socket.socket(), 0x8914, name)
except OSError:
    pass
model = ScriptedModel(port=8000)
code = subprocess.run(["bash", "-e", sys.argv[2]], stdin=subprocess.DEVNULL).returncode
assert model.requests, "the model was never called"
sys.exit(code)
"""


def readme_lines() -> str:
    section = (ROOT / "README.md").read_text().split(HEADING, 1)[1].split("\n## ", 1)[0]
    return re.search(r"```bash\n(.*?)```", section, re.DOTALL)[1]


def own_network() -> list[str]:
    command = ["unshare", "--net", "--"]
    if shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True).returncode == 0:
        return command
    return []


def test_the_lines_for_an_environment_in_python(tmp_path):
    lines = readme_lines()
    assert "EP_MODEL_BASE_URL" in lines and "FW_TRACING_GATEWAY_BASE_URL" in lines
    for name in ("server.py", "test_agent.py"):
        shutil.copy(HERE / "guide" / name, tmp_path)
    script = tmp_path / "lines.sh"
    script.write_text(lines)
    path = os.pathsep.join([str(BIN), str(Path(sys.executable).parent), os.environ["PATH"]])
    child = subprocess.Popen(
        [*own_network(), sys.executable, "-c", HARNESS, HERE, script],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment(PATH=path),
        start_new_session=True,
    )
    output = []
    try:
        for line in child.stdout:
            output.append(line)
            if re.search(r"=+ .*\b(passed|failed|error)", line):
                break
        text = "".join(output)
        assert re.search(r"\b1 passed", output[-1] if output else ""), text
    finally:
        os.killpg(child.pid, signal.SIGTERM)
        child.stdout.close()
        child.wait(timeout=10)
