"""The agenda: nothing that was noted is lost, a living run keeps its place, and a dead one gives it back."""

import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready
from draggonnb_pipelines.workflows.publishing import agenda
from draggonnb_pipelines.workflows.publishing.agenda import AGENDA, announced, dead_runs, note_due, showing_life
from draggonnb_pipelines.workflows.publishing.publishing import plan_run, publish_due
from tests.workflows.conftest import World
from tests.workflows.lead_work import master_rows
from tests.workflows.publish_work import approve, connect, publish, queue

FAR = datetime(2099, 1, 1, tzinfo=UTC)
PAST = datetime(2026, 1, 1, tzinfo=UTC)
NEVER = "infinity"
SHARD = 7  # nobody else asks for runs of this one
ALL = {"shards": 1, "shard": 0, "ahead_seconds": 5.0}


@pytest.fixture(autouse=True)
def no_shard_afterwards(world: World) -> Iterator[None]:
    """The master database is shared by all tests of the workflows."""
    yield
    with psycopg.connect(world.dsn) as conn:
        conn.execute("delete from publisher_shards")


async def entries(stack: Stack) -> dict[str, tuple[str, int]]:
    """When each client is to be looked into, and how often that was noted."""
    rows = await master_rows(
        stack,
        "select o.slug, a.notes, case when a.next_due_at = 'infinity' then 'infinity'"
        " else to_char(a.next_due_at at time zone 'UTC', 'YYYY-MM-DD') end as at"
        " from publishing_agenda a join organizations o on o.id = a.organization_id",
    )
    return {row["slug"]: (row["at"], row["notes"]) for row in rows}


async def settle(
    stack: Stack, organization: Organization, *, seen: int, at: datetime | None = None, trouble: bool = False
) -> None:
    async with stack.master.connection() as conn:
        await AGENDA.settle_agenda(
            conn, organization_ids=[organization.id], times=[at], troubles=[trouble], seen_notes=[seen]
        )


async def due(stack: Stack) -> list[str]:
    async with stack.master.connection() as conn:
        rows = AGENDA.due_organizations(conn, row_limit=10, **ALL)
        return [row["slug"] async for row in rows]


async def ask_for_run(master: MasterDb, live_runs: list[str], start_seconds: int = 45) -> bool:
    async with master.connection() as conn:
        asked = await AGENDA.ask_for_run(conn, shard=SHARD, live_runs=live_runs, start_seconds=start_seconds)
    return asked == SHARD


async def take_shard(master: MasterDb, run_id: str) -> None:
    async with master.connection() as conn:
        await AGENDA.take_shard(conn, shard=SHARD, run_id=run_id)


async def backends(stack: Stack, run_id: str) -> list[int]:
    """The server's processes that hold the lock of a run."""
    rows = await master_rows(
        stack,
        "select pid from pg_locks where locktype = 'advisory' and granted"
        " and (classid::bigint << 32) | objid::bigint = hashtextextended(%s, 17)",
        run_id,
    )
    return [row["pid"] for row in rows]


