# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""Requests to a gateway with the key, for what a measurement needs before it begins."""

import http.client
import json

from programs import KEY


def post(port: int, path: str, items: list[dict]) -> None:
    """Posts a list in batches of 1,000; each item must be accepted."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for start in range(0, len(items), 1000):
        body = json.dumps(items[start : start + 1000])
        connection.request("POST", path, body, {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200 or not all(result["ok"] for result in json.loads(text)["results"]):
            raise SystemExit(f"{path} was answered {answer.status}: {text[:500].decode()}")
    connection.close()


def metadata(rollout: str, run: str) -> dict:
    return {"invocation_id": "i", "experiment_id": "e", "rollout_id": rollout, "run_id": run, "row_id": "w"}


def status_line(rollout: str, run: str, code: int) -> dict:
    """A log line that sets a rollout's status, as environments send it."""
    return {
        "program": "eval_protocol",
        "message": "Rollout finished" if code == 100 else "Rollout running",
        "tags": [f"{name}:{value}" for name, value in metadata(rollout, run).items()],
        "status": {"code": code, "message": "", "details": []},
    }
