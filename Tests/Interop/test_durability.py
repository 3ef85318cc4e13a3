# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""A gateway that is killed under load and started again has everything that it acknowledged."""

import json
import signal
import threading
import urllib.error
import urllib.parse
import urllib.request

from processes import Gateway

CLIENTS = 16
ENOUGH = 300


def post(url: str, body: dict) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).read()


def get(url: str) -> dict:
    return json.load(urllib.request.urlopen(url, timeout=30))


def test_what_was_acknowledged_survives_sigkill(model, tmp_path):
    store = f"sqlite:{tmp_path}/traces.sqlite"
    first = Gateway(model.url, "--store", store)
    acknowledged: dict[int, list[str]] = {client: [] for client in range(CLIENTS)}
    stop = threading.Event()
    enough = threading.Event()

    def work(client: int) -> None:
        ids = f"rollout_id/kill-{client}/invocation_id/i/experiment_id/e/run_id/r/row_id/{client}"
        number = 0
        try:
            while not stop.is_set():
                number += 1
                marker = f"mark-{client}-{number}"
                if number % 2:
                    messages = [{"role": "user", "content": marker}]
                    post(f"{first.url}/{ids}/chat/completions", {"model": "echo", "messages": messages})
                else:
                    tags = [f"rollout_id:kill-{client}"]
                    post(f"{first.url}/logs", {"program": "eval_protocol", "message": marker, "tags": tags, "extras": {}})
                acknowledged[client].append(marker)
                if sum(map(len, acknowledged.values())) >= ENOUGH:
                    enough.set()
        except (urllib.error.URLError, OSError):
            return

    threads = [threading.Thread(target=work, args=(client,)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        assert enough.wait(60), "the load never got going"
        first.child.send_signal(signal.SIGKILL)
        first.child.wait()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        first.stop()

    second = Gateway(model.url, "--store", store)
    try:
        for client, markers in acknowledged.items():
            tag = urllib.parse.quote(f"rollout_id:kill-{client}")
            traces = get(f"{second.url}/v1/traces?tags={tag}&limit=100000")["traces"]
            logs = get(f"{second.url}/v1/logs?tags={tag}&limit=100000")["entries"]
            kept = {trace["input"]["messages"][0]["content"] for trace in traces} | {log["message"] for log in logs}
            assert set(markers) <= kept, f"lost: {sorted(set(markers) - kept)[:5]}"
    finally:
        second.stop()
