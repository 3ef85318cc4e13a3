# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""A gateway that asks for keys."""

import pytest
from conftest import KEYS
from eval_protocol.models import Status


@pytest.fixture
def keys(monkeypatch):
    def set_keys(client: str | None, remote: str | None = None):
        for name, value in (("FIREWORKS_API_KEY", client), ("EP_REMOTE_API_KEY", remote)):
            monkeypatch.delenv(name, raising=False)
            if value:
                monkeypatch.setenv(name, value)

    return set_keys


def test_with_the_key(rollout, keys, keyed_environment, keyed_gateway, model):
    keys(KEYS[0])
    [row] = rollout(keyed_environment, keyed_gateway, [f"keyed-{keyed_environment.name}"])
    assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status
    assert row.messages[-1].content == f"echo 1: keyed-{keyed_environment.name}"
    authorizations = {one["headers"].get("authorization") for one in model.requests_of(f"keyed-{keyed_environment.name}")}
    assert authorizations == {"Bearer upstream-key"}


def test_with_one_key_for_the_client_and_one_for_the_model(rollout, keys, keyed_environment, keyed_gateway):
    keys(*KEYS)
    [row] = rollout(keyed_environment, keyed_gateway, ["two keys"])
    assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status


def test_without_a_key_the_environment_says_which_variable(rollout, keys, hello, keyed_gateway):
    keys(None)
    [row] = rollout(hello, keyed_gateway, ["no key"], timeout=1)
    assert row.rollout_status.code == Status.Code.INTERNAL
    assert "FIREWORKS_API_KEY" in row.rollout_status.message


def test_a_gateway_without_keys_takes_any(rollout, keys, environment, gateway):
    keys("whatever")
    [row] = rollout(environment, gateway, ["any-key-marker"])
    assert row.rollout_status.code == Status.Code.FINISHED, row.rollout_status
