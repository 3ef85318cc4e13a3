# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""How many bytes the store grows by for a turn, for conversations of several lengths.

Every turn of a conversation is a call that repeats all of it so far, as agents do, with a new question of about 600
bytes, answered with about 900. The store is measured after the gateway has been stopped, when it is one file.
"""

import http.client
import json
import os
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from programs import KEY, start_gateway
from settings import Settings, read_settings, table

# Turns, and how many conversations of so many.
CONVERSATIONS = {10: 40, 50: 12, 200: 4}
SEED = 7


def words(generator: random.Random, size: int) -> str:
    text = ""
    while len(text) < size:
        text += "".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=generator.randint(2, 9))) + " "
    return text[:size]


class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one piece; the second of two would wait for the first to be acknowledged.
    wbufsize = 1 << 16

    def log_message(self, *_):
        pass

    def do_POST(self):
        request = self.rfile.read(int(self.headers["Content-Length"]))
        content = words(random.Random(len(request)), 900)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
        usage = {"prompt_tokens": len(request) // 4, "completion_tokens": 225, "total_tokens": len(request) // 4 + 225}
        answer = json.dumps({"id": "b", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())


def converse(connection: http.client.HTTPConnection, rollout: str, turns: int, generator: random.Random) -> int:
    """Runs one conversation; the bytes that went over the wire for it."""
    path = f"/rollout_id/{rollout}/invocation_id/i/experiment_id/e/run_id/r/row_id/w/chat/completions"
    messages = [{"role": "system", "content": words(generator, 800)}]
    sent = 0
    for _ in range(turns):
        messages.append({"role": "user", "content": words(generator, 600)})
        body = json.dumps({"model": "m", "messages": messages})
        connection.request("POST", path, body, {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"})
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise SystemExit(f"a call failed with {response.status}: {answer.decode()}")
        sent += len(body) + len(answer)
        messages.append(json.loads(answer)["choices"][0]["message"])
    return sent


def store_size(rollcall: str, turns: int, conversations: int) -> tuple[int, int]:
    """Bytes on disk and bytes on the wire."""
    model = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    try:
        with start_gateway(rollcall, f"http://127.0.0.1:{model.server_port}/v1") as gateway:
            connection = http.client.HTTPConnection("127.0.0.1", gateway.port)
            generator = random.Random(SEED + turns)
            wire = sum(converse(connection, f"r-{number}", turns, generator) for number in range(conversations))
            connection.close()
            gateway.stop()
            return sum(os.path.getsize(file) for file in Path(gateway.folder).glob("traces.sqlite*")), wire
    finally:
        model.shutdown()
        model.server_close()


def report(settings: Settings) -> str:
    empty, _ = store_size(settings.rollcall, 0, 0)

    def row(turns: int, conversations: int) -> list[str]:
        stored, wire = store_size(settings.rollcall, turns, conversations)
        calls = turns * conversations
        return [str(turns), str(conversations), f"{(stored - empty) / calls:,.0f}", f"{wire / calls:,.0f}"]

    rows = list(CONVERSATIONS.items())[: 2 if settings.quick else None]
    return table("turns | conversations | stored bytes per turn | wire bytes per turn", (row(*case) for case in rows))


if __name__ == "__main__":
    print(report(read_settings(__doc__)))
