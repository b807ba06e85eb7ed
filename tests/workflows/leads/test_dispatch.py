"""Which waiting rows go to the next batch: in turns, each once, at a cost that finished rows do not raise."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.inbox_batches import INBOX
from tests.workflows.lead_work import (
    PLACE,
    dispatch,
    fill_inbox,
    master_rows,
)

OPEN_ROWS = frozenset({"inbox_waiting", "inbox_claimed", "inbox_open"})


async def test_organizations_take_turns_so_that_fifty_leads_do_not_hold_up_one(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await fill_inbox(stack, agency, 50)
    await fill_inbox(stack, outsider, 1, seconds_ago=1)

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


async def test_the_thousands_of_one_client_go_apart_from_everybody_elses_until_few_of_them_are_open(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await fill_inbox(stack, agency, 40)
    await fill_inbox(stack, outsider, 2)

    async with stack.master.connection() as conn:
        ordinary = await dispatch(conn, crowd_rows=25)
        crowd = await dispatch(conn, crowd_rows=25, row_limit=30, lane="crowd")
        assert await dispatch(conn, crowd_rows=25) == []  # the ten that wait are still of a crowd of forty
        assert await INBOX.count_open_batches(conn, **PLACE) == 1
        assert await INBOX.count_open_batches(conn, **{**PLACE, "lane": "crowd"}) == 1
        await conn.execute("update inbox set state = 'done', finished_at = now() where id = any(%s)", (crowd,))
        rest = await dispatch(conn, crowd_rows=25)

    owners = await master_rows(stack, "select id, organization_id from inbox")
    owner_of = {row["id"]: row["organization_id"] for row in owners}
    assert Counter(owner_of[row] for row in ordinary) == {outsider.id: 2}
    assert Counter(owner_of[row] for row in crowd) == {agency.id: 30}
    assert Counter(owner_of[row] for row in rest) == {agency.id: 10}


async def test_a_batch_whose_run_waits_for_its_place_keeps_its_rows(stack: Stack, agency: Organization) -> None:
    await fill_inbox(stack, agency, 2)
    batch_id = uuid4()
    async with stack.master.connection() as conn:
        await dispatch(conn, batch_id=batch_id)
        await conn.execute("update inbox set lease_until = now() - interval '1 second'")

        assert await INBOX.keep_for_run(conn, batch_ids=[batch_id], lease_seconds=60) == 2

        assert await dispatch(conn) == []


async def test_dispatchers_at_the_same_time_never_give_a_row_twice(stack: Stack, agency: Organization) -> None:
    await fill_inbox(stack, agency, 120)

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


async def test_rows_whose_runs_died_come_later_each_time_and_apart_from_the_others(
    stack: Stack, agency: Organization
) -> None:
    await fill_inbox(stack, agency, 8)
    await master_rows(stack, "update inbox set attempts = 4 where delivery_id in ('1', '2')")
    await master_rows(stack, "update inbox set attempts = 2 where delivery_id = '3'")

    async with stack.master.connection() as conn:
        assert len(await dispatch(conn, row_limit=64)) == 5
        [alone] = await dispatch(conn, row_limit=64, batch_id=uuid4(), lane="suspects")
        batch = await _batch_of(stack, alone)
        assert await INBOX.release_run(conn, run_id="none", batch_id=batch, base_seconds=60) == 1

    assert await master_rows(
        stack,
        "select delivery_id, state, round(extract(epoch from not_before - now()) / 60)::int as minutes"
        " from inbox where id = %s",
        alone,
    ) == [{"delivery_id": "1", "state": "received", "minutes": 16}]


async def test_shards_split_the_organizations_between_them(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await fill_inbox(stack, agency, 3)
    await fill_inbox(stack, outsider, 2)
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
    await fill_inbox(stack, agency, 2)
    await fill_inbox(stack, outsider, 2)
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
        ("dispatch_batch", {**PLACE, "batch_id": uuid4(), "row_limit": 500, "crowd_rows": 25, "lease_seconds": 60}),
        ("bury_hopeless", {"topic": "leads", "max_attempts": 5}),
        ("claim_batch", {"batch_id": uuid4(), "run_id": "run-1", "lease_seconds": 60}),
        ("begin_stage", {"batch_id": uuid4(), "run_id": "run-1", "stage": 2}),
        ("count_open_batches", PLACE),
        ("keep_for_run", {"batch_ids": [uuid4()], "lease_seconds": 60}),
        ("waiting_summary", {}),
    ],
)
async def test_finished_rows_cost_the_queue_nothing(
    query: str, values: dict[str, Any], stack: Stack, agency: Organization
) -> None:
    await fill_inbox(stack, agency, 20_000, state="done")
    await fill_inbox(stack, agency, 30)
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


async def _batch_of(stack: Stack, row_id: Any) -> Any:
    [row] = await master_rows(stack, "select batch_id from inbox where id = %s", row_id)
    return row["batch_id"]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
