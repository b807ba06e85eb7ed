"""The webhook for messages: a request is stored once, sealed, and answered; a wrong one is refused field by field."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from draggonnb_pipelines.domain.inbox import parsed_context
from draggonnb_pipelines.domain.message_requests import MessageRequest
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import Tenants
from tests.api.conftest import Api, token_of

PATH = "/webhook/draggonnb/notifications"
CONTACT = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
REQUEST: dict[str, Any] = {
    "event": "stock_low",
    "title": "The beans run out",
    "message": "Only two bags are left.",
    "link": "https://shop.example/stock",
    "to": {"emails": ["Sales@draggonnb.example"], "roles": ["owner"], "contacts": [CONTACT]},
}
LISTED = {"emails": ["a@b.example"]}


@pytest.fixture(autouse=True)
def stopped_clock(api: Api) -> None:
    api.clock.moment = datetime(2026, 11, 23, 8, tzinfo=UTC)


async def test_a_request_is_stored_sealed_and_answered_with_its_id(
    api: Api, http: httpx.AsyncClient, agency: Organization, outsider: Organization, tenants: Tenants
) -> None:
    answer = await http.post(PATH, json=REQUEST, headers=token_of(agency))

    [row] = api.inbox()
    assert (answer.status_code, answer.json()) == (
        202,
        {"id": str(row["id"]), "status": "accepted", "duplicate": False},
    )
    assert (row["organization_id"], row["topic"], row["state"]) == (agency.id, "notifications", "received")
    assert b"beans" not in row["raw_sealed"] + row["parsed_sealed"]
    parsed = json.loads(tenants.key(agency).open(row["parsed_sealed"], parsed_context(agency.id)))
    assert parsed == REQUEST | {"category": "service", "delivery_id": None}
    assert MessageRequest.model_validate_json(json.dumps(parsed)).to.roles == ("owner",)


async def test_repeats_are_one_request_by_header_by_body_and_by_their_bytes(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    by_header = token_of(agency) | {"x-delivery-id": "job-7"}
    answers = await asyncio.gather(*(http.post(PATH, json=REQUEST, headers=by_header) for _ in range(10)))
    for _ in range(2):
        await http.post(PATH, json=REQUEST | {"delivery_id": "job-8"}, headers=token_of(agency))
        await http.post(PATH, json=REQUEST, headers=token_of(agency))
    changed = await http.post(PATH, json=REQUEST | {"title": "Another"}, headers=by_header)

    assert [answer.json()["duplicate"] for answer in answers].count(False) == 1
    assert len(api.inbox()) == 3
    assert (changed.json()["duplicate"], changed.json()["changed"]) == (True, True)


@pytest.mark.parametrize(
    ("change", "field", "detail"),
    [
        ({"event": None}, "event", "must be text"),
        ({"event": "Stock Low"}, "event", "must match pattern '^[a-z_]{2,60}$'"),
        ({"title": " "}, "title", "must not be empty"),
        ({"title": "a" * 151}, "title", "must have at most 150 characters, has 151"),
        ({"title": "Sale\r\nBcc: x@y.example"}, "title", "must be one line without control characters"),
        ({"message": 7}, "message", "must be text"),
        ({"message": "m" * 5001}, "message", "must have at most 5000 characters, has 5001"),
        ({"message": "beans \x00"}, "message", "must not contain control characters"),
        ({"link": "javascript:alert(1)"}, "link", "must be an address of the web, such as https://example.co.za/page"),
        ({"link": "https://bank.example@evil.example/"}, "link", None),
        ({"link": "https://[::1"}, "link", None),
        ({"to": {}}, "to", "must name somebody: emails, roles or contacts"),
        ({"to": {"emails": "a@b.example"}}, "to.emails", "must be a list"),
        ({"to": LISTED | {"emails": ["a@b.example", "not an address"]}}, "to.emails[1]", None),
        ({"to": LISTED | {"emails": ["no address"] * 10_000}}, "to.emails", "must have at most 50 entries, has 10000"),
        ({"to": LISTED | {"contacts": [CONTACT] * 501}}, "to.contacts", "must have at most 500 entries, has 501"),
        ({"to": LISTED | {"roles": ["boss"]}}, "to.roles[0]", None),
        (
            {"to": LISTED | {"contacts": ["7"]}},
            "to.contacts[0]",
            "must be an id, as 00000000-0000-4000-8000-000000000000",
        ),
        ({"to": LISTED | {"phones": ["+27"]}}, "to.phones", "is not known here; see /docs for the names"),
        ({"category": "advert"}, "category", "must be 'service' or 'marketing'"),
        ({"categroy": "marketing"}, "categroy", "is not known here; see /docs for the names"),
        ({"<script>": 1}, "a field", "is not known here; see /docs for the names"),
        ({"delivery_id": "ä"}, "delivery_id", None),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_stored(
    api: Api, http: httpx.AsyncClient, agency: Organization, change: dict[str, Any], field: str, detail: str | None
) -> None:
    answer = await http.post(PATH, json=REQUEST | change, headers=token_of(agency))

    assert answer.status_code == 422
    problem = answer.json()
    assert problem["type"] == "/docs#invalid-message"
    [error] = problem["errors"]
    assert error["field"] == field
    assert detail in (None, error["detail"])
    assert api.inbox() == []


async def test_all_wrong_fields_are_named_at_once_and_no_value_is_quoted(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    body = {"title": "x", "to": {"emails": ["secret person"]}, "message": ["secret text"]}

    answer = await http.post(PATH, json=body, headers=token_of(agency))

    assert [error["field"] for error in answer.json()["errors"]] == ["event", "message", "to.emails[0]"]
    assert "secret" not in answer.text
    assert api.inbox() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 422),
        (b'"text"', 422),
        (b"{}", 422),
        (b'{"event": "x\\ud800"}', 422),
        (b'{"event": "a", "event": "b"}', 400),
        (b'{"to": ' + b"[" * 100_000, 400),
        (b"", 400),
        (b'{"message": "' + b"b" * 300_000 + b'"}', 413),
    ],
)
async def test_a_hostile_body_is_refused_and_nothing_is_stored(
    api: Api, http: httpx.AsyncClient, agency: Organization, body: bytes, status: int
) -> None:
    headers = token_of(agency) | {"content-type": "application/json"}

    answer = await http.post(PATH, content=body, headers=headers)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert api.inbox() == []


async def test_a_stranger_and_a_suspended_organization_store_nothing(
    api: Api, http: httpx.AsyncClient, agency: Organization, outsider: Organization
) -> None:
    stranger = await http.post(PATH, json=REQUEST, headers=token_of(outsider))
    api.execute("update organizations set status = 'suspended' where slug = 'outsider'")
    suspended = await http.post("/webhook/outsider/notifications", json=REQUEST, headers=token_of(outsider))

    assert (stranger.status_code, suspended.status_code) == (401, 403)
    assert api.inbox() == []


async def test_the_route_stands_in_the_documents(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    page = await http.get("/docs")

    operation = document["paths"]["/webhook/{slug}/notifications"]["post"]
    content = operation["requestBody"]["content"]
    assert list(content) == ["application/json"]
    assert set(content["application/json"]["schema"]["properties"]) == set(MessageRequest.model_fields)
    assert "/webhook/{slug}/notifications" in page.text
    assert 'id="invalid-message"' in page.text