async def test_the_earliest_note_counts_and_each_one_is_counted(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await note_due(stack.master, agency.id, FAR)
    await note_due(stack.master, agency.id, PAST)
    await note_due(stack.master, agency.id, FAR)

    assert await entries(stack) == {"draggonnb": ("2026-01-01", 3)}
    assert await due(stack) == ["draggonnb"]


async def test_a_look_puts_off_what_it_saw_and_not_what_was_noted_meanwhile(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await note_due(stack.master, agency.id, PAST)
    await note_due(stack.master, outsider.id, PAST)

    await settle(stack, agency, seen=1)
    await note_due(stack.master, outsider.id, PAST + timedelta(days=1))  # while it is looked into
    await settle(stack, outsider, seen=1)

    assert await entries(stack) == {"draggonnb": (NEVER, 1), "outsider": ("2026-01-01", 2)}
    assert await due(stack) == ["outsider"]


async def test_a_look_that_found_a_time_notes_it_and_one_that_failed_comes_again_in_a_minute(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await settle(stack, agency, seen=0, at=FAR)
    await settle(stack, outsider, seen=0, trouble=True)

    assert (await entries(stack))["draggonnb"] == ("2099-01-01", 0)
    [row] = await master_rows(
        stack,
        "select extract(epoch from next_due_at - now())::float as seconds from publishing_agenda"
        " where organization_id = %s",
        outsider.id,
    )
    assert 50 < row["seconds"] <= 60
    assert await due(stack) == []


async def test_what_is_announced_is_noted_before_and_after_it_is_written(stack: Stack, agency: Organization) -> None:
    async with announced(stack.master, agency.id, PAST):
        assert await entries(stack) == {"draggonnb": ("2026-01-01", 1)}
        await settle(stack, agency, seen=1)  # a look that saw nothing yet

    assert await entries(stack) == {"draggonnb": ("2026-01-01", 2)}


async def test_who_waits_longest_comes_first_and_who_is_suspended_not_at_all(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await note_due(stack.master, agency.id, PAST + timedelta(seconds=1))
    await note_due(stack.master, outsider.id, PAST)
    assert await due(stack) == ["outsider", "draggonnb"]

    await master_rows(stack, "update organizations set status = 'suspended' where slug = 'outsider'")
    try:
        assert await due(stack) == ["draggonnb"]
    finally:
        await master_rows(stack, "update organizations set status = 'active' where slug = 'outsider'")


async def test_a_plan_names_who_has_something_to_do_and_takes_the_others_off_the_agenda(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "Due.", platforms=("x",))
    for organization in (agency, outsider):
        await note_due(stack.master, organization.id, PAST)

    plan = await plan_run(stack, "run-1")

    assert {slug: tuple(work) for slug, work in plan.items()} == {"draggonnb": (False, True)}
    assert (await entries(stack))["outsider"][0] == NEVER
    assert await due(stack) == ["draggonnb"]
    await publish(stack, agency)
    assert await plan_run(stack, "run-2") == {}
    assert await due(stack) == []


async def test_a_sweep_finds_what_was_never_noted(stack: Stack, agency: Organization, outsider: Organization) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "Approved in the app.", platforms=("x",))
    await master_rows(stack, "delete from publishing_agenda")

    assert await plan_run(stack, "run-1") == {}
    assert list(await plan_run(stack, "run-2", everyone=True)) == ["draggonnb"]


async def test_a_run_lives_for_as_long_as_it_shows_life_and_its_name_is_its_own(stack: Stack) -> None:
    run_id, other = str(uuid4()), str(uuid4())
    assert await dead_runs(stack.master, []) == set()

    async with showing_life(stack.master, run_id):
        assert await dead_runs(stack.master, [run_id, other]) == {other}

    # The server lets the locks of a closed connection go a moment later.
    await asyncio.wait_for(until_dead(stack, run_id), 10)


async def test_a_process_that_is_killed_no_longer_lives(stack: Stack) -> None:
    run_id = str(uuid4())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.workflows.life_worker", run_id,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{stack.master.dsn}\n".encode())
    assert await asyncio.wait_for(process.stdout.readline(), 20) == b"alive\n"
    assert await dead_runs(stack.master, [run_id]) == set()

    process.kill()
    await process.communicate()

    await asyncio.wait_for(until_dead(stack, run_id), 10)


async def until_dead(stack: Stack, run_id: str) -> None:
    while True:
        if await dead_runs(stack.master, [run_id]):
            return
        await asyncio.sleep(0.05)


async def test_a_lock_that_the_server_lost_is_taken_again(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agenda, "LIFE_CHECK_SECONDS", 0.05)
    run_id = str(uuid4())

    async with showing_life(stack.master, run_id):
        [first] = await backends(stack, run_id)
        await master_rows(stack, "select pg_terminate_backend(%s)", first)
        second = await asyncio.wait_for(another(stack, run_id, first), 10)

        assert second != first
        assert await dead_runs(stack.master, [run_id]) == set()

    await asyncio.wait_for(until_dead(stack, run_id), 10)
    assert await backends(stack, run_id) == []


async def another(stack: Stack, run_id: str, first: int) -> int:
    while True:
        if (found := await backends(stack, run_id)) and found != [first]:
            return found[0]
        await asyncio.sleep(0.05)


async def test_one_run_is_asked_for_at_a_time_and_another_when_that_did_not_begin(stack: Stack) -> None:
    assert await ask_for_run(stack.master, []) is True
    assert await ask_for_run(stack.master, []) is False
    assert await ask_for_run(stack.master, [], start_seconds=0) is True


async def test_a_run_that_found_nothing_to_do_holds_up_no_other(stack: Stack, agency: Organization) -> None:
    assert await ask_for_run(stack.master, []) is True

    assert await plan_run(stack, str(uuid4()), shard=SHARD) == {}

    assert await ask_for_run(stack.master, []) is True


async def test_a_run_that_is_at_work_holds_its_shard_and_a_dead_one_frees_it(stack: Stack) -> None:
    run_id = str(uuid4())
    await take_shard(stack.master, run_id)

    assert await ask_for_run(stack.master, [run_id], start_seconds=0) is False
    assert await ask_for_run(stack.master, []) is True

    assert await shard(stack) == {"run_id": None}


async def test_a_run_that_ends_leaves_the_shard_at_once_and_not_that_of_a_later_one(stack: Stack) -> None:
    early, later = str(uuid4()), str(uuid4())
    await take_shard(stack.master, early)
    await take_shard(stack.master, later)

    await leave(stack, early)
    assert await shard(stack) == {"run_id": later}
    await leave(stack, later)

    assert await ask_for_run(stack.master, []) is True


async def shard(stack: Stack) -> dict[str, Any]:
    [row] = await master_rows(stack, "select run_id from publisher_shards where shard = %s", SHARD)
    return row


async def leave(stack: Stack, run_id: str) -> None:
    async with stack.master.connection() as conn:
        await AGENDA.leave_shard(conn, shard=SHARD, run_id=run_id)


async def test_what_is_approved_and_noted_after_the_queue_step_goes_out_in_the_same_run(
    stack: Stack, agency: Organization
) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "Approved before the run.", platforms=("x",))
    await enqueue_ready(stack, agency)
    await approve(stack, agency, "Approved between two steps of it.", platforms=("x",))
    await note_due(stack.master, agency.id, PAST)

    [client] = await publish_due(stack, str(uuid4()), [agency.slug])

    assert client.tally.published == 2
    assert {row["status"] for row in await queue(stack, agency)} == {"published"}
    assert await plan_run(stack, "the next look") == {}
    assert await due(stack) == []
