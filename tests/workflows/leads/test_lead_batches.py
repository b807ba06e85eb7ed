"""The inbox's rows between dispatch and their end: leased, counted, given back, buried, replayed."""

import asyncio
from uuid import uuid4

from draggonnb_pipelines.domain.leads import Stage
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.inbox_batches import INBOX
from draggonnb_pipelines.workflows.leads.lead_batches import InboxBatch
from draggonnb_pipelines.workflows.leads.leads import capture_leads, research_companies
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import (
    STEPS,
    claim,
    count,
    deliver,
    dispatch,
    enquiry,
    fill_inbox,
    inbox_states,
    master_rows,
    questions,
    tenant_rows,
    variant,
    work_through,
)


async def test_a_lease_that_holds_is_left_alone_and_one_that_ran_out_is_taken_again(
    stack: Stack, agency: Organization
) -> None:
    await fill_inbox(stack, agency, 1)
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
    await fill_inbox(stack, agency, 1)
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
    await fill_inbox(stack, agency, 3)
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
    await fill_inbox(stack, agency, 4)
    batch = await claim(stack, "run-1", row_limit=2)
    unclaimed = uuid4()
    async with stack.master.connection() as conn:
        await dispatch(conn, batch_id=unclaimed)
        assert await INBOX.release_run(conn, run_id="run-1", batch_id=None, base_seconds=60) == 2
        assert await INBOX.release_run(conn, run_id="run-2", batch_id=unclaimed, base_seconds=60) == 2

        assert len(await dispatch(conn)) == 4
    assert await batch.rows() == []


async def test_a_stage_is_never_set_back(stack: Stack, agency: Organization) -> None:
    await deliver(stack, agency, enquiry("walmer-dental.example"), "form-1")
    worked = await work_through(stack, steps=(capture_leads, research_companies))
    [work] = await worked.batch.leads()

    await worked.batch.advance(Stage.CAPTURED, [work])

    assert await inbox_states(stack) == [("claimed", 2, 0)]
    assert await count(stack, agency, "leads") == {"leads": 1}
