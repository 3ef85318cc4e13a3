# Part of Rollcall. SPDX-License-Identifier: Apache-2.0
"""What schemathesis has to be told of our servers that OpenAPI has no words for. No check is left out."""

import base64
import os
import re

import schemathesis
from hypothesis import strategies as st

URL = st.from_regex(r"\Ahttps?://[a-z]{1,20}(\.[a-z]{2,5})?(:[1-9][0-9]{0,3})?(/[a-z0-9-]{0,10}){0,3}\Z")

# Base64 of the URL of an upstream: the one there is, or one that is not allowed.
schemathesis.openapi.format(
    "base64url-http-url",
    st.one_of(st.just(os.environ["OPENAPI_TEST_UPSTREAM"]), URL).map(
        lambda url: base64.urlsafe_b64encode(url.encode()).decode()
    ),
)

ONE_OF_THEM = {
    ("GET", "/v1/events"): ("experiment_id", "run_id", "invocation_id", "rollout_id"),
    ("DELETE", "/v1/rollouts"): ("experiment_id", "run_id", "invocation_id", "rollout_id", "silent_since"),
}


@schemathesis.hook
def before_call(context, case, kwargs):
    query, body = case.query or {}, case.body
    # One parameter of several has to be there.
    names = ONE_OF_THEM.get((case.method, case.operation.path))
    if names and not any(query.get(name) for name in names):
        case.query = {**query, "experiment_id": ["e"]}
    # A wait may be a minute; here it is 60 ms.
    if re.fullmatch(r"[0-9.]+", wait := str(query.get("wait_seconds"))) and 0 <= float(wait) <= 60:
        case.query = {**query, "wait_seconds": float(wait) / 1000}
    # Wherever an agent is sent for its model, its calls stay on this machine.
    if isinstance(body, dict) and isinstance(url := body.get("model_base_url"), str):
        case.body = {**body, "model_base_url": loopback(url)}


def loopback(url: str) -> str:
    """The URL with the test's gateway in place of its host; what is no URL stays."""
    found = re.match(r"https?://(?:[^/?#]*@)?[^/?#@:][^/?#@]*((?:[/?#].*)?)\Z", url, re.IGNORECASE | re.DOTALL)
    return os.environ["OPENAPI_TEST_GATEWAY"] + found[1] if found else url
