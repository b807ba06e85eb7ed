"""The API against what its own OpenAPI document allows and forbids: whatever is sent, it never fails.

The same requests in every run: the generator's choices come from the operation alone.
"""

import contextlib
import hashlib
import hmac
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from draggonnb_pipelines.api.app import create_app
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.settings import Settings
from tests.api.conftest import APP_SECRET, Api, ServeApi, token_of

EXAMPLES = 12
BODIES = 20
LEAST_OPERATIONS = 20
_SETTINGS = hypothesis_settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    # A machine that is busy is no reason to fail, nor is a document that allows little or much.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
_REQUEST_PARTS = {"method", "url", "headers", "files", "data", "params", "auth", "cookies", "json"}
_KNOWN_NAMES = st.sampled_from(
    [
        "entry",
        "changes",
        "value",
        "statuses",
        "messages",
        "from",
        "text",
        "body",
        "id",
        "email",
        "name",
        "lead",
        "leads",
        "field_data",
        "values",
        "to",
        "media",
    ]
)
_ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10) | _KNOWN_NAMES, inner, max_size=5),
    max_leaves=12,
)
ANY_BODY = st.one_of(
    st.tuples(st.just("application/json"), _ANY_JSON.map(lambda value: json.dumps(value).encode())),
    st.tuples(st.just("application/x-www-form-urlencoded"), st.binary(max_size=200)),
    st.tuples(st.just("multipart/form-data; boundary=b"), st.binary(max_size=200).map(lambda raw: b"--b\r\n" + raw)),
    st.tuples(st.sampled_from(["application/json", "text/plain", "message/rfc822", ""]), st.binary(max_size=200)),
)
Prepared = requests.PreparedRequest


@pytest.fixture
def patient_api(serve_api: ServeApi, agency: Organization) -> Iterator[Api]:
    """One that lets everybody ask as often as they like: refusals for the rate would hide the rest."""
    with serve_api(api_rate_per_minute=10_000_000) as api:
        yield api


def operations_of(settings: Settings) -> list[APIOperation]:
    schema = schemathesis.openapi.from_dict(create_app(settings).openapi())
    found = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    assert len(found) == len(list(schema.get_all_operations())), "the document describes each of them well"
    return found


def unsigned(request: Prepared) -> None:
    """As it was made."""


def sent_by(organization: Organization) -> Callable[[Prepared], None]:
    """With its token; a signature would outrank it."""

    def send(request: Prepared) -> None:
        request.headers.pop("X-Draggonnb-Signature", None)
        request.headers.update(token_of(organization))

    return send


def signed_by_meta(request: Prepared) -> None:
    body = request.body or b""
    raw = body if isinstance(body, bytes) else str(body).encode()
    digest = hmac.new(APP_SECRET.encode(), raw, hashlib.sha256).hexdigest()
    request.headers["X-Hub-Signature-256"] = f"sha256={digest}"


def send_all(
    api: Api,
    operation: APIOperation,
    mode: GenerationMode,
    sign: Callable[[Prepared], None] = unsigned,
    **given_parts: Any,
) -> Counter[int]:
    """Send a dozen requests of one operation; how many answers of each status there were."""
    statuses: Counter[int] = Counter()

    with requests.Session() as session:

        @hypothesis_settings(_SETTINGS, max_examples=EXAMPLES)
        @given(case=operation.as_strategy(generation_mode=mode, **given_parts))
        def send(case: Any) -> None:
            parts = case.as_transport_kwargs(base_url=api.url)
            request = session.prepare_request(
                requests.Request(**{name: parts[name] for name in parts.keys() & _REQUEST_PARTS})
            )
            sign(request)
            answer = session.send(request, timeout=10, allow_redirects=False)
            statuses[answer.status_code] += 1

        # Whatever is sent is allowed where a route takes nothing at all, or any text in its path.
        with contextlib.suppress(Unsatisfiable):
            send()
    return statuses


def send_bodies(api: Api, path: str, sign: Callable[[Prepared], None]) -> Counter[int]:
    """Post JSON, forms and bytes of every kind to a route; how many answers of each status there were."""
    statuses: Counter[int] = Counter()
    url = api.url + path.replace("{slug}", "draggonnb").replace("{token}", "nobody")

    with requests.Session() as session:

        @hypothesis_settings(_SETTINGS, max_examples=BODIES)
        @given(body=ANY_BODY)
        def send(body: tuple[str, bytes]) -> None:
            kind, raw = body
            request = session.prepare_request(requests.Request("POST", url, data=raw, headers={"content-type": kind}))
            sign(request)
            statuses[session.send(request, timeout=10, allow_redirects=False).status_code] += 1

        send()
    return statuses


def failing(answers: dict[str, Counter[int]]) -> dict[str, Counter[int]]:
    return {label: statuses for label, statuses in answers.items() if any(status >= 500 for status in statuses)}


def errors_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage()[:500] for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.slow
def test_no_stranger_makes_the_api_fail(
    patient_api: Api, api_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    operations = operations_of(api_settings)
    answers = {one.label: send_all(patient_api, one, GenerationMode.POSITIVE) for one in operations}

    assert len(operations) >= LEAST_OPERATIONS
    assert all(statuses.total() for statuses in answers.values())
    assert failing(answers) == {}
    assert errors_in(caplog) == []
    assert patient_api.inbox() == []


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
def test_no_client_makes_the_api_fail_by_what_it_sends(
    patient_api: Api,
    api_settings: Settings,
    agency: Organization,
    outsider: Organization,
    caplog: pytest.LogCaptureFixture,
    mode: GenerationMode,
) -> None:
    webhooks = [one for one in operations_of(api_settings) if one.path.startswith("/webhook/{slug}")]
    answers = {
        one.label: send_all(patient_api, one, mode, sent_by(agency), path_parameters={"slug": agency.slug})
        for one in webhooks
    }

    assert len(webhooks) == 4
    assert failing(answers) == {}
    statuses = {status for found in answers.values() for status in found}
    assert statuses <= ({202, 422} if mode is GenerationMode.POSITIVE else {202, 400, 413, 415, 422})
    assert errors_in(caplog) == []
    stored = sum(found[202] for found in answers.values())
    assert stored or mode is GenerationMode.NEGATIVE, "some of what the document allows is taken"
    assert len(patient_api.inbox()) <= stored
    assert {row["organization_id"] for row in patient_api.inbox()} <= {agency.id}


def test_nothing_at_all_in_a_body_makes_a_route_fail(
    patient_api: Api, api_settings: Settings, agency: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    answers = {
        one.label: send_bodies(patient_api, one.path, sent_by(agency) if "{slug}" in one.path else signed_by_meta)
        for one in operations_of(api_settings)
        if one.method.upper() == "POST"
    }

    assert len(answers) >= 12
    assert all(statuses.total() == BODIES for statuses in answers.values())
    assert failing(answers) == {}
    assert answers["POST /webhooks/whatsapp"][200] > 0, "what Meta signs is read"
    assert errors_in(caplog) == []
    assert {row["organization_id"] for row in patient_api.inbox()} <= {agency.id}
