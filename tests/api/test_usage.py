"""Calls of the API: each is counted once in its month, those beyond the plan are refused, and a lead never is."""

import asyncio
import re
from datetime import UTC, date, datetime

import httpx
import psycopg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import Tenants
from tests.api.conftest import Api, ServeApi, token_of

LEAD = {"name": "Front", "email": "desk@kloof.example"}
REQUEST = {"brief": "Our new filter roast is here.", "publish_at": "2026-12-20T09:00"}
LEADS, CONTENT = "/webhook/draggonnb/leads", "/webhook/draggonnb/generate-content"
USAGE = "/api/usage-metrics?organization=draggonnb"
CALLS = "select o.slug, a.day, a.calls from api_calls a join organizations o on o.id = a.organization_id order by 1, 2"
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
TODAY = date(2026, 11, 23)


@pytest.fixture
def three_calls(api: Api, agency: Organization, outsider: Organization) -> Api:
    """A plan that allows the agency three calls a month, two posts and one account; the outsider has no plan."""
    api.clock.moment = NOW
    api.execute("insert into plans (key, name, position) values ('few', 'Few', 99)")
    api.execute(
        "insert into plan_limits (plan_key, metric, effective_from, limit_value) values ('few', 'api_calls',"
        " '2026-01-01', 3), ('few', 'posts_monthly', '2026-01-01', 2), ('few', 'social_accounts', '2026-01-01', 1)"
    )
    api.execute("update organizations set plan_key = 'few' where id = %s", agency.id)
    return api


def calls(api: Api) -> list[tuple[str, date, int]]:
    return [(row["slug"], row["day"], row["calls"]) for row in api.rows(CALLS)]


def asked(number: int) -> dict[str, str]:
    return REQUEST | {"delivery_id": f"request-{number}"}


