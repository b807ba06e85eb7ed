"""The webhook for fresh numbers: every wish is taken, and answered with when its numbers come."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from tests.api.conftest import Api, ServeApi, token_of

PATH = "/webhook/draggonnb/analytics"
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def stopped_clock(api: Api) -> None:
    api.clock.moment = NOW


def finish(api: Api, at: str) -> None:
    api.execute("update inbox set state = 'done', finished_at = %s", at)


async def test_a_wish_is_stored_and_worked_on_from_now(
    api: Api, http: httpx.AsyncClient, agency: Organization, outsider: Organization
) -> None:
    answer = await http.post(PATH, json={}, headers=token_of(agency))

    [row] = api.inbox()
    assert (answer.status_code, answer.json()) == (
        202,
        {
            "id": str(row["id"]),
            "status": "accepted",
            "duplicate": False,
            "numbers_from": "2026-11-23T08:00:00+00:00",
        },
    )
    assert (row["organization_id"], row["topic"], row["state"]) == (agency.id, "analytics", "received")


async def test_within_the_hour_more_is_taken_and_told_to_wait_for_its_end(
    api: Api, http: httpx.AsyncClient, agency: Organization, outsider: Organization
) -> None:
    await http.post(PATH, json={}, headers=token_of(agency))
    finish(api, "2026-11-23T07:40:00Z")

    second = await http.post(PATH, headers=token_of(agency))
    theirs = await http.post("/webhook/outsider/analytics", json={}, headers=token_of(outsider))

    assert (second.status_code, second.json()["numbers_from"]) == (202, "2026-11-23T08:40:00+00:00")
    assert theirs.json()["numbers_from"] == "2026-11-23T08:00:00+00:00"
    assert [row["state"] for row in api.inbox()] == ["done", "received", "received"]


async def test_after_the_hour_it_is_worked_on_at_once_and_while_a_run_is_at_work_after_a_further_one(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    await http.post(PATH, json={}, headers=token_of(agency))
    finish(api, "2026-11-23T06:59:00Z")
    free = await http.post(PATH, json={}, headers=token_of(agency))
    api.execute(
        "update inbox set state = 'claimed', batch_id = gen_random_uuid(), lease_until = %s where state = 'received'",
        "2026-11-23T08:10:00Z",
    )
    busy = await http.post(PATH, json={}, headers=token_of(agency))

    assert free.json()["numbers_from"] == "2026-11-23T08:00:00+00:00"
    assert busy.json()["numbers_from"] == "2026-11-23T09:00:00+00:00"


async def test_wishes_with_one_delivery_id_are_one_and_those_without_are_each_their_own(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    headers = token_of(agency) | {"x-delivery-id": "morning"}
    answers = await asyncio.gather(*(http.post(PATH, json={}, headers=headers) for _ in range(6)))
    for _ in range(2):
        await http.post(PATH, json={}, headers=token_of(agency))

    assert [answer.json()["duplicate"] for answer in answers].count(False) == 1
    assert len(api.inbox()) == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [({"since": "2026-01-01"}, "since"), ({"delivery_id": 7}, "delivery_id"), ([], "body"), ("now", "body")],
)
async def test_a_wrong_field_is_named_and_nothing_is_stored(
    api: Api, http: httpx.AsyncClient, agency: Organization, body: object, field: str
) -> None:
    answer = await http.post(PATH, json=body, headers=token_of(agency))

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert api.inbox() == []


async def test_a_stranger_stores_nothing(
    api: Api, http: httpx.AsyncClient, agency: Organization, outsider: Organization
) -> None:
    answer = await http.post(PATH, json={}, headers=token_of(outsider))

    assert answer.status_code == 401
    assert api.inbox() == []


async def test_the_rate_of_the_organization_holds_here_too(serve_api: ServeApi, agency: Organization) -> None:
    with serve_api(api_rate_per_minute=2) as slow:
        async with httpx.AsyncClient(base_url=slow.url, timeout=20) as http:
            answers = [await http.post(PATH, json={}, headers=token_of(agency)) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 429]


async def test_the_route_stands_in_the_documents(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()

    answers = document["paths"]["/webhook/{slug}/analytics"]["post"]["responses"]
    assert "numbers_from" in answers["202"]["content"]["application/json"]["schema"]["properties"]
