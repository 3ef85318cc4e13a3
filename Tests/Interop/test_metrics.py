# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""The gateway's metrics, read by Prometheus' own client."""

import urllib.request

from eval_protocol.models import Status
from prometheus_client.parser import text_string_to_metric_families


def families(gateway) -> dict:
    with urllib.request.urlopen(f"{gateway.url}/metrics", timeout=10) as answer:
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        text = answer.read().decode()
    found = list(text_string_to_metric_families(text))
    assert len({family.name for family in found}) == len(found), "a family stands in one place"
    return {family.name: family for family in found}


def value(families: dict, family: str, sample: str, **labels: str) -> float:
    # A family of counters is there from its first count on.
    known = families[family].samples if family in families else []
    samples = [one for one in known if one.name == sample and one.labels == labels]
    return samples[0].value if samples else 0.0


def test_a_rollout_shows_in_them(rollout, environment, gateway):
    before = families(gateway)
    [row] = rollout(environment, gateway, ["metrics-marker"])
    assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status
    after = families(gateway)
    assert all(family.documentation for family in after.values()), "each says what it tells"

    def grown(family: str, sample: str, **labels: str) -> float:
        return value(after, family, sample, **labels) - value(before, family, sample, **labels)

    assert grown("rollcall_calls", "rollcall_calls_total", state="recorded") >= 1
    assert grown("rollcall_statuses", "rollcall_statuses_total", code="100") >= 1
    assert grown("rollcall_call_seconds", "rollcall_call_seconds_count") >= 1
    assert after["rollcall_call_seconds"].type == "histogram"
    buckets = [one.value for one in after["rollcall_call_seconds"].samples if one.name.endswith("_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == value(after, "rollcall_call_seconds", "rollcall_call_seconds_count")
    assert value(after, "rollcall_ready", "rollcall_ready") == 1
