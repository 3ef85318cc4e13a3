# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Two other gateways for OpenAI's API, which record nothing: LiteLLM's proxy, in Python, and vLLM's router, in Rust.

`scripts/bench.sh` installs them in `.cache`; one that is not there is left out.
"""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

from programs import HERE, KEY, Program, free_port

CACHE = HERE.parent / ".cache"


def executable(name: str) -> Path | None:
    path = CACHE / f"venv-{name}/bin/{name}"
    if path.exists():
        return path
    print(f"{name} is not installed, and left out", file=sys.stderr)
    return None


def answers(program: Program) -> bool:
    """Whether it forwards calls; both listen before they do."""
    body = json.dumps({"model": "bench", "messages": [{"role": "user", "content": "Are you there?"}]}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    request = urllib.request.Request(f"http://127.0.0.1:{program.port}/v1/chat/completions", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def start_litellm(upstream: int) -> Program | None:
    """One worker, which checks the key; no database, and nothing fetched from outside."""
    path = executable("litellm")
    if not path:
        return None

    def command(folder: str, port: int) -> list[str]:
        model = {"model": "openai/bench", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "none"}
        configuration = {
            "model_list": [{"model_name": "bench", "litellm_params": model}],
            "general_settings": {"master_key": KEY},
        }
        Path(folder, "config.yaml").write_text(json.dumps(configuration))
        return [str(path), "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]

    program = Program(1, command, LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_TELEMETRY="False", LITELLM_LOG="ERROR")
    program.wait_until(lambda: answers(program))
    return program


def start_vllm_router(upstream: int, *options: str) -> Program | None:
    """One upstream; it checks no keys of its clients. Without options it is as it comes, which chooses upstreams by what
    their caches may hold and so looks at each request's text."""
    path = executable("vllm-router")
    if not path:
        return None

    def command(_: str, port: int) -> list[str]:
        return [
            str(path), "--worker-urls", f"http://127.0.0.1:{upstream}", "--host", "127.0.0.1", "--port", str(port),
            "--prometheus-port", str(free_port()), "--log-level", "error", *options,
        ]  # fmt: skip

    program = Program(1, command)
    program.wait_until(lambda: answers(program))
    return program


def start_vllm_router_in_turns(upstream: int) -> Program | None:
    """It takes upstreams in turns, and looks at no text."""
    return start_vllm_router(upstream, "--policy", "round_robin")
