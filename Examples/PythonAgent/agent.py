# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""An agent in plain Python: it answers, then looks at its answer once more. It knows nothing of Rollcall.

It takes a request in JSON on standard input, with the messages and the model's parameters; where the model is, the
`openai` package reads from OPENAI_BASE_URL and OPENAI_API_KEY.
"""

import json
import sys

from openai import OpenAI

REVIEW = "Check your answer. If it is right, repeat it; if not, give the right one. Say the answer alone."


def answer(request: dict) -> list[dict]:
    client = OpenAI()
    parameters = {name: value for name, value in request["completion_params"].items() if name != "base_url"}
    messages = [
        {name: value for name, value in message.items() if value is not None} for message in request["messages"]
    ]
    for _ in range(2):
        said = client.chat.completions.create(messages=messages, **parameters).choices[0].message
        messages.append({"role": "assistant", "content": said.content})
        if len(messages) < len(request["messages"]) + 3:
            messages.append({"role": "user", "content": REVIEW})
    return messages


if __name__ == "__main__":
    messages = answer(json.load(sys.stdin))
    print("first:", messages[-3]["content"])
    print("then:", messages[-1]["content"])
