# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""What becomes of a row for each status code, and how often the client triggers it."""

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from eval_protocol.models import EvaluationRow, Status

ONCE, RETRIED = 1, 4
TABLE = {
    0: (5, ONCE), 1: (13, ONCE), 2: (13, RETRIED), 3: (13, ONCE), 4: (13, RETRIED), 5: (13, RETRIED), 6: (13, ONCE),
    7: (13, RETRIED), 8: (13, RETRIED), 9: (13, ONCE), 10: (13, ONCE), 11: (13, ONCE), 12: (13, ONCE), 13: (13, ONCE),
    14: (13, RETRIED), 15: (13, ONCE), 16: (13, RETRIED), 100: (5, ONCE), 102: (5, ONCE), 103: (13, RETRIED),
}  # fmt: skip


def accepted(environment, row: EvaluationRow) -> int:
    url = f"{environment.url}/accepted?rollout_id={row.execution_metadata.rollout_id}"
    return json.load(urllib.request.urlopen(url))


def test_every_code(rollout, python, gateway):
    """Codes 0, 100 and 102 end with 5 because these rollouts made no model call."""

    def one(code: int) -> tuple[int, tuple[int, int, str]]:
        [row] = rollout(python, gateway, [f"code {code}"], end_with=code)
        return code, (int(row.rollout_status.code), accepted(python, row), row.rollout_status.message)

    with ThreadPoolExecutor(len(TABLE)) as pool:
        results = dict(pool.map(one, TABLE))
    assert {code: result[:2] for code, result in results.items()} == TABLE
    for code, (final, _, message) in results.items():
        if final == 13:
            assert message == f"ended with {code}"


def test_a_retry_after_unavailable_finishes(rollout, python, gateway):
    [row] = rollout(python, gateway, ["try again"], end_with_once=14)
    assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status
    assert accepted(python, row) == 2
    assert [message.content for message in row.messages] == ["try again", "echo 1: try again"]
