# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""What the servers say of themselves in `/openapi.json`: valid, and true of whatever schemathesis sends them.

`ROLLCALL_TEST_SEED` repeats a run, and with `ROLLCALL_SOAK=1` it is a long one.
"""

import json
import os
import random
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from conftest import KEYS
from openapi_spec_validator import OpenAPIV31SpecValidator

from processes import HERE, SwiftEnvironment, clean_environment

SEED = os.environ.get("ROLLCALL_TEST_SEED") or str(random.randrange(1 << 32))
SOAK = os.environ.get("ROLLCALL_SOAK") == "1"


@pytest.fixture(scope="module")
def environment(gateway):
    """An environment whose logs go to the test's gateway, wherever a request says that its model is."""
    environment = SwiftEnvironment("HelloEnvironment", FW_TRACING_GATEWAY_BASE_URL=gateway.url)
    yield environment
    environment.stop()


@pytest.fixture(params=["gateway", "keyed_gateway", "environment"])
def server(request):
    return request.getfixturevalue(request.param)


def test_it_is_valid(server):
    with urllib.request.urlopen(f"{server.url}/openapi.json", timeout=10) as answer:
        assert answer.headers["content-type"] == "application/json"
        OpenAPIV31SpecValidator(json.load(answer)).validate()


@pytest.mark.parametrize("name", ["gateway", "keyed_gateway", "environment"])
def test_it_is_true(name, request, gateway, model, tmp_path):
    server = request.getfixturevalue(name)
    examples = (100, 2000) if name == "environment" else (6, 200)
    command = [
        Path(sys.executable).parent / "schemathesis", "run", f"{server.url}/openapi.json", "--checks", "all",
        "--seed", SEED, "--max-examples", str(examples[SOAK]), "--continue-on-failure", "--no-color",
        "--request-timeout", "10", "--generation-database", "none",
    ]  # fmt: skip
    # An event stream does not end: it is left after its first event.
    (tmp_path / "schemathesis.toml").write_text("max-stream-events = 1\n")
    if name == "keyed_gateway":
        command += ["--header", f"Authorization: Bearer {KEYS[0]}"]
    variables = {
        "SCHEMATHESIS_HOOKS": "openapi_hooks",
        "PYTHONPATH": str(HERE),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path),
        "OPENAPI_TEST_GATEWAY": gateway.url,
        "OPENAPI_TEST_UPSTREAM": model.url,
    }
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=3600 if SOAK else 300,
        cwd=tmp_path,
        env=clean_environment(**variables),
    )
    print(f"ROLLCALL_TEST_SEED={SEED}", *done.stdout.splitlines()[-3:], sep="\n")
    assert done.returncode == 0, f"ROLLCALL_TEST_SEED={SEED}\n{done.stdout}\n{done.stderr}"
