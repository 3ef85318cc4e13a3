# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""The evaluation that goes with server.py."""

from eval_protocol.models import EvaluateResult, EvaluationRow, Message
from eval_protocol.pytest import RemoteRolloutProcessor, evaluation_test


@evaluation_test(
    input_messages=[[[Message(role="user", content="What is the capital of France?")]]],
    completion_params=[{"model": "echo"}],
    rollout_processor=RemoteRolloutProcessor(remote_base_url="http://localhost:3000"),
    passed_threshold=1.0,
)
def test_agent(row: EvaluationRow) -> EvaluationRow:
    answer = row.last_assistant_message()
    row.evaluation_result = EvaluateResult(score=1.0 if answer and "France" in answer.content else 0.0)
    return row
