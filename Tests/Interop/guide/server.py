# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""An environment server as a user of the Python package has it: it knows nothing of Rollcall."""

import logging
import threading

import uvicorn
from eval_protocol import FireworksTracingHttpHandler, InitRequest, RolloutIdFilter, Status
from fastapi import FastAPI
from openai import OpenAI

logging.basicConfig(level=logging.INFO)
logging.getLogger().addHandler(FireworksTracingHttpHandler())
app = FastAPI()


@app.post("/init")
def init(request: InitRequest):
    logger = logging.getLogger(f"agent.{request.metadata.rollout_id}")
    logger.addFilter(RolloutIdFilter(request.metadata.rollout_id))

    def agent():
        try:
            client = OpenAI(base_url=request.model_base_url, api_key=request.api_key or "none")
            messages = [message.model_dump() for message in request.messages]
            answer = client.chat.completions.create(messages=messages, **request.completion_params)
            logger.info("answered: %s", answer.choices[0].message.content)
            logger.info("done", extra={"status": Status.rollout_finished()})
        except Exception as error:
            logger.error("failed: %s", error, extra={"status": Status.rollout_error(str(error))})

    threading.Thread(target=agent, daemon=True).start()
    return {"status": "accepted"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=3000)
