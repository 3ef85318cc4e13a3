# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""An agent in plain Python with a tool: it answers, then looks at its answer once more. It knows nothing of Rollcall.

It takes a request in JSON on standard input, with the messages, the model's parameters and, if need be, where the model
is; without that the `openai` package reads it from OPENAI_BASE_URL and OPENAI_API_KEY.
"""

import json
import sys

from openai import OpenAI

REVIEW = "Check your answer. If it is right, repeat it; if not, give the right one. Say the answer alone."
MULTIPLY = {
    "type": "function",
    "function": {
        "name": "multiply",
        "description": "Multiplies two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
            "required": ["a", "b"],
        },
    },
}


def answer(request: dict) -> list[dict]:
    """The whole conversation, with two answers."""
    client = OpenAI(base_url=request.get("model_base_url") or None, api_key=request.get("api_key") or None)
    parameters = {name: value for name, value in request["completion_params"].items() if name != "base_url"}
    parameters["tools"] = request.get("tools") or [MULTIPLY]
    messages = [without_nulls(message) for message in request["messages"]]
    converse(client, messages, parameters)
    messages.append({"role": "user", "content": REVIEW})
    converse(client, messages, parameters)
    return messages


def converse(client: OpenAI, messages: list[dict], parameters: dict) -> None:
    """Lets the model work until it has no more calls."""
    while True:
        said = client.chat.completions.create(messages=messages, **parameters).choices[0].message
        messages.append(said.model_dump(include={"role", "content", "tool_calls"}, exclude_none=True))
        if not said.tool_calls:
            return
        for call in said.tool_calls:
            messages.append({"role": "tool", "tool_call_id": call.id, "content": multiply(call.function.arguments)})


def multiply(arguments: str) -> str:
    try:
        numbers = json.loads(arguments)
        return str(numbers["a"] * numbers["b"])
    except (ValueError, KeyError, TypeError) as error:
        return f"Error: {error!r}"


def without_nulls(value):
    if isinstance(value, dict):
        return {name: without_nulls(member) for name, member in value.items() if member is not None}
    return [without_nulls(member) for member in value] if isinstance(value, list) else value


if __name__ == "__main__":
    for message in answer(json.load(sys.stdin)):
        if message["role"] == "assistant" and message.get("content"):
            print("said:", message["content"])
