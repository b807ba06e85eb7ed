"""The webhook for content: a request is stored once, sealed, and answered; a wrong one is refused by name."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from draggonnb_pipelines.domain.content_requests import ContentSubmission, Schedule
from draggonnb_pipelines.domain.inbox import parsed_context, raw_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.postgres import Tenants
from tests.api.conftest import Api, ServeApi, token_of

PATH = "/webhook/draggonnb/generate-content"
REQUEST = {
    "brief": "Our new filter roast is here.",
    "platforms": ["facebook", "x"],
    "publish_at": "2026-12-01T09:00",
    "requested_by": "marketing@client.example",
}
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def stopped_clock(api: Api) -> None:
    api.clock.moment = NOW


async def test_a_request_is_stored_sealed_and_answered_with_its_id(
    api: Api, http: httpx.AsyncClient, agency: Organization, outsider: Organization, tenants: Tenants
) -> None:
    answer = await http.post(PATH, json=REQUEST, headers=token_of(agency))

    assert answer.status_code == 202
    (row,) = api.inbox()
    assert answer.json() == {"id": str(row["id"]), "status": "accepted", "duplicate": False}
    assert (row["organization_id"], row["topic"], row["source"], row["state"]) == (
        agency.id,
        "content",
        "api",
        "received",
    )
    assert b"roast" not in row["raw_sealed"] + row["parsed_sealed"]
    key = tenants.key(agency)
    assert json.loads(key.open(row["raw_sealed"], raw_context(agency.id))) == REQUEST
    parsed = key.open(row["parsed_sealed"], parsed_context(agency.id))
    assert ContentSubmission.model_validate_json(parsed) == ContentSubmission(
        brief="Our new filter roast is here.",
        platforms=(Platform.FACEBOOK, Platform.X),
        schedule=Schedule(publish_at="2026-12-01T09:00"),
        requested_by="marketing@client.example",
    )


async def test_a_repeat_gets_the_first_ones_id_and_says_if_it_changed(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    headers = token_of(agency) | {"x-delivery-id": "job-7"}
    answers = await asyncio.gather(*(http.post(PATH, json=REQUEST, headers=headers) for _ in range(10)))

    changed = await http.post(PATH, json=REQUEST | {"brief": "Another one."}, headers=headers)

    assert {answer.status_code for answer in answers} == {202}
    assert [answer.json()["duplicate"] for answer in answers].count(False) == 1
    [row] = api.inbox()
    assert row["delivery_id"] == "job-7"
    assert changed.json() == {"id": str(row["id"]), "status": "accepted", "duplicate": True, "changed": True}


async def test_a_lead_and_a_request_with_the_same_delivery_id_do_not_meet(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    headers = token_of(agency) | {"x-delivery-id": "same"}

    await http.post("/webhook/draggonnb/leads", json={"email": "a@a.example", "source": "api"}, headers=headers)
    await http.post(PATH, json=REQUEST, headers=headers)

    assert sorted(row["topic"] for row in api.inbox()) == ["content", "leads"]


async def test_a_form_is_read(api: Api, http: httpx.AsyncClient, agency: Organization) -> None:
    fields = {"brief": "Our new roast.", "platforms": "facebook, x", "next_free_slot": "on"}

    answer = await http.post(PATH, data=fields, headers=token_of(agency))

    assert answer.status_code == 202
    assert len(api.inbox()) == 1


@pytest.mark.parametrize(
    ("change", "field", "detail"),
    [
        ({"brief": "No"}, "brief", "must have at least 3 characters, has 2"),
        ({"brief": "b" * 4001}, "brief", "must have at most 4000 characters, has 4001"),
        ({"platforms": ["tiktok"]}, "platforms", "'tiktok' is none of the platforms: facebook, instagram, linkedin, x"),
        (
            {"publish_at": "2026-11-23T08:00"},
            "publish_at",
            "'2026-11-23T08:00' is 2 hours in the past; 5 minutes at most is taken as now",
        ),
        (
            {"publish_at": "2028-01-01T09:00"},
            "publish_at",
            "'2028-01-01T09:00' is 403 days 23 hours ahead; 366 days at most can be planned",
        ),
        ({"media": ["https://example.org/pie.jpg"]}, "media[0]", None),
    ],
)
async def test_a_wrong_request_is_refused_by_name_and_nothing_is_stored(
    api: Api, http: httpx.AsyncClient, agency: Organization, change: dict[str, Any], field: str, detail: str | None
) -> None:
    answer = await http.post(PATH, json=REQUEST | change, headers=token_of(agency))

    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["type"], problem["title"]) == (
        "/docs#invalid-content-request",
        "The request for content cannot be taken",
    )
    [error] = problem["errors"]
    assert error["field"] == field
    assert detail in (None, error["detail"])
    assert "marketing@client.example" not in answer.text
    assert api.inbox() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"brief": "Beans \\u0000 beans"}', 422),
        (b'{"brief": "Beans \\ud800 beans"}', 422),
        (b'{"brief": "Beans", "\\ud800": 1}', 422),
        (b'{"brief": {"a": "Beans"}}', 422),
        (b'{"brief": "Beans", "template": "news\\u202egpj"}', 422),
        (b'{"brief": "Beans", "requested_by": "a@b.example\\r\\nBcc: c@d.example"}', 422),
        (b'{"brief": "Beans", "source": "recurring"}', 422),
        (b'{"brief": "Beans", "media": [{"path": "a.jpg", "etag": "x"}]}', 422),
        (b'{"brief": "Beans", "media": ["../media-outsider/a.jpg"]}', 422),
        (b'{"brief": "Beans", "media": ["/a.jpg"]}', 422),
        (b'{"brief": "Beans", "media": "a.jpg", "images": "b.jpg"}', 422),
        (b'{"brief": "Beans", "brief": "Other beans"}', 400),
        (b'{"brief": "Beans", "media": ' + b"[" * 100_000, 400),
        (b'{"brief": "Beans \xff"}', 400),
        (b'{"brief": "' + b"b" * 300_000 + b'"}', 413),
    ],
)
async def test_a_hostile_body_is_refused_and_nothing_is_stored(
    api: Api, http: httpx.AsyncClient, agency: Organization, body: bytes, status: int
) -> None:
    headers = token_of(agency) | {"content-type": "application/json"}

    answer = await http.post(PATH, content=body, headers=headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert api.inbox() == []


async def test_a_time_in_a_gap_of_the_clocks_is_refused(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    api.execute("update organizations set timezone = 'America/New_York' where slug = 'draggonnb'")

    answer = await http.post(PATH, json=REQUEST | {"publish_at": "2027-03-14T02:30"}, headers=token_of(agency))

    [error] = answer.json()["errors"]
    assert "the clocks of America/New_York skip this time" in error["detail"]
    assert "2027-03-14 01:59 and 2027-03-14 03:00" in error["detail"]
    assert api.inbox() == []


async def test_a_stranger_stores_nothing(
    api: Api, http: httpx.AsyncClient, agency: Organization, outsider: Organization
) -> None:
    answer = await http.post(PATH, json=REQUEST, headers=token_of(outsider))

    assert answer.status_code == 401
    assert api.inbox() == []


async def test_a_suspended_organization_is_told_so_and_stores_nothing(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    api.execute("update organizations set status = 'suspended' where slug = 'draggonnb'")

    answer = await http.post(PATH, json=REQUEST, headers=token_of(agency))

    assert answer.status_code == 403
    assert answer.json()["detail"] == "The organization is suspended. Nothing was stored."
    assert api.inbox() == []


async def test_leads_and_requests_of_an_organization_share_its_rate(serve_api: ServeApi, agency: Organization) -> None:
    with serve_api(api_rate_per_minute=2) as slow:
        slow.clock.moment = NOW
        async with httpx.AsyncClient(base_url=slow.url, timeout=20) as http:
            first = await http.post("/webhook/draggonnb/leads", json={"email": "a@a.example"}, headers=token_of(agency))
            second = await http.post(PATH, json=REQUEST, headers=token_of(agency))
            third = await http.post(PATH, json=REQUEST | {"brief": "Once more."}, headers=token_of(agency))

    assert [answer.status_code for answer in (first, second, third)] == [202, 202, 429]
    assert int(third.headers["retry-after"]) > 0


async def test_the_route_stands_in_the_documents(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    page = await http.get("/docs")

    operation = document["paths"]["/webhook/{slug}/generate-content"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["brief"]
    assert schema["properties"]["platforms"]["items"] == {"enum": ["facebook", "instagram", "linkedin", "x"]}
    assert "/webhook/{slug}/generate-content" in page.text
    assert 'id="invalid-content-request"' in page.text
