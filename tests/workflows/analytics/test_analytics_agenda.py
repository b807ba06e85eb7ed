"""The agenda of the numbers: who is to be looked into, and whose day has no snapshot."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics.analytics_agenda import (
    DueClient,
    Look,
    clients_to_measure,
    days_to_take,
    note_measuring,
)
from tests.sandbox_process import Sandbox
from tests.workflows.analytics_agenda_work import NOON, due, entry, settled, taken
from tests.workflows.collection_work import SIX, TODAY, at
from tests.workflows.lead_work import master_rows
from tests.workflows.publish_work import approve, connect, publish


async def test_a_public_post_is_noted_for_an_hour_later_or_for_six_and_the_earliest_counts(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await taken(stack, TODAY, agency, outsider)
    await note_measuring(stack.master, [agency.id, outsider.id], NOON)
    await note_measuring(stack.master, [agency.id], NOON + timedelta(hours=1))
    await note_measuring(stack.master, [], NOON)

    assert (await entry(stack, agency))["measure_at"] == NOON + timedelta(hours=1)
    assert ((await entry(stack, agency))["notes"], (await entry(stack, outsider))["notes"]) == (2, 1)
    assert await due(stack, NOON + timedelta(minutes=59)) == []
    assert await due(stack, NOON + timedelta(hours=1)) == ["draggonnb", "outsider"]
    await note_measuring(stack.master, [outsider.id], SIX - timedelta(minutes=5))
    assert (await entry(stack, outsider))["measure_at"] == SIX


async def test_publishing_notes_its_clients_before_and_after_whatever_the_number_of_posts(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await connect(stack, agency, Platform.X)
    for number in range(3):
        await approve(stack, agency, f"Roast number {number}.", platforms=("x",))
    before = datetime.now(UTC)

    await publish(stack, agency)
    await publish(stack, outsider)

    row = await entry(stack, agency)
    assert row["notes"] == 2
    assert before < row["measure_at"] <= datetime.now(UTC) + timedelta(hours=1)
    assert (await entry(stack, outsider))["notes"] == 1  # a look in vain is all that it costs


async def test_a_publisher_that_is_killed_leaves_its_note(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "Roast of the day.", platforms=("x",))
    sandbox.faults("POST /x/2/tweets", {"kind": "latency", "seconds": 2})

    run = asyncio.create_task(publish(stack, agency))
    async with asyncio.timeout(20):
        while True:
            if any(call["route"] == "POST /x/2/tweets" for call in sandbox.journal("x")):
                break
            await asyncio.sleep(0.02)
    while_it_becomes_public = await entry(stack, agency)
    await run

    assert while_it_becomes_public["notes"] == 1
    assert while_it_becomes_public["measure_at"] is not None


async def test_a_look_puts_off_what_it_saw_and_not_what_was_noted_meanwhile(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await taken(stack, TODAY, agency, outsider)
    for organization in (agency, outsider):
        await note_measuring(stack.master, [organization.id], SIX)
    await note_measuring(stack.master, [outsider.id], SIX)  # during the look

    await settled(
        stack, Look(agency.id, None, has_trouble=False, seen_notes=1), Look(outsider.id, None, False, seen_notes=1)
    )

    assert (await entry(stack, agency))["measure_at"] is None
    assert (await entry(stack, outsider))["measure_at"] == SIX + timedelta(hours=1)
    assert await due(stack, NOON) == ["outsider"]


async def test_trouble_comes_again_in_ten_minutes_and_later_each_time_or_at_its_own_time(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    waits = []
    for _ in range(8):
        await settled(stack, Look(agency.id, None, has_trouble=True, seen_notes=0))
        waits.append((await entry(stack, agency))["measure_at"] - NOON)
    await settled(stack, Look(outsider.id, NOON + timedelta(hours=1), has_trouble=True, seen_notes=0))

    minutes = [wait // timedelta(minutes=1) for wait in waits]
    assert minutes == [10, 20, 40, 80, 160, 320, 360, 360]
    assert (await entry(stack, agency))["failures"] == 8
    assert ((await entry(stack, outsider))["failures"], (await entry(stack, outsider))["measure_at"]) == (
        1,
        NOON + timedelta(hours=1),
    )
    await settled(stack, Look(agency.id, None, has_trouble=False, seen_notes=0))
    assert (await entry(stack, agency))["failures"] == 0


@pytest.mark.parametrize(
    ("zone", "moment", "is_due"),
    [
        ("Africa/Johannesburg", SIX - timedelta(seconds=1), False),
        ("Africa/Johannesburg", SIX, True),
        ("Pacific/Auckland", SIX, True),
        ("America/Los_Angeles", SIX, False),  # still yesterday there, until 08:00 UTC
        ("America/Los_Angeles", SIX + timedelta(hours=2), True),
    ],
)
async def test_a_day_lacks_its_snapshot_once_it_is_over_where_the_client_is(
    stack: Stack, agency: Organization, outsider: Organization, zone: str, moment: datetime, is_due: bool
) -> None:
    await taken(stack, TODAY, outsider)
    await taken(stack, TODAY - timedelta(days=1), agency)
    await master_rows(stack, "update organizations set timezone = %s where slug = 'draggonnb' returning id", zone)
    try:
        assert await due(stack, moment) == (["draggonnb"] if is_due else [])
        await taken(stack, TODAY, agency)
        assert await due(stack, moment) == []
    finally:
        johannesburg = "update organizations set timezone = 'Africa/Johannesburg' where slug = 'draggonnb' returning id"
        await master_rows(stack, johannesburg)


async def test_a_client_that_came_a_minute_before_six_is_looked_into_and_one_that_came_later_not_before_tomorrow(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    created = "update organizations set created_at = %s where slug = %s returning id"
    before = await master_rows(stack, "select slug, created_at from organizations")
    try:
        await master_rows(stack, created, SIX - timedelta(minutes=1), "draggonnb")
        await master_rows(stack, created, SIX + timedelta(minutes=1), "outsider")

        assert await due(stack, SIX + timedelta(minutes=2)) == ["draggonnb"]
        assert sorted(await due(stack, SIX + timedelta(days=1))) == ["draggonnb", "outsider"]
    finally:
        for row in before:
            await master_rows(stack, created, row["created_at"], row["slug"])


async def test_a_run_gets_who_is_due_and_who_asked_and_a_snapshot_after_trouble(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await taken(stack, TODAY, agency, outsider)

    assert await clients_to_measure(at(stack, NOON), everyone=False) == []
    asked = await clients_to_measure(at(stack, NOON), everyone=False, asked=["outsider"])
    assert asked == [DueClient("outsider", ())]
    await settled(stack, Look(agency.id, NOON, has_trouble=True, seen_notes=0))
    assert await clients_to_measure(at(stack, NOON), everyone=False) == [DueClient("draggonnb", (TODAY,))]
    assert await clients_to_measure(at(stack, SIX), everyone=True) == [
        DueClient("draggonnb", (TODAY,)),
        DueClient("outsider", (TODAY,)),
    ]
    early = await clients_to_measure(at(stack, SIX - timedelta(hours=1)), everyone=True)
    assert [one.days for one in early] == [(), ()]


@pytest.mark.parametrize(
    ("last", "again", "days"),
    [
        (None, False, [0]),
        (-1, False, [0]),
        (0, False, []),
        (0, True, [0]),
        (-4, False, [-3, -2, -1, 0]),  # nothing ran for three days
        (-400, False, list(range(-31, 1))),
        (3, False, []),  # a clock was wrong
        (3, True, [0]),
    ],
)
def test_days_that_nobody_could_take_in_time_are_made_up_for(last: int | None, again: bool, days: list[int]) -> None:
    newest = None if last is None else TODAY + timedelta(days=last)

    assert days_to_take(newest, TODAY, again=again) == tuple(TODAY + timedelta(days=number) for number in days)
