"""Requests that were forged, altered or listened to and sent again, at every webhook that is signed.

Not here: another organization's token or signature (`test_cross_tenant_routes.py`), forged notices of PayFast
(`tests/workflows/billing/test_bad_payments.py`, `tests/domain/test_itn.py`), reports of non-delivery without the mail
server's token (`tests/api/test_bounces.py`).
"""

import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import Tenants
from draggonnb_pipelines.workflows.organizations import webhook_secret
from tests.api.conftest import APP_SECRET, Api, token_of
from tests.api.test_whatsapp import signed as signed_by_meta
from tests.api.test_whatsapp import status

BODIES: dict[str, dict[str, Any]] = {
    "leads": {"email": "a@rooibos.example", "message": "Tea"},
    "generate-content": {"brief": "Say hello", "platforms": ["facebook"]},
    "analytics": {},
    "notifications": {"event": "stock_low", "title": "Beans", "message": "Out.", "to": {"roles": ["owner"]}},
}
JSON = {"content-type": "application/json"}
topics = pytest.mark.parametrize("topic", BODIES)


@pytest.fixture
def secret(agency: Organization, tenants: Tenants) -> bytes:
    return webhook_secret(agency, tenants).encode()


def signed(secret: bytes, body: bytes, *, late_seconds: float = 0) -> dict[str, str]:
    moment = str(int(time.time() - late_seconds))
    digest = hmac.new(secret, moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return JSON | {"x-draggonnb-signature": f"t={moment},v1={digest}"}


@topics
async def test_a_forged_stale_or_altered_request_is_401_at_every_webhook_and_stores_nothing(
    api: Api, http: httpx.AsyncClient, agency: Organization, secret: bytes, topic: str
) -> None:
    raw = json.dumps(BODIES[topic]).encode()
    fresh = signed(secret, raw)
    moment, _, digest = fresh["x-draggonnb-signature"].partition(",v1=")
    forgeries = [
        signed(b"another-secret", raw),
        signed(b"", raw),
        signed(secret, raw + b" "),
        signed(secret, b""),
        signed(secret, raw, late_seconds=301),
        signed(secret, raw, late_seconds=-310),
        # The moment is signed too: a stale signature is not made fresh by another one.
        JSON | {"x-draggonnb-signature": f"t={int(time.time()) + 1},v1={digest}"},
        JSON | {"x-draggonnb-signature": f"{moment},v0={digest}"},
        JSON | {"x-draggonnb-signature": f"{moment},v1={'0' * 64}"},
        JSON | {"x-draggonnb-signature": moment},
        # A wrong signature is not saved by a right token, nor the secret taken for the token.
        signed(b"another-secret", raw) | token_of(agency),
        JSON | {"x-webhook-token": secret.decode()},
        JSON,
    ]

    path = f"/webhook/{agency.slug}/{topic}"
    answers = [(await http.post(path, content=raw, headers=headers)).status_code for headers in forgeries]
    taken = await http.post(path, content=raw, headers=fresh)

    assert answers == [401] * len(forgeries)
    assert (taken.status_code, len(api.inbox())) == (202, 1)


@topics
async def test_a_signed_request_sent_again_is_one_delivery_whatever_id_its_headers_give(
    api: Api, http: httpx.AsyncClient, agency: Organization, secret: bytes, topic: str
) -> None:
    """Headers are not signed: who listened could give each repetition an id of its own."""
    raw = json.dumps(BODIES[topic]).encode()
    listened_to = signed(secret, raw)
    respelt = {"x-draggonnb-signature": listened_to["x-draggonnb-signature"].replace(",", " , ") + f",v1={'0' * 64}"}
    replays = [{}, {"x-delivery-id": "first"}, {"x-delivery-id": "second"}, {"idempotency-key": "third"}, respelt]

    path = f"/webhook/{agency.slug}/{topic}"
    answers = [await http.post(path, content=raw, headers=listened_to | more) for more in replays]

    assert [answer.status_code for answer in answers] == [202] * len(replays)
    [row] = api.inbox()
    assert {str(row["id"]) in answer.text for answer in answers} == {True}


@topics
async def test_a_signed_body_is_not_read_as_another_kind_of_body(
    api: Api, http: httpx.AsyncClient, agency: Organization, secret: bytes, topic: str
) -> None:
    raw = json.dumps(BODIES[topic] or {"delivery_id": "1"}).encode()
    kinds = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain", "text/xml", "")

    headers = [signed(secret, raw) | {"content-type": kind} for kind in kinds]
    path = f"/webhook/{agency.slug}/{topic}"
    answers = [(await http.post(path, content=raw, headers=one)).status_code for one in headers]

    assert [status for status in answers if status not in (400, 415, 422)] == []
    assert api.inbox() == []


async def test_what_an_organization_asks_of_its_plan_is_signed_freshly_too(
    api: Api, http: httpx.AsyncClient, agency: Organization, secret: bytes
) -> None:
    path = f"/api/usage-metrics?organization={agency.slug}"

    answers = [
        (await http.get(path, headers=signed(*key, late_seconds=late))).status_code
        for key, late in (((secret, b""), 0), ((secret, b"x"), 0), ((b"x", b""), 0), ((secret, b""), 301))
    ]

    assert answers == [200, 401, 401, 401]


async def test_statuses_that_were_forged_or_altered_are_401_and_a_repeat_is_one_row(
    api: Api, http: httpx.AsyncClient, agency: Organization, secret: bytes
) -> None:
    true = signed_by_meta(status("wamid.1", "delivered", f"{agency.slug}:1"))
    other = signed_by_meta(status("wamid.1", "failed", f"{agency.slug}:1"))
    sha1 = hmac.new(APP_SECRET.encode(), true["content"], hashlib.sha1).hexdigest()
    forgeries = [
        signed_by_meta(status("wamid.1", "failed", f"{agency.slug}:1"), secret="another-secret"),
        signed_by_meta(status("wamid.1", "failed", f"{agency.slug}:1"), secret=secret.decode()),
        other | {"headers": true["headers"]},
        true | {"content": true["content"] + b"\n"},
        true | {"headers": {"x-hub-signature-256": f"sha1={sha1}"}},
        true | {"headers": {"x-hub-signature": f"sha1={sha1}"}},
        other | {"headers": token_of(agency)},
    ]

    refused = [(await http.post("/webhooks/whatsapp", **one)).status_code for one in forgeries]
    nothing = api.inbox()
    taken = [(await http.post("/webhooks/whatsapp", **true)).status_code for _ in range(3)]

    assert (refused, nothing) == ([401] * len(forgeries), [])
    assert taken == [200, 200, 200]
    assert [row["delivery_id"] for row in api.inbox()] == ["wamid.1:delivered"]
