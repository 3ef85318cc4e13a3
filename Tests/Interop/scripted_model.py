# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""An upstream that answers chat completions by rule, streamed and not, and remembers what it was asked. It refuses what
is not asked for as it has to be, lists the one model it calls its own, and embeds every text alike.

The model's name is the rule:

    echo        answers `echo N: TEXT`, with N the number of user messages and TEXT the last one's
    tools       calls the first tool with {"a": 6, "b": 7}, then answers with what the tool gave
    tokens      as echo, with token ids and logprobs of prompt and answer
    vllm        as echo, with what of these the request asks for as vLLM has it, and null for the rest
    experts     as vllm when it is started with --enable-return-routed-experts: unstreamed answers have `experts_of` each
                token but the last, prompt included, as a .npy file
    status-NNN  refuses with that HTTP status
"""

import base64
import json
import re
import struct
import sys
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def text_of(content) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content)
    return content or ""


def fault(body: dict, is_chat: bool) -> str | None:
    """What is wrong with a request, if anything is."""
    if not isinstance(body.get("model"), str) or not body["model"]:
        return "model: expected a non-empty string"
    if not is_chat:
        return None if isinstance(body.get("input"), (str, list)) else "input: expected a string or an array"
    if not isinstance(body.get("messages"), list):
        return "messages: expected an array"
    for message in body["messages"]:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str) or not message["role"]:
            return "messages: expected objects with a role"
        content = message.get("content")
        parts = content if isinstance(content, list) else []
        if not isinstance(content, (str, list, type(None))) or not all(isinstance(part, dict) for part in parts):
            return "messages: expected a string, parts or null as content"
    if not isinstance(body.get("stream"), (bool, type(None))):
        return "stream: expected true or false"
    count = body.get("n")
    if count is not None and (isinstance(count, bool) or not isinstance(count, (int, float)) or count < 1 or count % 1):
        return "n: expected a whole number, 1 or more"
    return None


def answer_for(body: dict) -> tuple[dict, str]:
    """The assistant's message and the finish reason."""
    messages = body["messages"]
    if body["model"].endswith("tools") and body.get("tools"):
        if messages[-1]["role"] != "tool":
            name = body["tools"][0]["function"]["name"]
            call = {
                "id": f"call_{len(messages)}",
                "type": "function",
                "function": {"name": name, "arguments": '{"a": 6, "b": 7}'},
            }
            return {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
        return {"role": "assistant", "content": f"the tool says {messages[-1]['content']}"}, "stop"
    asked = [message for message in messages if message["role"] == "user"]
    text = text_of(asked[-1]["content"]) if asked else ""
    return {"role": "assistant", "content": f"echo {len(asked)}: {text}"}, "stop"


def pieces(text: str) -> list[str]:
    return re.findall(r"\s*\S+|\s+$", text)


def experts_of(position: int) -> list[int]:
    """Where the pass over the token at that position went: two layers with two experts each, in one list."""
    return [240 + 4 * position + expert for expert in range(4)]


def routed_experts(count: int) -> str:
    """The experts of so many tokens as vLLM sends them: Base64 of what `numpy.save` writes."""
    header = f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({count}, 2, 2), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    experts = [expert for position in range(count) for expert in experts_of(position)]
    file = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(experts)}i", *experts)
    return base64.b64encode(file).decode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        name = self.path.split("?")[0].rpartition("/")[2]
        model = {"id": "echo", "object": "model", "created": 1, "owned_by": "scripted"}
        if name == "models":
            self.send(200, {"object": "list", "data": [model]})
        elif name == "echo":
            self.send(200, model)
        else:
            self.refuse(404, f"there is no model {name}")

    do_HEAD = do_GET

    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.loads(raw)
        self.server.requests.append({"path": self.path, "headers": {name.lower(): value for name, value in self.headers.items()}, "body": body, "raw": raw})
        is_chat = not self.path.split("?")[0].endswith("/embeddings")
        if wrong := fault(body, is_chat):
            return self.refuse(400, wrong)
        if not is_chat:
            data = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
            return self.send(200, {"object": "list", "model": body["model"], "data": data})
        refused = re.search(r"status-(\d{3})$", body["model"])
        nulls = [key for message in body["messages"] for key, value in message.items() if value is None and key != "content"]
        if refused:
            self.refuse(int(refused[1]), "refused by rule")
        elif nulls:
            self.refuse(500, f"type must be string, but is null: {nulls[0]}")
        elif body["model"].endswith(("vllm", "experts")):
            self.vllm(body)
        elif body.get("stream"):
            self.stream(body)
        else:
            self.complete(body)

    def refuse(self, code: int, message: str):
        self.send(code, {"error": {"message": message, "type": "scripted", "param": None, "code": str(code)}})

    def send(self, code: int, value: dict):
        data = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def usage(self, body: dict, message: dict) -> dict:
        prompt = sum(len(pieces(text_of(one.get("content")))) for one in body["messages"])
        answer = max(1, len(pieces(message.get("content") or "")))
        return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}

    def logprobs(self, texts: list[str]) -> dict:
        return {"content": [{"token": text, "logprob": -0.5, "token_id": 100 + i} for i, text in enumerate(texts)]}

    def complete(self, body: dict):
        message, reason = answer_for(body)
        choice = {"index": 0, "message": message, "finish_reason": reason}
        answer = {
            "id": "scripted", "object": "chat.completion", "created": 1, "model": body["model"],
            "choices": [choice], "usage": self.usage(body, message),
        }
        if body["model"].endswith("tokens"):
            choice["logprobs"] = self.logprobs(pieces(message["content"]))
            answer["prompt_token_ids"] = [1, 2, 3]
        self.send(200, answer)

    def vllm(self, body: dict):
        message, reason = answer_for(body)
        texts = pieces(message["content"])
        prompt = [zlib.crc32(piece.encode()) % 30000 for one in body["messages"] for piece in pieces(text_of(one["content"]))]

        def tokens(start: int, end: int) -> dict:
            content = [{"token": text, "logprob": -0.5, "bytes": None, "top_logprobs": []} for text in texts[start:end]]
            ids = [100 + index for index in range(start, end)]
            return {"logprobs": {"content": content} if body.get("logprobs") else None, "token_ids": ids if asks_for_ids else None}

        asks_for_ids = body.get("return_token_ids")
        prompt_ids = {"prompt_token_ids": prompt if asks_for_ids else None}
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": reason} | tokens(0, len(texts))
            if body["model"].endswith("experts"):
                choice["routed_experts"] = routed_experts(len(prompt) + len(texts) - 1)
            head = {"id": "scripted", "object": "chat.completion", "created": 1, "model": body["model"]}
            return self.send(200, head | {"choices": [choice], "usage": self.usage(body, message)} | prompt_ids)
        self.begin_stream()
        self.event(body, {"role": "assistant", "content": ""}, choice_extra={"logprobs": None}, **prompt_ids)
        if asks_for_ids:
            # Its parser withholds the first token, so this chunk has nothing but that token's id.
            self.event(body, {}, choice_extra=tokens(0, 1))
        self.event(body, {"content": texts[0] + texts[1]}, choice_extra=tokens(1, 2))
        for index in range(2, len(texts)):
            self.event(body, {"content": texts[index]}, choice_extra=tokens(index, index + 1))
        self.event(body, {}, reason=reason, choice_extra={"logprobs": None})
        self.end_stream()

    def begin_stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def end_stream(self):
        self.chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def stream(self, body: dict):
        message, reason = answer_for(body)
        self.begin_stream()
        tokens = body["model"].endswith("tokens")
        first = {"role": "assistant", "content": ""}
        self.event(body, first, **({"prompt_token_ids": [1, 2, 3]} if tokens else {}))
        for index, piece in enumerate(pieces(message.get("content") or "")):
            extra = {"logprobs": {"content": [self.logprobs([piece])["content"][0] | {"token_id": 100 + index}]}} if tokens else {}
            self.event(body, {"content": piece}, choice_extra=extra)
        for index, call in enumerate(message.get("tool_calls") or []):
            head = call | {"index": index, "function": {"name": call["function"]["name"], "arguments": ""}}
            self.event(body, {"tool_calls": [head]})
            for part in re.findall(r".{1,5}", call["function"]["arguments"]):
                self.event(body, {"tool_calls": [{"index": index, "function": {"arguments": part}}]})
        self.event(body, {}, reason=reason)
        if (body.get("stream_options") or {}).get("include_usage"):
            self.event(body, None, usage=self.usage(body, message))
        self.end_stream()

    def event(self, body: dict, delta, reason=None, choice_extra={}, **extra):
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason, **choice_extra}]
        value = {"id": "scripted", "object": "chat.completion.chunk", "created": 1, "model": body["model"], "choices": choices, **extra}
        self.chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def chunk(self, data: bytes):
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


class ScriptedModel(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int = 0):
        super().__init__(("127.0.0.1", port), Handler)
        self.requests: list[dict] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request, client_address):
        """A gateway whose client has gone closes in the middle of an answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def requests_of(self, rollout_text: str) -> list[dict]:
        """The requests whose body mentions the text."""
        return [one for one in self.requests if rollout_text in one["raw"].decode()]