async def test_the_fourth_of_three_calls_is_refused_with_the_number_and_the_day_on_which_it_begins_again(
    three_calls: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    answers = [await http.post(CONTENT, json=asked(number), headers=token_of(agency)) for number in range(5)]

    assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
    assert answers[3].headers["content-type"] == "application/problem+json"
    assert answers[3].json() == {
        "type": "/docs#over-plan",
        "title": "The plan has no call left this month",
        "status": 429,
        "detail": "3 calls were made this month, and the plan allows 3. The count begins again on 2026-12-01 at 00:00 "
        "(Africa/Johannesburg); a larger plan lifts the limit at once. Leads are taken all the same.",
    }
    assert answers[3].headers["retry-after"] == str(7 * 86400 + 14 * 3600)
    assert [row["delivery_id"] for row in three_calls.inbox()] == ["request-0", "request-1", "request-2"]


async def test_who_has_no_call_left_still_sees_the_numbers_and_every_look_counts(
    three_calls: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    answers = [await http.get(USAGE, headers=token_of(agency)) for _ in range(5)]
    refused = await http.post(CONTENT, json=REQUEST, headers=token_of(agency))

    assert [answer.status_code for answer in answers] == [200] * 5
    shown = [next(one for one in answer.json()["metrics"] if one["metric"] == "api_calls") for answer in answers]
    assert [(one["used"], one["limit"], one["remaining"]) for one in shown] == [
        (1, 3, 2), (2, 3, 1), (3, 3, 0), (4, 3, 0), (5, 3, 0),
    ]  # fmt: skip
    assert refused.status_code == 429
    assert three_calls.inbox() == []


async def test_of_thirty_calls_at_once_exactly_three_pass(
    three_calls: Api, http: httpx.AsyncClient, agency: Organization, outsider: Organization
) -> None:
    sent = [http.post(CONTENT, json=asked(number), headers=token_of(agency)) for number in range(30)]
    others = [
        http.post("/webhook/outsider/generate-content", json=asked(number), headers=token_of(outsider))
        for number in range(10)
    ]

    answers = await asyncio.gather(*sent, *others)

    assert sorted(answer.status_code for answer in answers[:30]) == [202] * 3 + [429] * 27
    assert {answer.status_code for answer in answers[30:]} == {202}


async def test_a_lead_is_counted_and_never_refused_for_a_limit(
    three_calls: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    leads = [await http.post(LEADS, json=LEAD | {"n": number}, headers=token_of(agency)) for number in range(5)]
    content = await http.post(CONTENT, json=REQUEST, headers=token_of(agency))
    more = [await http.post(LEADS, json=LEAD | {"m": number}, headers=token_of(agency)) for number in range(5)]

    assert {answer.status_code for answer in [*leads, *more]} == {202}
    assert content.status_code == 429
    assert content.json()["detail"].startswith("5 calls were made this month, and the plan allows 3.")
    assert {row["topic"] for row in three_calls.inbox()} == {"leads"}
    assert len(three_calls.inbox()) == 10


async def test_a_lead_is_taken_and_counted_though_its_organizations_zone_is_no_zone(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    api.execute("update organizations set timezone = 'Africa/Johannesburgh'")

    answer = await http.post(LEADS, json=LEAD, headers=token_of(agency))

    assert answer.status_code == 202


async def test_counts_survive_a_clean_shutdown(serve_api: ServeApi, agency: Organization) -> None:
    with serve_api() as api:
        api.clock.moment = NOW
        async with httpx.AsyncClient(base_url=api.url) as http:
            for number in range(7):
                await http.post(LEADS, json=LEAD | {"n": number}, headers=token_of(agency))
            await http.post(LEADS, json=LEAD, headers={"x-webhook-token": "wrong"})
            assert calls(api) == []

    assert calls(api) == [("draggonnb", TODAY, 7)]


async def test_a_new_process_knows_what_the_last_one_counted(
    three_calls: Api, serve_api: ServeApi, http: httpx.AsyncClient, agency: Organization
) -> None:
    with serve_api() as earlier:
        earlier.clock.moment = NOW
        async with httpx.AsyncClient(base_url=earlier.url) as to_earlier:
            sent = [await to_earlier.post(CONTENT, json=asked(number), headers=token_of(agency)) for number in range(2)]

    later = [await http.post(CONTENT, json=asked(number), headers=token_of(agency)) for number in (7, 8)]

    assert [answer.status_code for answer in [*sent, *later]] == [202, 202, 202, 429]


async def test_a_month_begins_at_midnight_in_johannesburg_and_not_in_utc(
    three_calls: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    three_calls.clock.moment = datetime(2026, 11, 30, 21, 59, 59, tzinfo=UTC)
    november = [await http.post(CONTENT, json=asked(number), headers=token_of(agency)) for number in range(4)]
    three_calls.clock.moment = datetime(2026, 11, 30, 22, 0, 0, tzinfo=UTC)
    december = [await http.post(CONTENT, json=asked(number), headers=token_of(agency)) for number in range(10, 13)]
    used = await http.post(CONTENT, json=asked(13), headers=token_of(agency))

    assert [answer.status_code for answer in november] == [202, 202, 202, 429]
    assert november[3].headers["retry-after"] == "1"
    assert [answer.status_code for answer in december] == [202, 202, 202]
    assert used.status_code == 429
    assert calls(three_calls) == [("draggonnb", date(2026, 11, 30), 3)]


async def test_the_days_of_two_zones_are_their_own(
    serve_api: ServeApi, agency: Organization, outsider: Organization
) -> None:
    with serve_api() as api:
        api.execute("update organizations set timezone = 'UTC' where slug = 'outsider'")
        api.clock.moment = datetime(2026, 11, 30, 22, 30, tzinfo=UTC)
        async with httpx.AsyncClient(base_url=api.url) as http:
            await http.post(LEADS, json=LEAD, headers=token_of(agency))
            await http.post("/webhook/outsider/leads", json=LEAD, headers=token_of(outsider))

    assert calls(api) == [("draggonnb", date(2026, 12, 1), 1), ("outsider", date(2026, 11, 30), 1)]


async def test_a_larger_plan_lets_calls_in_again(
    three_calls: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    before = [(await http.post(CONTENT, json=asked(number), headers=token_of(agency))) for number in range(4)]
    three_calls.execute("update plan_limits set limit_value = 4 where plan_key = 'few' and metric = 'api_calls'")

    after = [429]
    while after[-1] == 429 and len(after) < 60:  # known once the count was stored again
        await asyncio.sleep(0.2)
        after.append((await http.post(CONTENT, json=asked(9), headers=token_of(agency))).status_code)

    assert [answer.status_code for answer in before] == [202, 202, 202, 429]
    assert after[-1] == 202


async def test_calls_wait_in_memory_while_the_database_cannot_take_them(
    serve_api: ServeApi, agency: Organization
) -> None:
    with serve_api() as api:
        api.clock.moment = NOW
        api.execute("alter table api_calls add constraint full_up check (calls < 0)")
        async with httpx.AsyncClient(base_url=api.url) as http:
            taken = await http.post(CONTENT, json=REQUEST, headers=token_of(agency))
            shown = await http.get(USAGE, headers=token_of(agency))
            stored_meanwhile = calls(api)
            api.execute("alter table api_calls drop constraint full_up")

    assert (taken.status_code, shown.status_code, stored_meanwhile) == (202, 200, [])
    assert calls(api) == [("draggonnb", TODAY, 2)]


async def test_the_answer_says_how_each_metric_stands_this_call_included(
    three_calls: Api, http: httpx.AsyncClient, agency: Organization, tenants: Tenants
) -> None:
    async with tenants.open(agency) as tenant:
        await tenant.conn.execute(
            "insert into usage_counters (metric, period_start, period_end, used, reserved, limit_value) values"
            " ('posts_monthly', '2026-10-01', '2026-11-01', 9, 0, 9),"
            " ('posts_monthly', '2026-11-01', '2026-12-01', 1, 1, 9)"
        )
    await http.post(LEADS, json=LEAD, headers=token_of(agency))

    answer = await http.get(USAGE, headers=token_of(agency))

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert {name: body[name] for name in ("organization", "plan", "timezone")} == {
        "organization": "draggonnb",
        "plan": "few",
        "timezone": "Africa/Johannesburg",
    }
    months = {"period_start": "2026-11-01", "resets_at": "2026-12-01T00:00:00+02:00"}
    lasts = {"period_start": None, "resets_at": None}
    unlimited = {"limit": None, "remaining": None, "percent": None}
    assert body["metrics"] == [
        {"metric": "posts_monthly", "name": "posts a month", "used": 1, "reserved": 1, "limit": 2, "remaining": 0,
         "percent": 100.0} | months,
        {"metric": "ai_generations", "name": "AI texts a month", "used": 0, "reserved": 0} | unlimited | months,
        {"metric": "social_accounts", "name": "connected social accounts", "used": 0, "reserved": 0, "limit": 1,
         "remaining": 1, "percent": 0.0} | lasts,
        {"metric": "users", "name": "active users", "used": 1, "reserved": 0} | unlimited | lasts,
        {"metric": "api_calls", "name": "API calls a month", "used": 2, "reserved": 0, "limit": 3, "remaining": 1,
         "percent": 66.7} | months,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("?organization=draggonnb", {}, 401),
        ("?organization=draggonnb", {"x-webhook-token": "token-of-outsider"}, 401),
        ("?organization=nobody", {"x-webhook-token": "token-of-draggonnb"}, 404),
        ("?organization=../draggonnb", {"x-webhook-token": "token-of-draggonnb"}, 404),
        ("", {"x-webhook-token": "token-of-draggonnb"}, 404),
    ],
)
async def test_nobody_else_learns_how_much_an_organization_uses(
    query: str,
    headers: dict[str, str],
    status: int,
    api: Api,
    http: httpx.AsyncClient,
    agency: Organization,
    outsider: Organization,
) -> None:
    answer = await http.get(f"/api/usage-metrics{query}", headers=headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {"type", "title", "status", "detail"}
    assert calls(api) == []


async def test_a_database_that_is_away_is_503_and_no_number(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    api.execute("update organizations set database_name = 'gone' where slug = 'draggonnb'")

    answer = await http.get(USAGE, headers=token_of(agency))

    api.execute("update organizations set database_name = %s where slug = 'draggonnb'", agency.database_name)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert not re.search(r'"used"', answer.text)


async def test_a_lead_waits_for_no_count(api: Api, http: httpx.AsyncClient, agency: Organization) -> None:
    # Whoever reads or writes the counts now waits for longer than the leads have time.
    with psycopg.connect(api.master_dsn) as blocker:
        blocker.execute("lock table api_calls, plan_limits in access exclusive mode")
        async with asyncio.timeout(4):
            answers = [
                await http.post(LEADS, json=LEAD | {"m": number}, headers=token_of(agency)) for number in range(20)
            ]
        blocker.rollback()

    assert {answer.status_code for answer in answers} == {202}
