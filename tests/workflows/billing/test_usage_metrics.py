"""How far a plan is used: counted from what happened, shown and stored per day, each client by itself."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import Markdown, PartitionKey
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.usage import release, reserve
from tests.sandbox_process import Sandbox
from tests.workflows.conftest import World
from tests.workflows.lead_work import count, master_rows, tenant_rows, variant
from tests.workflows.usage_work import (
    COUNTERS,
    NOW,
    TODAY,
    choose,
    on_the_small_plan,
    posts,
    report,
    take_plans_back,
    told,
    use,
)

DAYS = "select metric_name, date::text, value from client_usage_metrics order by 1, 2"


@pytest.fixture
async def planned(stack: Stack, world: World) -> AsyncIterator[Stack]:
    yield await on_the_small_plan(stack)
    take_plans_back(world)


async def test_the_report_counts_the_five_metrics_and_shows_them_with_bars(
    planned: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await use(planned, agency, "posts_monthly", *posts(1, 3))
    async with planned.tenants.open(agency) as tenant:
        await reserve(planned, tenant, "posts_monthly", ["next"], at=NOW, expires_at=NOW + timedelta(days=30))
    await master_rows(
        planned,
        "insert into api_calls select id, d::date, 5 from organizations, generate_series('2026-10-31'::date,"
        " '2026-11-23', '1 day') d where slug = 'draggonnb' and d not between '2026-11-02' and '2026-11-20'",
    )

    done = (await report(planned)).done[TODAY]

    assert isinstance(done.metadata["usage"], Markdown)
    assert done.metadata["usage"].text.splitlines()[2:] == [
        "| posts a month | 3 | 1 | 10 | `████░░░░░░ 40.0 %` | 2026-12-01 |",
        "| AI texts a month | 0 | 0 | 100 | `░░░░░░░░░░ 0.0 %` | 2026-12-01 |",
        "| connected social accounts | 0 | 0 | 2 | `░░░░░░░░░░ 0.0 %` | as long as it exists |",
        "| active users | 1 | 0 | 3 | `███░░░░░░░ 33.3 %` | as long as it exists |",
        "| API calls a month | 20 | 0 | 50 | `████░░░░░░ 40.0 %` | 2026-12-01 |",
    ]
    assert {name: value for name, value in done.metadata.items() if name != "usage"} == {
        "plan": "small",
        "as of": "2026-11-23T09:00:00+00:00",
        "posts_monthly (taken)": 4,
        "ai_generations (taken)": 0,
        "social_accounts (taken)": 0,
        "users (taken)": 1,
        "api_calls (taken)": 20,
    }
    assert [tuple(row.values()) for row in await tenant_rows(planned, agency, COUNTERS)] == [
        ("ai_generations", 0, 0, 100, 0),
        ("api_calls", 20, 0, 50, 0),
        ("posts_monthly", 3, 1, 10, 0),
        ("social_accounts", 0, 0, 2, 0),
        ("users", 1, 0, 3, 0),
    ]
    assert told(sandbox) == []
    assert await count(planned, outsider, "usage_counters", "client_usage_metrics") == {
        "usage_counters": 0,
        "client_usage_metrics": 0,
    }


async def test_the_days_of_the_charts_are_the_organizations_and_sum_up_to_the_counter(
    planned: Stack, agency: Organization
) -> None:
    await use(planned, agency, "posts_monthly", *posts(1, 4))
    await use(planned, agency, "ai_generations", "request-1")
    await released(planned, agency, "request-2")
    moments = {"post-1": "2026-11-22T21:59Z", "post-2": "2026-11-22T22:00Z", "request-1": "2026-11-23T08:00Z",
               # Published a minute after the month of its place had begun to count, and one before it did.
               "post-3": "2026-11-23T22:01Z", "post-4": "2026-10-31T21:00Z"}  # fmt: skip
    await done_at(planned, agency, moments)
    await master_rows(
        planned, "insert into api_calls select id, '2026-11-22', 7 from organizations where slug = 'draggonnb'"
    )

    done = (await report(planned)).done[TODAY]

    rows = [tuple(row.values()) for row in await tenant_rows(planned, agency, DAYS)]
    assert rows == [
        ("ai_generations", "2026-11-22", 0),
        ("ai_generations", "2026-11-23", 1),
        ("api_calls", "2026-11-22", 7),
        ("api_calls", "2026-11-23", 0),
        ("posts_monthly", "2026-11-22", 1),
        ("posts_monthly", "2026-11-23", 1),
        ("social_accounts", "2026-11-23", 0),
        ("users", "2026-11-23", 1),
    ]
    assert done.rows == len(rows)

    month = [PartitionKey("draggonnb", date(2026, 11, day)) for day in range(1, 25)]
    await report(variant(planned, now=lambda: datetime(2026, 12, 2, 9, tzinfo=UTC)), *month)

    total = "select sum(value) from client_usage_metrics where metric_name = 'posts_monthly' and date >= '2026-11-01'"
    assert (await tenant_rows(planned, agency, total))[0]["sum"] == 4


async def released(stack: Stack, organization: Organization, key: str) -> None:
    async with stack.tenants.open(organization) as tenant:
        await reserve(stack, tenant, "ai_generations", [key], at=NOW, expires_at=NOW + timedelta(days=1))
        await release(tenant, "ai_generations", [key])


async def done_at(stack: Stack, organization: Organization, moments: dict[str, str]) -> None:
    """Say when each place was committed, which the database's own clock says otherwise."""
    await tenant_rows(stack, organization, "alter table usage_reservations disable trigger touch_updated_at")
    for key, at in moments.items():
        await tenant_rows(
            stack, organization, "update usage_reservations set updated_at = %s where key like %s", at, f"%:{key}"
        )
    await tenant_rows(stack, organization, "alter table usage_reservations enable trigger touch_updated_at")


