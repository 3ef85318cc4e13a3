# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""An agent on LangGraph, as its own guide would have it: a model with a tool, and a graph that goes round between the two.

It takes a request in JSON on standard input. Nothing in it is made for Rollcall: LangChain's `ChatOpenAI` reads
OPENAI_BASE_URL and OPENAI_API_KEY by itself.
"""

import json
import sys

from langchain_core.messages import convert_to_messages
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition


@tool
def multiply(a: float, b: float) -> float:
    """Multiplies two numbers."""
    return a * b


def graph(parameters: dict):
    model = ChatOpenAI(**parameters).bind_tools([multiply])

    def ask(state: MessagesState) -> dict:
        return {"messages": [model.invoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("ask", ask)
    builder.add_node("tools", ToolNode([multiply]))
    builder.add_edge(START, "ask")
    builder.add_conditional_edges("ask", tools_condition)
    builder.add_edge("tools", "ask")
    return builder.compile()


if __name__ == "__main__":
    request = json.load(sys.stdin)
    parameters = {name: value for name, value in request["completion_params"].items() if name != "base_url"}
    messages = [{name: value for name, value in one.items() if value is not None} for one in request["messages"]]
    for update in graph(parameters).stream({"messages": convert_to_messages(messages)}, stream_mode="updates"):
        for node, change in update.items():
            for message in change["messages"]:
                print(f"{node}: {message.content or [call['name'] for call in message.tool_calls]}")
