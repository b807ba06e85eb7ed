"""Stored leads through changed prompts: new versions by message batches, each submitted once, nobody told."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.leads.lead_batches import DayBatch
from draggonnb_pipelines.workflows.leads.notifications import notify_sales
from draggonnb_pipelines.workflows.leads.reprocessing import (
    reprocessing_keys,
    request_reprocessing,
    settle_request,
)
from draggonnb_pipelines.workflows.message_batches import BATCHES
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import (
    count,
    master_rows,
    questions,
    tenant_rows,
    variant,
)
from tests.workflows.reprocessing_work import ASKING, batches_made, problems_of, reprocess

VERSIONS = "select kind, version from lead_analyses union all select 'proposal', version from proposals order by 1, 2"
PAGES = "select version, html, html_sha256 from proposals order by version"
FIRST = [{"kind": kind, "version": 1} for kind in ("business", "competitors", "proposal")]


async def test_a_changed_prompt_makes_a_second_version_beside_the_first_and_tells_nobody(
    stack: Stack,
    sandbox: Sandbox,
    agency: Organization,
    outsider: Organization,
    keys: list[PartitionKey],
    change_prompt: Callable[[str, str], None],
) -> None:
    asked, told = questions(sandbox), _told(sandbox)
    [first] = await tenant_rows(stack, agency, PAGES)
    change_prompt("proposal", "Write it shorter.")

    outcomes = await reprocess(stack, keys)
    await notify_sales(stack, DayBatch(stack, keys, "run-2"))

    assert problems_of(outcomes) == []
    assert questions(sandbox) == asked
    assert batches_made(sandbox) == 1
    assert (await tenant_rows(stack, agency, PAGES))[0] == first
    assert [row["version"] for row in await tenant_rows(stack, agency, PAGES)] == [1, 2]
    assert await count(stack, agency, "lead_analyses", "notification_deliveries") == {
        "lead_analyses": 2,
        "notification_deliveries": 3,
    }
    assert _told(sandbox) == told
    assert await count(stack, outsider, "proposals", "leads") == {"proposals": 0, "leads": 0}
    assert await tenant_rows(stack, agency, "select reserved from usage_counters") == [{"reserved": 0}]


async def test_a_prompt_that_is_rolled_back_makes_a_version_of_the_old_answer_and_asks_nothing(
    stack: Stack,
    sandbox: Sandbox,
    agency: Organization,
    keys: list[PartitionKey],
    change_prompt: Callable[[str, str], None],
) -> None:
    change_prompt("proposal", "Write it shorter.")
    await reprocess(stack, keys)
    change_prompt("proposal", "")

    outcomes = await reprocess(stack, keys, run_id="run-3")
    again = await reprocess(stack, keys, run_id="run-4")

    assert problems_of(outcomes) == problems_of(again) == []
    assert batches_made(sandbox) == 1
    rows = await tenant_rows(stack, agency, "select version, prompt_hash, title from proposals order by version")
    assert [row["version"] for row in rows] == [1, 2, 3]
    assert rows[2] == {**rows[0], "version": 3}
    assert rows[1]["prompt_hash"] != rows[0]["prompt_hash"]


async def test_unchanged_prompts_make_no_version_and_ask_nothing(
    stack: Stack, sandbox: Sandbox, agency: Organization, keys: list[PartitionKey]
) -> None:
    asked = sandbox.journal("claude")

    outcomes = await reprocess(stack, keys)

    assert problems_of(outcomes) == []
    assert sandbox.journal("claude") == asked
    assert await tenant_rows(stack, agency, VERSIONS) == FIRST
    assert await count(stack, agency, "ai_generation_log") == {"ai_generation_log": 3}


async def test_an_accepted_proposal_is_kept(
    stack: Stack,
    sandbox: Sandbox,
    agency: Organization,
    keys: list[PartitionKey],
    change_prompt: Callable[[str, str], None],
) -> None:
    await tenant_rows(stack, agency, "update proposals set status = 'accepted', accepted_at = now()")
    change_prompt("proposal", "Write it shorter.")

    outcomes = await reprocess(stack, keys)

    assert problems_of(outcomes) == []
    assert batches_made(sandbox) == 0
    assert await tenant_rows(stack, agency, "select version, status from proposals") == [
        {"version": 1, "status": "accepted"}
    ]


async def test_a_batch_that_still_runs_is_waited_for_without_being_submitted_again(
    stack: Stack,
    sandbox: Sandbox,
    agency: Organization,
    keys: list[PartitionKey],
    change_prompt: Callable[[str, str], None],
) -> None:
    change_prompt("business_analysis", "Be brief.")
    sandbox.settings(claude_batch_seconds=0.4)
    request_id = await _request(stack, keys)

    first = await reprocess(stack, keys, steps=ASKING[:2])
    second = await reprocess(stack, keys, run_id="run-3", steps=ASKING[:2])
    await settle_request(stack, request_id, "run-3", [])

    for outcomes in (first, second):
        [outcome] = outcomes["business_analyses"]
        assert outcome.waits
        assert "have not ended after 0 s" in str(outcome.problem)
    assert batches_made(sandbox) == 1
    [request] = await master_rows(
        stack, "select state, last_error, next_attempt_at > now() + interval '4 minutes' as later from reprocessings"
    )
    assert request == {
        "state": "open",
        "last_error": f"1 left, the first is draggonnb on {keys[0].day}",
        "later": True,
    }
    assert await tenant_rows(stack, agency, VERSIONS) == FIRST

    patient = variant(stack, claude_batch_wait_seconds=5)
    third = await reprocess(patient, keys, run_id="run-4")
    await settle_request(stack, request_id, "run-4", keys)

    assert problems_of(third) == []
    assert [row["version"] for row in await tenant_rows(stack, agency, _business_versions())] == [1, 2]
    assert [row["state"] for row in await master_rows(stack, "select state from reprocessings")] == ["done"]
    assert await tenant_rows(stack, agency, "select reserved from usage_counters") == [{"reserved": 0}]


async def test_a_request_finds_its_days_in_the_ledger_and_two_ticks_never_take_it_twice(
    stack: Stack, agency: Organization, keys: list[PartitionKey]
) -> None:
    request_id = await _request(stack, keys)

    assert await reprocessing_keys(stack, request_id) == keys
    async with stack.master.connection() as conn:
        taken = [
            [row["id"] async for row in BATCHES.due_reprocessings(conn, lease_seconds=60, row_limit=5)]
            for _ in range(2)
        ]
    assert taken == [[request_id], []]


async def _request(stack: Stack, keys: list[PartitionKey]) -> UUID:
    request_id, day = uuid4(), keys[0].day
    await request_reprocessing(
        stack, ["draggonnb"], day - timedelta(days=1), day, requested_by="a test", request_id=request_id
    )
    return request_id


def _told(sandbox: Sandbox) -> int:
    return len(sandbox.public("mail")) + len(sandbox.public("whatsapp"))


def _business_versions() -> str:
    return "select version from lead_analyses where kind = 'business' order by version"
