# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""How many bytes the store grows by for a turn, for conversations of several lengths, with and without payloads.

Every turn of a conversation is a call that repeats all of it so far, as agents do, with a new question of about 600
bytes, answered with about 900, which are 226 tokens. Payloads are what the gateway captures for training: the token ids
of prompt and answer with log probabilities, and then also the experts of each of the answer's tokens, 8 in each of 48
layers. The store is measured after the gateway has been stopped, when it is one file. The bytes on the wire are those
between gateway and model.
"""

import base64
import functools
import http.client
import json
import os
import random
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from programs import KEY, start_gateway
from settings import Settings, read_settings, table

# Turns, and how many conversations of so many; a quarter of them with payloads, which take longer.
CONVERSATIONS = {10: 40, 50: 12, 200: 4}
# Payloads, and the gateway's options for them. Experts come as Fireworks sends them, with the answer's tokens alone;
# vLLM sends those of the whole conversation with each answer.
PAYLOADS = {
    "none": [],
    "tokens": ["--capture", "tokens", "--profile", "vllm"],
    "tokens, experts": ["--capture", "tokens", "--profile", "fireworks+routing"],
}
SEED = 7
VOCABULARY = 150_000
# The tokens that a template puts before and after a message.
BEGIN, END = VOCABULARY, VOCABULARY + 1
MATRIX_BYTES = 48 * 8


def words(generator: random.Random, size: int) -> str:
    text = ""
    while len(text) < size:
        text += "".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=generator.randint(2, 9))) + " "
    return text[:size]


def tokens(text: str) -> list[str]:
    return [text[start : start + 4] for start in range(0, len(text), 4)]


@functools.lru_cache(1 << 12)
def token_ids(text: str) -> tuple[int, ...]:
    return tuple(zlib.crc32(token.encode()) % VOCABULARY for token in tokens(text))


def prompt_ids(messages: list[dict]) -> list[int]:
    """Those of an answer's prompt, with the answer's own, are the beginning of the next one's."""
    ids: list[int] = []
    for message in messages:
        ids += [BEGIN, *token_ids(message["role"]), *token_ids(message["content"]), END]
    return [*ids, BEGIN, *token_ids("assistant")]


def complete(request: dict, generator: random.Random) -> dict:
    """The answer, with what of the payloads the request asks for."""
    content = words(generator, 900)
    prompt, completion = prompt_ids(request["messages"]), [*token_ids(content), END]
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    usage = {"prompt_tokens": len(prompt), "completion_tokens": len(completion), "total_tokens": len(prompt) + len(completion)}
    answer = {"id": "b", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    if request.get("logprobs"):
        entries = [
            {"token": token, "logprob": -generator.expovariate(4), "bytes": list(token.encode()), "top_logprobs": []}
            for token in [*tokens(content), "<end>"]
        ]
        if request.get("include_routing_matrix"):
            for entry in entries:
                entry["routing_matrix"] = base64.b64encode(generator.randbytes(MATRIX_BYTES)).decode()
        choice["logprobs"] = {"content": entries}
    if request.get("return_token_ids"):
        choice["token_ids"] = completion
        answer["prompt_token_ids"] = prompt
    return answer


class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one piece; the second of two would wait for the first to be acknowledged.
    wbufsize = 1 << 16

    def log_message(self, *_):
        pass

    def do_POST(self):
        request = self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps(complete(json.loads(request), random.Random(len(request)))).encode()
        self.server.wire_bytes += len(request) + len(answer)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


class ModelServer(ThreadingHTTPServer):
    """There is one call at a time."""

    wire_bytes = 0


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: str | None = None) -> dict:
    connection.request(method, path, body, {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"})
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise SystemExit(f"a call failed with {response.status}: {answer.decode()}")
    return json.loads(answer)


def converse(connection: http.client.HTTPConnection, rollout: str, turns: int, generator: random.Random) -> str:
    """Runs one conversation; what its last call's trace says of the capture."""
    path = f"/rollout_id/{rollout}/invocation_id/i/experiment_id/e/run_id/r/row_id/w/chat/completions"
    messages = [{"role": "system", "content": words(generator, 800)}]
    for _ in range(turns):
        messages.append({"role": "user", "content": words(generator, 600)})
        answer = ask(connection, "POST", path, json.dumps({"model": "m", "messages": messages}))
        messages.append(answer["choices"][0]["message"])
    [trace] = ask(connection, "GET", f"/v1/traces?tags=rollout_id:{rollout}&limit=1")["traces"]
    return trace["metadata"]["capture"]


def store_size(rollcall: str, payloads: str, turns: int, conversations: int) -> tuple[int, int]:
    """Bytes on disk and bytes on the wire."""
    model = ModelServer(("127.0.0.1", 0), Model)
    threading.Thread(target=model.serve_forever, daemon=True).start()
    try:
        with start_gateway(rollcall, f"http://127.0.0.1:{model.server_port}/v1", *PAYLOADS[payloads]) as gateway:
            connection = http.client.HTTPConnection("127.0.0.1", gateway.port)
            generator = random.Random(SEED + turns)
            for number in range(conversations):
                capture = converse(connection, f"r-{number}", turns, generator)
                if capture != ("complete" if PAYLOADS[payloads] else "none"):
                    raise SystemExit(f"the payloads were to be {payloads}, and the capture is {capture}")
            connection.close()
            gateway.stop()
            size = sum(os.path.getsize(file) for file in Path(gateway.folder).glob("traces.sqlite*"))
            return size, model.wire_bytes
    finally:
        model.shutdown()
        model.server_close()


def report(settings: Settings) -> str:
    empty, _ = store_size(settings.rollcall, "none", 0, 0)

    def row(payloads: str, turns: int, conversations: int) -> list[str]:
        stored, wire = store_size(settings.rollcall, payloads, turns, conversations)
        calls = turns * conversations
        return [payloads, str(turns), str(conversations), f"{(stored - empty) / calls:,.0f}", f"{wire / calls:,.0f}"]

    lengths = list(CONVERSATIONS.items())[: 2 if settings.quick else None]
    cases = [(payloads, turns, count // (4 if options else 1)) for payloads, options in PAYLOADS.items() for turns, count in lengths]
    header = "payloads | turns | conversations | stored bytes per turn | wire bytes per turn"
    return table(header, (row(*case) for case in cases))


if __name__ == "__main__":
    print(report(read_settings(__doc__)))
