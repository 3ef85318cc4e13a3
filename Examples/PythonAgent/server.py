# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""The same agent in a server as the Python package's guide has it, without Rollcall: the file agent.py is imported as it is."""

import logging
import os
import threading

import uvicorn
from agent import answer
from eval_protocol import FireworksTracingHttpHandler, InitRequest, RolloutIdFilter, Status
from fastapi import FastAPI

logging.basicConfig(level=logging.INFO)
logging.getLogger().addHandler(FireworksTracingHttpHandler())
app = FastAPI()


@app.post("/init")
def init(request: InitRequest):
    logger = logging.getLogger(f"agent.{request.metadata.rollout_id}")
    logger.addFilter(RolloutIdFilter(request.metadata.rollout_id))

    def run():
        try:
            for message in answer(request.model_dump()):
                if message["role"] == "assistant" and message.get("content"):
                    logger.info("said: %s", message["content"])
            logger.info("done", extra={"status": Status.rollout_finished()})
        except Exception as error:
            logger.error("failed: %s", error, extra={"status": Status.rollout_error(str(error))})

    threading.Thread(target=run, daemon=True).start()
    return {"status": "accepted"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("PORT", "3000")))
