# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""demo_report.py ROWS STORE GATEWAY: shows rollouts as a table, how many answers were right, and one whole trajectory."""

import json
import os
import re
import sys
import textwrap
from collections import Counter

NAMES = {0: "ok", 4: "deadline", 13: "internal", 14: "unavailable", 100: "finished", 102: "score invalid"}


def text_of(message: dict) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def numbers(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in re.findall(r"-?\d[\d,]*(?:\.\d+)?", text)]


def answer_of(row: dict) -> float | None:
    """The last number of the last assistant message."""
    answers = [text_of(message) for message in row["messages"] if message["role"] == "assistant"]
    found = numbers(answers[-1]) if answers else []
    return found[-1] if found else None


def is_right(row: dict) -> bool:
    expected = numbers(str(row.get("ground_truth")))
    answer = answer_of(row)
    return bool(expected) and answer is not None and abs(answer - expected[0]) < 1e-6


def table(rows: list[dict]) -> None:
    print(f"\n  {'row':<16} {'status':<14} {'turns':>5} {'tokens':>7} {'seconds':>8}   {'answer':>10}  {'expected':>10}")
    for row in rows:
        execution = row.get("execution_metadata") or {}
        usage = execution.get("usage") or {}
        status = row["rollout_status"]["code"]
        turns = sum(message["role"] == "assistant" for message in row["messages"])
        answer = answer_of(row)
        print(
            f"  {str((row.get('input_metadata') or {}).get('row_id'))[:16]:<16} {NAMES.get(status, status):<14} {turns:>5}"
            f" {usage.get('total_tokens') or 0:>7} {execution.get('rollout_duration_seconds') or 0:>8.2f}"
            f"   {'-' if answer is None else format(answer, 'g'):>10}  {str(row.get('ground_truth')):>10}"
            f"  {'right' if is_right(row) else 'wrong'}"
        )


def trajectory(row: dict) -> None:
    print(f"\nOne trajectory, rollout {(row.get('execution_metadata') or {}).get('rollout_id')}:")
    for message in row["messages"]:
        body = text_of(message) or json.dumps(message.get("tool_calls"))
        lines = [part for line in body.splitlines() for part in textwrap.wrap(line, 96) or [""]] or [""]
        print(f"  {message['role'] + ':':<11} " + ("\n" + " " * 14).join(lines))


def main() -> None:
    path, store, gateway = sys.argv[1:]
    with open(path) as file:
        rows = [json.loads(line) for line in file if line.strip()]
    if not rows:
        sys.exit("no rollout gave a row")
    table(rows)
    statuses = Counter(NAMES.get(row["rollout_status"]["code"], row["rollout_status"]["code"]) for row in rows)
    usages = [(row.get("execution_metadata") or {}).get("usage") or {} for row in rows]
    turns = sum(message["role"] == "assistant" for row in rows for message in row["messages"])
    size = sum(os.path.getsize(store + suffix) for suffix in ("", "-wal") if os.path.exists(store + suffix))
    print(f"\n{len(rows)} rollouts: {', '.join(f'{count} {name}' for name, count in statuses.items())}")
    print(
        f"{turns} model turns, {sum(usage.get('prompt_tokens') or 0 for usage in usages)} prompt tokens, "
        f"{sum(usage.get('completion_tokens') or 0 for usage in usages)} completion tokens, "
        f"store of {size // 1024} kB behind {gateway}"
    )
    print(f"{sum(map(is_right, rows))} of {len(rows)} answers right (the model has 135 million parameters)")
    trajectory(next((row for row in rows if is_right(row)), rows[0]))


if __name__ == "__main__":
    main()