async def test_repeating_a_day_changes_nothing(planned: Stack, agency: Organization) -> None:
    await use(planned, agency, "posts_monthly", *posts(1, 2))
    everything = "select metric_name, date::text, value, updated_at from client_usage_metrics order by 1, 2"

    await report(planned)
    first = await tenant_rows(planned, agency, everything)
    await asyncio.gather(report(planned), report(planned))

    assert await tenant_rows(planned, agency, everything) == first


async def test_a_client_without_a_plan_is_counted_and_told_nothing(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await use(stack, agency, "posts_monthly", *posts(1, 200))

    done = (await report(variant(stack, now=lambda: NOW))).done[TODAY]

    assert "| posts a month | 200 | 0 | none | `no limit` | 2026-12-01 |" in done.metadata["usage"].text
    assert done.metadata["plan"] == "none"
    assert told(sandbox) == []


async def test_a_client_whose_database_is_away_fails_alone(
    planned: Stack, agency: Organization, outsider: Organization
) -> None:
    await master_rows(planned, "update organizations set database_name = 'gone' where slug = 'outsider'")
    away = [PartitionKey("outsider", date(2026, 11, day)) for day in (22, 23)]
    nobody = PartitionKey("nobody", date(2026, 11, 23))

    found = await report(planned, TODAY, *away, nobody)

    assert set(found.done) == {TODAY}
    assert set(found.failed) == {*away, nobody}
    assert "outsider" in found.failed[away[0]]


@pytest.mark.parametrize(("status", "end"), [("provisioning", "waiting"), ("closed", "done"), ("suspended", "done")])
async def test_every_organization_is_reported_as_far_as_it_has_a_system(
    status: str, end: str, planned: Stack, agency: Organization, outsider: Organization
) -> None:
    await master_rows(planned, "update organizations set status = %s where slug = 'outsider'", status)
    key = PartitionKey("outsider", date(2026, 11, 23))

    found: Any = await report(planned, key)

    assert list(getattr(found, end)) == [key]
    counted = await count(planned, outsider, "usage_counters")
    assert counted == {"usage_counters": 5 if status == "suspended" else 0}


async def test_the_limit_of_users_holds_from_the_first_report_on(planned: Stack, agency: Organization) -> None:
    add = "insert into users (organization_id, email) values (%s, %s)"
    emails = ["a@b.example", "b@b.example", "c@b.example"]

    await report(planned)
    refused = await added(planned, agency, add, emails)
    await choose(planned, "large")
    await report(planned)
    later = await added(planned, agency, add, ["d@b.example"])
    await tenant_rows(planned, agency, "delete from users where email like '%%@b.example'")

    assert (refused, later) == (["the plan allows 3 active users, and all these places are taken"], [])
    assert [row["used"] for row in await tenant_rows(planned, agency, COUNTERS) if row["metric"] == "users"] == [1]


async def added(stack: Stack, organization: Organization, query: str, emails: Sequence[str]) -> list[str]:
    """What adding them one after the other was refused with."""
    refused = []
    for email in emails:
        try:
            await tenant_rows(stack, organization, query, organization.id, email)
        except psycopg.errors.CheckViolation as error:
            refused.append(error.diag.message_primary or "")
    return refused
