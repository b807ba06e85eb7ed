"""Wishes for fresh numbers: taken up at most once an hour for each client, and by one run."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from draggonnb_pipelines.domain.fresh_numbers import PAUSE
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics.fresh_numbers import (
    FRESH,
    LEASE_SECONDS,
    asked_in,
    close_requests,
    take_requests,
)
from tests.workflows.lead_work import count, master_rows, variant

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
NOTHING = {"notification_deliveries": 0, "platform_metrics": 0}


def at(stack: Stack, **since: float) -> Stack:
    moment = NOW + timedelta(**since)
    return variant(stack, now=lambda: moment)


async def wish(stack: Stack, organization: Organization) -> None:
    await master_rows(
        stack,
        "insert into inbox (organization_id, topic, source, delivery_id) values (%s, 'analytics', 'api', %s)",
        organization.id,
        str(uuid4()),
    )


async def states(stack: Stack) -> list[str]:
    return [row["state"] for row in await master_rows(stack, "select state from inbox order by received_at")]


async def askers(stack: Stack) -> int:
    async with stack.master.connection() as conn:
        return await FRESH.count_askers(conn, now=stack.now(), pause_seconds=PAUSE.total_seconds())


async def test_all_wishes_of_a_client_are_served_together_and_the_next_ones_an_hour_later(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    for _ in range(3):
        await wish(stack, agency)
    now = at(stack)

    assert await askers(now) == 1
    assert await take_requests(now, "run-1") == ["draggonnb"]
    assert await close_requests(now, "run-1", ["draggonnb", "outsider"]) == 3

    await wish(stack, agency)
    assert await take_requests(at(stack, minutes=59), "run-2") == []
    assert await askers(at(stack, minutes=59)) == 0
    assert await askers(at(stack, minutes=61)) == 1
    assert await take_requests(at(stack, minutes=61), "run-2") == ["draggonnb"]
    assert await states(stack) == ["done"] * 3 + ["claimed"]
    assert await count(stack, outsider, *NOTHING) == NOTHING


async def test_of_runs_at_the_same_time_one_takes_it(stack: Stack, agency: Organization) -> None:
    for _ in range(5):
        await wish(stack, agency)

    taken = await asyncio.gather(*(take_requests(at(stack), f"run-{number}") for number in range(6)))

    assert sorted(taken) == [[]] * 5 + [["draggonnb"]]


async def test_what_a_killed_run_held_is_taken_by_the_next_one_after_its_lease(
    stack: Stack, agency: Organization
) -> None:
    await wish(stack, agency)
    await take_requests(at(stack), "run-1")

    assert await take_requests(at(stack, seconds=LEASE_SECONDS - 1), "run-2") == []
    assert await take_requests(at(stack, seconds=LEASE_SECONDS + 1), "run-2") == ["draggonnb"]

    assert await close_requests(at(stack, hours=1), "run-1", ["draggonnb"]) == 0
    assert await close_requests(at(stack, hours=1), "run-2", ["draggonnb"]) == 1
    assert await states(stack) == ["done"]


async def test_only_those_whose_numbers_came_are_done(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await wish(stack, agency)
    await wish(stack, outsider)

    assert await take_requests(at(stack), "run-1") == ["draggonnb", "outsider"]
    assert await asked_in(stack, "run-1") == ["draggonnb", "outsider"]
    assert await close_requests(at(stack), "run-1", ["outsider"]) == 1

    assert await asked_in(stack, "run-1") == ["draggonnb"]
    assert await asked_in(stack, "run-2") == []
    assert await states(stack) == ["claimed", "done"]


async def test_a_suspended_client_is_not_served(stack: Stack, agency: Organization, outsider: Organization) -> None:
    await wish(stack, outsider)
    await master_rows(stack, "update organizations set status = 'suspended' where slug = 'outsider'")
    try:
        assert await askers(at(stack)) == 0
        assert await take_requests(at(stack), "run-1") == []
    finally:
        await master_rows(stack, "update organizations set status = 'active' where slug = 'outsider'")
