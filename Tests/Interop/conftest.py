# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Gateways, environments and models for the whole run, and the client's side of a rollout.

They start before the test files are read, because the Python client takes its gateway from `EP_MODEL_BASE_URL` when a
processor is made, which `@evaluation_test` does on import.
"""

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from processes import BIN, OFFLINE, ROOT, Gateway, Process, PythonEnvironment, SwiftEnvironment, clean_environment
from scripted_model import ScriptedModel

KEYS = ("key-of-the-client", "key-of-the-remote-model")
stack = SimpleNamespace()


def pytest_configure(config):
    if config.option.collectonly or config.option.help:
        return
    for key in [key for key in os.environ if key.startswith(("EP_", "FW_", "FIREWORKS_", "GATEWAY_URL"))]:
        del os.environ[key]
    os.environ.update(OFFLINE)
    stack.model = ScriptedModel()
    stack.gateway = Gateway(stack.model.url)
    stack.keyed_gateway = Gateway(stack.model.url, ROLLCALL_API_KEYS=",".join(KEYS), ROLLCALL_UPSTREAM_KEY="upstream-key")
    with ThreadPoolExecutor() as pool:
        python = pool.submit(PythonEnvironment, stack.gateway.url)
        keyed_python = pool.submit(PythonEnvironment, stack.keyed_gateway.url, FIREWORKS_API_KEY=KEYS[0])
        hello = pool.submit(SwiftEnvironment, "HelloEnvironment")
        stack.python, stack.keyed_python, stack.hello = python.result(), keyed_python.result(), hello.result()
    os.environ["EP_MODEL_BASE_URL"] = stack.gateway.url
    os.environ["FW_TRACING_GATEWAY_BASE_URL"] = stack.gateway.url
    os.environ["INTEROP_HELLO"] = stack.hello.url
    os.environ["INTEROP_PYTHON"] = stack.python.url


def pytest_unconfigure(config):
    for name in ("hello", "python", "keyed_python", "real_gateway", "real_model", "gateway", "keyed_gateway"):
        process = getattr(stack, name, None)
        if process is not None:
            process.stop()


def pytest_terminal_summary(terminalreporter, exitstatus):
    if exitstatus:
        for name in ("gateway", "keyed_gateway", "hello", "python", "keyed_python"):
            process = getattr(stack, name, None)
            if process is not None:
                terminalreporter.section(f"output of {name}")
                terminalreporter.write(process.text()[-4000:])


@pytest.fixture(scope="session")
def model() -> ScriptedModel:
    return stack.model


@pytest.fixture(scope="session")
def gateway() -> Gateway:
    return stack.gateway


@pytest.fixture(scope="session")
def keyed_gateway() -> Gateway:
    return stack.keyed_gateway


@pytest.fixture(params=["HelloEnvironment", "Python"])
def environment(request) -> Process:
    """Each kind of environment in turn."""
    return stack.hello if request.param == "HelloEnvironment" else stack.python


@pytest.fixture(params=["HelloEnvironment", "Python"])
def keyed_environment(request) -> Process:
    return stack.hello if request.param == "HelloEnvironment" else stack.keyed_python


@pytest.fixture(scope="session")
def hello() -> Process:
    return stack.hello


@pytest.fixture(scope="session")
def python() -> Process:
    return stack.python


@pytest.fixture(scope="session")
def real_gateway() -> Gateway:
    """A gateway in front of the small real model."""
    if not hasattr(stack, "real_gateway"):
        path = subprocess.check_output([ROOT / "scripts/fetch_model.sh"], text=True, stdin=subprocess.DEVNULL).strip()
        stack.real_model = Process("model", sys.executable, ROOT / "scripts/model_server.py", path)
        stack.real_gateway = Gateway(stack.real_model.line(r"listening on (http://\S+)")[1])
    return stack.real_gateway


@pytest.fixture
def rollout(monkeypatch):
    """Runs rows through the package's RemoteRolloutProcessor, with the package's own retries.

    `rollout(environment, gateway, ROWS, parameters...)`; a row is a text, a list of messages, or an EvaluationRow.
    """
    from eval_protocol.human_id import generate_id
    from eval_protocol.models import EvaluationRow
    from eval_protocol.pytest import RemoteRolloutProcessor
    from eval_protocol.pytest.evaluation_test_utils import rollout_processor_with_retry
    from eval_protocol.pytest.types import RolloutProcessorConfig

    def prepared(row, index: int, ids: dict) -> EvaluationRow:
        if isinstance(row, str):
            row = [{"role": "user", "content": row}]
        if isinstance(row, list):
            row = EvaluationRow(messages=row)
        row.input_metadata.row_id = row.input_metadata.row_id or f"row-{index}"
        for name, value in ids.items():
            setattr(row.execution_metadata, name, value)
        row.execution_metadata.rollout_id = generate_id()
        return row

    async def run(processor, rows, parameters) -> list[EvaluationRow]:
        ids = {name: generate_id() for name in ("invocation_id", "experiment_id", "run_id")}
        rows = [prepared(row, index, ids) for index, row in enumerate(rows)]
        order = {row.execution_metadata.rollout_id: index for index, row in enumerate(rows)}
        config = RolloutProcessorConfig(
            completion_params=parameters, mcp_config_path="", semaphore=asyncio.Semaphore(96)
        )
        try:
            results = [row async for row in rollout_processor_with_retry(processor, rows, config, disable_tqdm=True)]
        finally:
            await processor.acleanup()
        return sorted(results, key=lambda row: order[row.execution_metadata.rollout_id])

    def start(environment, gateway, rows, *, include_payloads=False, timeout=30.0, **parameters):
        monkeypatch.setenv("EP_MODEL_BASE_URL", gateway.url)
        monkeypatch.setenv("FW_TRACING_GATEWAY_BASE_URL", gateway.url)
        processor = RemoteRolloutProcessor(
            remote_base_url=environment.url,
            poll_interval=0.05,
            timeout_seconds=timeout,
            include_payloads=include_payloads,
        )
        return asyncio.run(run(processor, rows, {"model": "echo"} | parameters))

    return start


@pytest.fixture
def rollcall():
    """Runs `rollcall rollout` and gives back its rows (`--json`), its exit status and what it told the user."""
    from eval_protocol.models import EvaluationRow

    def run(environment, gateway, *arguments: str, **variables: str) -> SimpleNamespace:
        command = [BIN / "rollcall", "rollout", "--environment", environment.url, "--gateway", gateway.url, "--json"]
        done = subprocess.run(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            env=clean_environment(**variables),
        )
        rows = [EvaluationRow.model_validate_json(line) for line in done.stdout.splitlines()]
        return SimpleNamespace(rows=rows, code=done.returncode, told=done.stderr, printed=done.stdout)

    return run
