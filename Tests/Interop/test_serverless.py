# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Examples/Serverless: one rollout per container. There is no container engine here, so the image's command runs as it is,
and with `ROLLCALL_SOAK=1` in a Debian that the Containerfile's steps were carried out in."""

import json
import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import yaml

from containerfile import MIRRORS, Containerfile, run
from processes import BIN, ROOT, clean_environment

EXAMPLE = ROOT / "Examples/Serverless"
IMAGE = Containerfile(EXAMPLE / "Containerfile")


def request_for(gateway: str, rollout: str, **parameters) -> str:
    """The example's request, to this gateway."""
    text = (EXAMPLE / "request.json").read_text().replace("https://gateway.example.com", gateway).replace("r1", rollout)
    body = json.loads(text)
    body["completion_params"] = {"model": "tools"} | parameters
    return json.dumps(body)


def code_of(gateway, rollout: str) -> int | None:
    answer = requests.get(f"{gateway.url}/v1/status", params={"rollout_id": rollout}, timeout=10).json()
    return (answer["status"] or {}).get("code")


def here(command: list[str]) -> list[str]:
    """The command of the image with the files of this tree."""
    places = {"rollcall": BIN / "rollcall", "/app/venv/bin/python": sys.executable, "/app/agent.py": ROOT / "Examples/PythonAgent/agent.py"}
    return [str(places.get(word, word)) for word in command]


def start(command: list[str], gateway_url: str, **options) -> subprocess.CompletedProcess:
    variables = clean_environment(FW_TRACING_GATEWAY_BASE_URL=gateway_url)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=variables, **options)


def test_the_image_runs_the_request_on_its_input(gateway):
    done = start(here(IMAGE.command), gateway.url, input=request_for(gateway.url, "serverless-1"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"]["code"] == 100
    assert code_of(gateway, "serverless-1") == 100
    refused = start(here(IMAGE.command), gateway.url, input=request_for(gateway.url, "serverless-2", model="status-400"))
    assert refused.returncode == 13, refused.stderr
    assert code_of(gateway, "serverless-2") == 13


def test_the_job_runs_the_request_from_its_secret(gateway, tmp_path):
    job = yaml.safe_load((EXAMPLE / "job.yaml").read_text())
    pod = job["spec"]["template"]["spec"]
    [container] = pod["containers"]
    [mount] = [one for one in container["volumeMounts"] if one["name"] == "request"]
    # As documented: `kubectl create secret generic rollout-1 --from-file=init.json=request.json`
    file = tmp_path / "init.json"
    file.write_text(request_for(gateway.url, "serverless-3"))
    arguments = [word.replace(f"{mount['mountPath']}/", f"{tmp_path}/") for word in container["args"]]
    entry = json.loads(IMAGE.setting("ENTRYPOINT"))
    done = start(here(entry + arguments), gateway.url)
    assert done.returncode == 0, done.stderr
    assert code_of(gateway, "serverless-3") == 100
    # The one code that is worth the same pod again is the one for which nothing was started.
    away = "http://localhost:1"
    file.write_text(request_for(away, "serverless-4"))
    assert start(here(entry + arguments), away).returncode == 69
    [rule] = job["spec"]["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["operator"], rule["onExitCodes"]["values"]) == ("FailJob", "NotIn", [69])
    assert rule["onExitCodes"]["containerName"] == container["name"]
    assert pod["restartPolicy"] == "Never" and job["spec"]["backoffLimit"] > 0
    assert pod["securityContext"]["runAsUser"] == int(IMAGE.setting("USER"))
    timeout = float(container["args"][container["args"].index("--timeout") + 1])
    assert job["spec"]["activeDeadlineSeconds"] > timeout + pod["terminationGracePeriodSeconds"]
    assert pod["terminationGracePeriodSeconds"] > 30 + 5


def test_the_program_needs_no_swift_where_it_runs():
    assert "swift" not in subprocess.check_output(["ldd", BIN / "rollcall"], text=True)


@pytest.mark.skipif(os.environ.get("ROLLCALL_SOAK") != "1", reason="makes a Debian of its own, which takes minutes")
def test_the_steps_of_the_containerfile_in_a_debian(gateway, tmp_path):
    assert IMAGE.base == "debian:bookworm-slim"
    root = tmp_path / "root"
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", root], check=True, stdout=subprocess.DEVNULL)
    # What leads to the mirrors of this machine.
    for path in ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", *Path("/etc/apt").glob("sources.list*"), *Path("/etc/apt").glob("apt.conf.d/*")):
        target = root / str(path).lstrip("/")
        if Path(path).is_dir():
            subprocess.run(["cp", "--recursive", "--force", path, target.parent], check=True)
        elif Path(path).exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "--force", path, target], check=True)
    shutil.copy(ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt", root / MIRRORS.lstrip("/"))
    IMAGE.build(root, {"/rollcall/.build/release/rollcall": BIN / "rollcall"})
    subprocess.run(["mount", "--types", "proc", "proc", root / "proc"], check=True)
    try:
        done = run(
            root, IMAGE.command, user=IMAGE.setting("USER"), folder=IMAGE.setting("WORKDIR"),
            input=request_for(gateway.url, "serverless-5"), env={"FW_TRACING_GATEWAY_BASE_URL": gateway.url}, timeout=60,
        )
    finally:
        subprocess.run(["umount", root / "proc"], check=True)
    assert json.loads(done.stdout)["status"]["code"] == 100
    assert code_of(gateway, "serverless-5") == 100
    tag = "rollout_id:serverless-5"
    traces = requests.get(f"{gateway.url}/v1/traces", params={"tags": tag}, timeout=10).json()["traces"]
    assert len(traces) == 4
