"""The inbox's rows between dispatch and their end: fair, leased, counted, never given twice."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from draggonnb_pipelines.domain.leads import Stage
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.lead_batches import INBOX, InboxBatch
from draggonnb_pipelines.workflows.leads import capture_leads, research_companies
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import (
    PLACE,
    STEPS,
    claim,
    count,
    deliver,
    dispatch,
    enquiry,
    inbox_states,
    master_rows,
    questions,
    tenant_rows,
    variant,
    work_through,
)

OPEN_ROWS = frozenset({"inbox_waiting", "inbox_claimed", "inbox_open"})


async def test_organizations_take_turns_so_that_fifty_leads_do_not_hold_up_one(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await _fill(stack, agency, 50)
    await _fill(stack, outsider, 1, seconds_ago=1)

    async with stack.master.connection() as conn:
        chosen = await dispatch(conn, row_limit=10)

    rows = await master_rows(
        stack,
        "select organization_id, delivery_id from inbox where id = any(%s) order by organization_id = %s, received_at",
        chosen,
        outsider.id,
    )
    assert [row["delivery_id"] for row in rows if row["organization_id"] == agency.id] == [
        f"{number}" for number in range(1, 10)
    ]
    assert [row["organization_id"] for row in rows][9:] == [outsider.id]


async def test_dispatchers_at_the_same_time_never_give_a_row_twice(stack: Stack, agency: Organization) -> None:
    await _fill(stack, agency, 120)

    async def one() -> list[Any]:
        async with stack.master.connection() as conn:
            return await dispatch(conn, row_limit=20)

    parts = await asyncio.gather(*(one() for _ in range(8)))
    parts += [await one() for _ in range(8)]

    given = Counter(row for part in parts for row in part)
    assert len(given) == 120
    assert set(given.values()) == {1}
    assert await master_rows(stack, "select count(distinct batch_id) as n from inbox") == [
        {"n": sum(bool(part) for part in parts)}
    ]


async def test_a_lease_that_holds_is_left_alone_and_one_that_ran_out_is_taken_again(
    stack: Stack, agency: Organization
) -> None:
    await _fill(stack, agency, 1)
    first = await claim(stack, "run-1")
    assert await (await claim(stack, "run-2")).rows() == []

    await master_rows(stack, "update inbox set lease_until = now() - interval '1 second'")
    second = await claim(stack, "run-2")

    assert [row["attempts"] for row in await second.rows()] == [2]
    assert await first.rows() == []
    await first.finish([])
    assert await inbox_states(stack) == [("claimed", 0, 2)]


async def test_a_run_that_lost_its_lease_does_nothing_more(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await deliver(stack, agency, enquiry("walmer-dental.example"), "form-1")
    first = await claim(stack, "run-1")
    await capture_leads(stack, first)
    await master_rows(stack, "update inbox set lease_until = now() - interval '1 second'")
    second = await work_through(stack, "run-2")
    asked = questions(sandbox)

    late = [outcome for step in STEPS[1:] for outcome in await step(stack, first)]

    assert second.problems == {}
    assert late == []
    assert questions(sandbox) == asked
    assert await inbox_states(stack) == [("done", 6, 0)]


async def test_a_living_run_extends_its_lease(stack: Stack, agency: Organization) -> None:
    await _fill(stack, agency, 1)
    batch = await claim(variant(stack, lease_seconds=1), "run-1")
    keeping = asyncio.create_task(batch.keep_lease())

    await asyncio.sleep(1.3)
    [row] = await master_rows(stack, "select lease_until > now() as holds from inbox")
    keeping.cancel()

    assert row == {"holds": True}


async def test_progress_sets_the_count_of_attempts_back(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    sandbox.faults("POST /anthropic/v1/messages", {"kind": "expired_token", "match": "quick_win_1", "times": 3})
    await deliver(stack, agency, enquiry("walmer-dental.example"), "form-1")

    for number in (1, 2, 3):
        await work_through(stack, f"run-{number}")
        assert await inbox_states(stack) == [("received", 3, number)]
    worked = await work_through(stack, "run-4")

    assert worked.problems == {}
    assert await inbox_states(stack) == [("done", 6, 0)]


async def test_a_row_whose_runs_die_without_a_word_is_buried_and_replay_brings_it_back(
    stack: Stack, agency: Organization
) -> None:
    row_id = await deliver(stack, agency, enquiry("walmer-dental.example"), "form-1")
    for number in (1, 2):
        await claim(stack, f"run-{number}")
        await master_rows(stack, "update inbox set lease_until = now() - interval '1 second'")

    async with stack.master.connection() as conn:
        assert await INBOX.bury_hopeless(conn, topic="leads", max_attempts=3) == 0
        assert await INBOX.bury_hopeless(conn, topic="leads", max_attempts=2) == 1
        assert await dispatch(conn) == []
    assert await master_rows(stack, "select state, last_error from inbox") == [
        {"state": "dead", "last_error": "its runs ended 2 times without progress and without an error"}
    ]

    async with stack.master.connection() as conn:
        assert [row["id"] async for row in INBOX.replay_rows(conn, ids=[], slug="outsider")] == []
        assert [row["id"] async for row in INBOX.replay_rows(conn, ids=[], slug="draggonnb")] == [row_id]
    worked = await work_through(stack, "run-3")
    assert worked.problems == {}
    assert await inbox_states(stack) == [("done", 6, 0)]


async def test_a_step_that_fails_for_no_known_reason_kills_its_row_and_no_other(
    stack: Stack, agency: Organization
) -> None:
    stack = variant(stack, max_attempts=2)
    await deliver(stack, agency, enquiry("walmer-dental.example"), "form-1")
    await deliver(stack, agency, enquiry("old-mill-house.example"), "form-2")
    erase = "delete from leads where company_name = 'Walmer Dental'"

    worked = await work_through(stack, steps=(capture_leads,))
    await tenant_rows(stack, agency, erase)
    for step in STEPS[1:]:
        await step(stack, worked.batch)
    await work_through(stack, "run-2")

    assert await master_rows(stack, "select delivery_id, state, last_error from inbox order by delivery_id") == [
        {
            "delivery_id": "form-1",
            "state": "dead",
            "last_error": "unexpected KeyError; the run's log has the trace",
        },
        {"delivery_id": "form-2", "state": "done", "last_error": None},
    ]


async def test_a_re_execution_takes_what_its_batch_lost(stack: Stack, agency: Organization) -> None:
    await _fill(stack, agency, 3)
    batch = await claim(stack, "run-1")
    await master_rows(
        stack,
        "update inbox set state = case delivery_id when '1' then 'done' when '2' then 'received' else 'dead' end,"
        " finished_at = now(), lease_until = null",
    )

    again = InboxBatch(stack, batch.batch_id, "run-2")
    await again.claim()

    assert [row["delivery_id"] for row in await again.rows()] == ["2", "3"]


async def test_a_run_that_surely_ended_frees_its_rows_at_once(stack: Stack, agency: Organization) -> None:
    await _fill(stack, agency, 4)
    batch = await claim(stack, "run-1", row_limit=2)
    unclaimed = uuid4()
    async with stack.master.connection() as conn:
        await dispatch(conn, batch_id=unclaimed)
        assert await INBOX.release_run(conn, run_id="run-1", batch_id=None) == 2
        assert await INBOX.release_run(conn, run_id="run-2", batch_id=unclaimed) == 2

        assert len(await dispatch(conn)) == 4
    assert await batch.rows() == []


async def test_shards_split_the_organizations_between_them(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await _fill(stack, agency, 3)
    await _fill(stack, outsider, 2)
    shards = {row["id"]: row["shard"] % 4 for row in await master_rows(stack, "select id, shard from organizations")}

    given: list[tuple[int, Any]] = []
    async with stack.master.connection() as conn:
        for shard in range(4):
            rows = await dispatch(conn, shards=4, shard=shard)
            owners = await master_rows(stack, "select organization_id from inbox where id = any(%s)", rows)
            given += [(shard, row["organization_id"]) for row in owners]

    assert Counter(given) == {(shards[agency.id], agency.id): 3, (shards[outsider.id], outsider.id): 2}


async def test_the_rows_of_a_suspended_organization_wait(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await _fill(stack, agency, 2)
    await _fill(stack, outsider, 2)
    await master_rows(stack, "update organizations set status = 'suspended' where id = %s", outsider.id)
    try:
        async with stack.master.connection() as conn:
            assert len(await dispatch(conn)) == 2
            assert await dispatch(conn) == []
    finally:
        await master_rows(stack, "update organizations set status = 'active' where id = %s", outsider.id)
    async with stack.master.connection() as conn:
        assert len(await dispatch(conn)) == 2


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("dispatch_batch", {**PLACE, "batch_id": uuid4(), "row_limit": 500, "lease_seconds": 60}),
        ("bury_hopeless", {"topic": "leads", "max_attempts": 5}),
        ("claim_batch", {"batch_id": uuid4(), "run_id": "run-1", "lease_seconds": 60}),
        ("begin_stage", {"batch_id": uuid4(), "run_id": "run-1", "stage": 2}),
        ("count_open_batches", PLACE),
        ("waiting_summary", {}),
    ],
)
async def test_finished_rows_cost_the_queue_nothing(
    query: str, values: dict[str, Any], stack: Stack, agency: Organization
) -> None:
    await _fill(stack, agency, 20_000, state="done")
    await _fill(stack, agency, 30)
    async with stack.master.connection() as conn:
        await conn.execute("analyze inbox")
        statement = f"explain (format json) {getattr(INBOX, query).sql}"
        [[plan]] = [row["QUERY PLAN"] async for row in await conn.execute(statement.encode(), values)]

    reads = [
        node for node in _nodes(plan["Plan"]) if node.get("Relation Name") == "inbox" and "Scan" in node["Node Type"]
    ]
    assert reads
    # The planner takes whichever partial index is the smallest; all of them hold open rows only.
    assert {node.get("Index Name") for node in reads} <= {*OPEN_ROWS, "inbox_batch", "inbox_pkey"}


async def test_a_stage_is_never_set_back(stack: Stack, agency: Organization) -> None:
    await deliver(stack, agency, enquiry("walmer-dental.example"), "form-1")
    worked = await work_through(stack, steps=(capture_leads, research_companies))
    [work] = await worked.batch.leads()

    await worked.batch.advance(Stage.CAPTURED, [work])

    assert await inbox_states(stack) == [("claimed", 2, 0)]
    assert await count(stack, agency, "leads") == {"leads": 1}


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


async def _fill(
    stack: Stack, organization: Organization, rows: int, *, state: str = "received", seconds_ago: int = 3600
) -> None:
    """Rows numbered from 1, a second apart, without contents."""
    await master_rows(
        stack,
        "insert into inbox (organization_id, topic, source, delivery_id, received_at, state, finished_at, batch_id)"
        " select %s, 'leads', %s, number, now() - make_interval(secs => %s) + make_interval(secs => number), %s,"
        " case when %s = 'done' then now() end, gen_random_uuid() from generate_series(1, %s) as number",
        organization.id,
        f"form-{state}",
        seconds_ago,
        state,
        state,
        rows,
    )
