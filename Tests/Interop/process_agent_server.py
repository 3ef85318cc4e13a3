# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""The agent of process_agent.py in a server made with the Python package, without Rollcall."""

import socket
import threading

import process_agent
import uvicorn
from eval_protocol import InitRequest
from fastapi import FastAPI

app = FastAPI()


@app.post("/init")
def init(request: InitRequest):
    threading.Thread(target=process_agent.run, args=(request.model_dump(),), daemon=True).start()
    return {"status": "accepted"}


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"listening on http://localhost:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
