# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""An agent that ends as `completion_params` say, after some model calls; it needs nothing but the standard library.

    calls: N         model calls before the end (1)
    closing: STATUS  tells that status by its last line; `extras` go with it
    exit: CODE       exits with that code
    signal: N        ends itself by that signal
    memory: MB       wants that much memory
    error: TEXT      raises an error
    hang: true       never ends
    once: true       does so the first time only, and then finishes
"""

import json
import os
import sys
import time
import urllib.request
from pathlib import Path

request = json.load(sys.stdin)
parameters = request["completion_params"]
messages = [{"role": one["role"], "content": one["content"]} for one in request["messages"]]


def ask() -> None:
    url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    body = json.dumps({"model": os.environ["ROLLCALL_MODEL"], "messages": messages}).encode()
    answer = json.load(urllib.request.urlopen(urllib.request.Request(url, body, headers)))
    messages.append({"role": "assistant", "content": answer["choices"][0]["message"]["content"]})


def end() -> None:
    if "closing" in parameters:
        print(json.dumps({"status": parameters["closing"], "extras": parameters.get("extras", {})}))
    if "exit" in parameters:
        sys.exit(parameters["exit"])
    if "signal" in parameters:
        os.kill(os.getpid(), parameters["signal"])
    if "memory" in parameters:
        bytearray(parameters["memory"] << 20)
    if "error" in parameters:
        raise ValueError(parameters["error"])
    while parameters.get("hang"):
        time.sleep(60)


for turn in range(parameters.get("calls", 1)):
    if turn:
        messages.append({"role": "user", "content": f"turn {turn + 1}"})
    ask()
# The working directory is the test's own, and outlives the attempt.
seen = Path(f"seen-{os.environ['EP_ROLLOUT_ID']}")
if not (parameters.get("once") and seen.exists()):
    seen.write_text(str(os.getpid()))
    print("at its end", flush=True)
    end()
