# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""An environment server in Python, with the handler of the eval_protocol package and the openai client.

`completion_params` may hold instructions of its own, which do not go to the model:

    turns: N            that many user turns (1)
    end_with: CODE      ends with that status instead of FINISHED, without having called the model
    end_with_once: CODE the same, on the first attempt only
"""

import argparse
import logging
import os
import socket
import threading
from collections import Counter

import uvicorn
from eval_protocol import FireworksTracingHttpHandler, InitRequest, RolloutIdFilter, Status
from fastapi import FastAPI
from openai import OpenAI

app = FastAPI()
accepted: Counter[str] = Counter()

handler = FireworksTracingHttpHandler()
log = logging.getLogger("environment")
log.setLevel(logging.INFO)
log.addHandler(handler)


@app.get("/accepted")
def accepted_attempts(rollout_id: str) -> int:
    return accepted[rollout_id]


@app.post("/init")
def init(request: InitRequest):
    rollout_id = request.metadata.rollout_id
    accepted[rollout_id] += 1
    attempt = accepted[rollout_id]
    logger = log.getChild(f"{rollout_id}.{attempt}")
    logger.addFilter(RolloutIdFilter(rollout_id))
    logger.info("rollout accepted", extra={"status": Status.rollout_running()})
    threading.Thread(target=run, args=(request, attempt, logger), daemon=True).start()
    return {"status": "accepted"}


def run(request: InitRequest, attempt: int, logger: logging.Logger) -> None:
    parameters = dict(request.completion_params)
    turns = parameters.pop("turns", 1)
    code = parameters.pop("end_with", None)
    once = parameters.pop("end_with_once", None)
    if code is None and attempt == 1:
        code = once
    if code is not None:
        status = {"code": code, "message": f"ended with {code}", "details": []}
        logger.info("rollout ended", extra={"status": status})
        return
    parameters.pop("base_url", None)
    try:
        converse(request, parameters, turns, logger)
        extra = {"status": Status.rollout_finished(), "extras": {"reward": 0.5, "turns": turns}}
        logger.info("rollout finished", extra=extra)
    except Exception as error:
        logger.info("rollout failed", extra={"status": Status.rollout_error(str(error))})


def converse(request: InitRequest, parameters: dict, turns: int, logger: logging.Logger) -> None:
    client = OpenAI(base_url=request.model_base_url, api_key=request.api_key or "none", max_retries=0)
    messages = [message.model_dump(include={"role", "content", "name"}, exclude_none=True) for message in request.messages]
    if request.tools:
        parameters["tools"] = request.tools
    for turn in range(turns):
        if turn > 0:
            messages.append({"role": "user", "content": f"turn {turn + 1}"})
        message = ask(client, messages, parameters)
        messages.append(message)
        for call in message.get("tool_calls", []):
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": "42"})
        if message.get("tool_calls"):
            messages.append(ask(client, messages, parameters))
        logger.info("turn %d done", turn + 1)


def ask(client: OpenAI, messages: list[dict], parameters: dict) -> dict:
    """One model call; the assistant's message as it goes back into the conversation."""
    if not parameters.get("stream"):
        message = client.chat.completions.create(messages=messages, **parameters).choices[0].message
        return message.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True)
    content, calls = "", {}
    for chunk in client.chat.completions.create(messages=messages, **parameters):
        assert chunk.choices, "a chunk without choices that nobody asked for"
        delta = chunk.choices[0].delta
        content += delta.content or ""
        for part in delta.tool_calls or []:
            call = calls.setdefault(part.index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
            call["id"] += part.id or ""
            call["function"]["name"] += part.function.name or ""
            call["function"]["arguments"] += part.function.arguments or ""
    return {"role": "assistant", "content": content} | ({"tool_calls": list(calls.values())} if calls else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", arguments.port), backlog=1024)
    print(f"environment listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
