"""Owners are told of 80 and 100 percent of a limit: once each, whatever runs at once, is killed, or changes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing import usage_alerts
from draggonnb_pipelines.workflows.billing.usage import reserve
from tests.sandbox_process import Sandbox
from tests.workflows.conftest import World
from tests.workflows.lead_work import tenant_rows, variant
from tests.workflows.post_reviews import OWNER
from tests.workflows.usage_work import (
    LIMITS,
    NOW,
    TODAY,
    alerted,
    choose,
    on_the_small_plan,
    posts,
    report,
    take_plans_back,
    told,
    use,
)

SUBJECT = "{} of your plan's {} posts a month are taken"


@pytest.fixture
async def planned(stack: Stack, world: World) -> AsyncIterator[Stack]:
    yield await on_the_small_plan(stack)
    take_plans_back(world)


async def test_eighty_and_a_hundred_percent_are_told_once_each(
    planned: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await use(planned, agency, "posts_monthly", *posts(1, 7))
    await report(planned)
    before = told(sandbox)
    await use(planned, agency, "posts_monthly", *posts(8, 9))
    first = (await report(planned)).done[TODAY].metadata["newly reached"]
    again = (await report(planned)).done[TODAY].metadata
    await use(planned, agency, "posts_monthly", *posts(10, 10))
    await report(planned)
    await report(planned)

    assert before == []
    assert first == ["posts_monthly 2026-11: 80 %"]
    assert "newly reached" not in again
    assert told(sandbox) == [(OWNER, SUBJECT.format(10, 10)), (OWNER, SUBJECT.format(9, 10))]
    [full] = [mail for mail in sandbox.public("mail") if mail["text"].startswith("10 of")]
    assert full["text"].split("\n\n")[1:4] == [
        "10 of 10 posts a month are taken: 100.0 %.",
        "This is for November 2026; the count begins again on 01 December 2026.",
        "Further posts of this month are not scheduled.",
    ]
    assert (await alerted(planned, agency))["posts_monthly"] == 100


async def test_a_jump_over_both_thresholds_tells_of_the_higher_one_alone(
    planned: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await use(planned, agency, "posts_monthly", *posts(1, 10))

    await report(planned)
    await report(planned)

    assert told(sandbox) == [(OWNER, SUBJECT.format(10, 10))]


async def test_reports_that_run_at_once_tell_once(planned: Stack, sandbox: Sandbox, agency: Organization) -> None:
    await use(planned, agency, "posts_monthly", *posts(1, 8))
    await use(planned, agency, "social_accounts", "a", "b")

    await asyncio.gather(*(report(planned) for _ in range(8)))

    assert sorted(told(sandbox)) == [
        (OWNER, "2 of your plan's 2 connected social accounts are taken"),
        (OWNER, SUBJECT.format(8, 10)),
    ]
    bells = await tenant_rows(planned, agency, "select type, message from notifications order by 2")
    assert [bell["type"] for bell in bells] == ["usage_alert"] * 2


async def test_a_run_that_is_killed_between_the_notice_and_its_mark_tells_once_all_the_same(
    planned: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await use(planned, agency, "posts_monthly", *posts(1, 8))
    await report(planned)
    await tenant_rows(planned, agency, "update usage_counters set alerted_percent = 0")

    await report(planned)

    assert told(sandbox) == [(OWNER, SUBJECT.format(8, 10))]
    assert (await alerted(planned, agency))["posts_monthly"] == 80


async def test_after_a_change_of_plan_each_threshold_of_the_new_limit_is_told_once(
    planned: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await use(planned, agency, "posts_monthly", *posts(1, 10))
    await report(planned)
    await choose(planned, "large")
    await report(planned)
    at_upgrade = told(sandbox)
    await use(planned, agency, "posts_monthly", *posts(11, 40))
    await report(planned)
    await choose(planned, "small")
    await report(planned)
    await choose(planned, "large")
    await asyncio.gather(report(planned), report(planned))

    assert at_upgrade == [(OWNER, SUBJECT.format(10, 10))]
    # Back on the small plan 40 of 10 are taken; that its limit is reached was told already.
    assert told(sandbox) == [(OWNER, SUBJECT.format(10, 10)), (OWNER, SUBJECT.format(40, 50))]
    assert (await alerted(planned, agency))["posts_monthly"] == 80


async def test_a_new_month_is_told_of_anew_from_midnight_in_johannesburg_on(
    planned: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await use(planned, agency, "posts_monthly", *posts(1, 10), at=datetime(2026, 11, 30, 21, 59, tzinfo=UTC))
    await use(planned, agency, "posts_monthly", "new", at=datetime(2026, 11, 30, 22, 0, tzinfo=UTC))
    last = variant(planned, now=lambda: datetime(2026, 11, 30, 21, 59, 59, tzinfo=UTC))
    first = variant(planned, now=lambda: datetime(2026, 11, 30, 22, 0, tzinfo=UTC))
    key = PartitionKey("draggonnb", date(2026, 11, 30))

    november = (await report(last, key)).done[key].metadata
    december = (await report(first, key)).done[key].metadata

    assert (november["posts_monthly (taken)"], december["posts_monthly (taken)"]) == (10, 1)
    assert "| posts a month | 1 | 0 | 10 |" in november["usage"].text  # what is planned for December
    assert told(sandbox) == [(OWNER, SUBJECT.format(10, 10))]


async def test_a_coming_month_that_is_planned_full_is_told_of_now(
    planned: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    december = NOW + timedelta(days=20)
    async with planned.tenants.open(agency) as tenant:
        await reserve(planned, tenant, "posts_monthly", posts(1, 10), at=december, expires_at=december)

    await report(planned)
    await report(planned)

    assert told(sandbox) == [(OWNER, SUBJECT.format(10, 10))]
    text = sandbox.public("mail")[0]["text"]
    assert "10 of them are planned and not done yet." in text
    assert "This is for December 2026; the count begins again on 01 January 2027." in text


def test_every_metric_says_what_follows_at_its_limit() -> None:
    assert set(usage_alerts.AT_THE_LIMIT) == set(LIMITS)
