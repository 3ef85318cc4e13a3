# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""An agent as a user of the Python package writes one: it logs, and reports its status, through the package's handler.

It runs as a process of `rollcall environment`, and in a server of the Python package, which imports it.
"""

import json
import logging
import sys

from eval_protocol import FireworksTracingHttpHandler, RolloutIdFilter, Status
from openai import OpenAI


def run(request: dict) -> None:
    logger = logging.getLogger(f"agent.{request['metadata']['rollout_id']}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(FireworksTracingHttpHandler())
    logger.addFilter(RolloutIdFilter(request["metadata"]["rollout_id"]))
    parameters = {key: value for key, value in request["completion_params"].items() if key not in ("base_url", "fail")}
    try:
        client = OpenAI(base_url=request["model_base_url"], api_key=request.get("api_key") or "none", max_retries=0)
        messages = [{"role": one["role"], "content": one["content"]} for one in request["messages"]]
        for turn in range(3):
            said = client.chat.completions.create(messages=messages, **parameters).choices[0].message
            messages += [{"role": "assistant", "content": said.content}, {"role": "user", "content": f"turn {turn}"}]
            logger.info("turn %d: %s", turn, said.content)
        if request["completion_params"].get("fail"):
            raise ValueError("told to fail")
        extra = {"status": Status.rollout_finished(), "extras": {"reward": 0.75, "turns": 3}}
        logger.info("three turns done", extra=extra)
    except Exception as error:
        logger.error("the agent failed: %s", error, extra={"status": Status.rollout_error(str(error))})


if __name__ == "__main__":
    run(json.load(sys.stdin))
