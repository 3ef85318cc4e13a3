# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""`@evaluation_test` as a user writes it, pointwise and groupwise."""

import os

from eval_protocol.models import EvaluateResult, EvaluationRow, Message
from eval_protocol.pytest import RemoteRolloutProcessor, evaluation_test

QUESTIONS = [[Message(role="user", content=f"question {number}")] for number in range(6)]


def processor(url: str) -> RemoteRolloutProcessor:
    return RemoteRolloutProcessor(remote_base_url=os.environ.get(url), poll_interval=0.05, timeout_seconds=30)


def judged(row: EvaluationRow) -> EvaluationRow:
    question, answer = row.messages
    assert answer.content == f"echo 1: {question.content}"
    row.evaluation_result = EvaluateResult(score=1.0, reason="echoed")
    return row


@evaluation_test(
    input_messages=[QUESTIONS],
    completion_params=[{"model": "echo"}],
    rollout_processor=processor("INTEROP_HELLO"),
    num_runs=2,
    passed_threshold=1.0,
)
def test_pointwise_with_the_swift_environment(row: EvaluationRow) -> EvaluationRow:
    return judged(row)


@evaluation_test(
    input_messages=[QUESTIONS],
    completion_params=[{"model": "echo"}],
    rollout_processor=processor("INTEROP_PYTHON"),
    passed_threshold=1.0,
)
def test_pointwise_with_the_python_environment(row: EvaluationRow) -> EvaluationRow:
    return judged(row)


@evaluation_test(
    input_messages=[QUESTIONS[:2]],
    completion_params=[{"model": "echo"}, {"model": "echo", "stream": True}],
    rollout_processor=processor("INTEROP_PYTHON"),
    mode="groupwise",
    passed_threshold=1.0,
)
def test_groupwise(rows: list[EvaluationRow]) -> list[EvaluationRow]:
    assert len(rows) == 2
    return [judged(row) for row in rows]
