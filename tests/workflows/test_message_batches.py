"""Message batches: submitted once whatever is lost on the way, each answer kept and paid for once."""

from collections.abc import Callable

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.leads.lead_batches import Outcome
from draggonnb_pipelines.workflows.message_batches import BATCHES
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import (
    count,
    deliver,
    enquiry,
    master_rows,
    tenant_rows,
    variant,
    work_through,
)
from tests.workflows.reprocessing_work import ASKING, BATCH_ROUTE, batches_made, problems_of, reprocess


async def test_a_batchs_answer_costs_half_and_names_its_batch(
    stack: Stack, agency: Organization, keys: list[PartitionKey], change_prompt: Callable[[str, str], None]
) -> None:
    change_prompt("proposal", "Write it again.")

    await reprocess(stack, keys)

    [batch] = await master_rows(stack, "select id, state, purpose from message_batches")
    assert (batch["state"], batch["purpose"]) == ("stored", "proposals")
    [row] = await tenant_rows(
        stack,
        agency,
        "select message_batch_id, usable, cost_usd * 2 < (select max(cost_usd) from ai_generation_log"
        " where purpose = 'proposal') * 1.1 as is_half from ai_generation_log where message_batch_id is not null",
    )
    assert row == {"message_batch_id": batch["id"], "usable": True, "is_half": True}


async def test_a_submission_whose_answer_was_lost_is_found_at_the_vendor(
    stack: Stack,
    sandbox: Sandbox,
    agency: Organization,
    keys: list[PartitionKey],
    change_prompt: Callable[[str, str], None],
) -> None:
    change_prompt("proposal", "Write it shorter.")
    sandbox.faults(BATCH_ROUTE, {"kind": "accept_then_drop"})

    first = await reprocess(stack, keys, steps=ASKING[2:])
    assert [row["state"] for row in await master_rows(stack, "select state from message_batches")] == ["intent"]
    second = await reprocess(stack, keys, run_id="run-3", steps=ASKING[2:])

    assert [outcome.waits for outcome in first["proposals"]] == [True]
    assert problems_of(second) == []
    assert batches_made(sandbox) == 1
    assert [row["state"] for row in await master_rows(stack, "select state from message_batches")] == ["stored"]
    assert await count(stack, agency, "proposals") == {"proposals": 2}


async def test_an_intent_that_never_reached_the_vendor_is_submitted_anew(
    stack: Stack,
    sandbox: Sandbox,
    agency: Organization,
    keys: list[PartitionKey],
    change_prompt: Callable[[str, str], None],
) -> None:
    change_prompt("proposal", "Write it shorter.")
    sandbox.faults(BATCH_ROUTE, {"kind": "drop_before_accept"})

    first = await reprocess(stack, keys, steps=ASKING[2:])
    second = await reprocess(stack, keys, run_id="run-3", steps=ASKING[2:])

    assert [outcome.waits for outcome in first["proposals"]] == [True]
    assert problems_of(second) == []
    assert batches_made(sandbox) == 1
    assert await master_rows(stack, "select state, last_error from message_batches order by created_at") == [
        {"state": "failed", "last_error": "it was never submitted"},
        {"state": "stored", "last_error": None},
    ]
    assert await count(stack, agency, "proposals") == {"proposals": 2}


async def test_a_refused_submission_leaves_its_reason_and_holds_no_money_for_long(
    stack: Stack,
    sandbox: Sandbox,
    agency: Organization,
    keys: list[PartitionKey],
    change_prompt: Callable[[str, str], None],
) -> None:
    change_prompt("proposal", "Write it shorter.")
    sandbox.faults(BATCH_ROUTE, {"kind": "expired_token"})

    first = await reprocess(stack, keys, steps=ASKING[2:])
    second = await reprocess(stack, keys, run_id="run-3", steps=ASKING[2:])

    assert [str(outcome.problem) for outcome in first["proposals"]] == ["claude: auth: HTTP 401 authentication_error"]
    assert problems_of(second) == []
    assert await tenant_rows(stack, agency, "select reserved from usage_counters") == [{"reserved": 0}]
    assert [
        row["state"] for row in await master_rows(stack, "select state from message_batches order by created_at")
    ] == [
        "failed",
        "stored",
    ]


async def test_questions_that_fail_inside_a_batch_are_asked_again_and_the_others_are_kept(
    stack: Stack,
    sandbox: Sandbox,
    agency: Organization,
    keys: list[PartitionKey],
    change_prompt: Callable[[str, str], None],
) -> None:
    await deliver(stack, agency, enquiry("old-mill-house.example"), "form-2")
    await work_through(stack, "run-2")
    change_prompt("proposal", "Write it shorter.")
    sandbox.faults("BATCH /anthropic/v1/messages", {"kind": "errored", "match": "Old Mill House"})

    first = await reprocess(stack, keys, run_id="run-3", steps=ASKING[2:])
    second = await reprocess(stack, keys, run_id="run-4", steps=ASKING[2:])

    assert sorted(outcome.waits for outcome in first["proposals"]) == [False, True]
    assert problems_of(second) == []
    assert batches_made(sandbox) == 2
    sizes = await master_rows(
        stack,
        "select state, (select count(*) from jsonb_object_keys(requests)) as n"
        " from message_batches order by created_at",
    )
    assert sizes == [{"state": "stored", "n": 2}, {"state": "stored", "n": 1}]
    assert await tenant_rows(stack, agency, "select version, count(*) as n from proposals group by 1 order by 1") == [
        {"version": 1, "n": 2},
        {"version": 2, "n": 2},
    ]
    assert await tenant_rows(stack, agency, "select reserved from usage_counters") == [{"reserved": 0}]


@pytest.mark.parametrize(("fault", "batches"), [("rubbish", 2), ("refusal", 1)])
async def test_an_answer_that_is_unusable_again_and_again_is_not_paid_for_for_ever(
    fault: str,
    batches: int,
    stack: Stack,
    sandbox: Sandbox,
    agency: Organization,
    keys: list[PartitionKey],
    change_prompt: Callable[[str, str], None],
) -> None:
    change_prompt("proposal", "Write it shorter.")
    sandbox.faults("BATCH /anthropic/v1/messages", {"kind": fault}, repeat=True)

    outcomes: dict[str, list[Outcome]] = {}
    for number in range(2, 6):
        outcomes = await reprocess(stack, keys, run_id=f"run-{number}", steps=ASKING[2:])

    assert problems_of(outcomes) == []
    assert [outcome.needs_review for outcome in outcomes["proposals"]] == [True]
    assert batches_made(sandbox) == batches
    assert await tenant_rows(stack, agency, "select version from proposals") == [{"version": 1}]
    assert await tenant_rows(stack, agency, "select status from leads") == [{"status": "proposed"}]
    assert await tenant_rows(stack, agency, "select reserved from usage_counters") == [{"reserved": 0}]


async def test_an_answer_for_a_tenant_that_is_not_asked_for_now_is_kept_for_its_turn(
    stack: Stack,
    sandbox: Sandbox,
    agency: Organization,
    outsider: Organization,
    keys: list[PartitionKey],
    change_prompt: Callable[[str, str], None],
) -> None:
    await deliver(stack, outsider, enquiry("old-mill-house.example"), "form-2")
    await work_through(stack, "run-2")
    change_prompt("proposal", "Write it shorter.")
    sandbox.settings(claude_batch_seconds=0.3)
    both = [*keys, PartitionKey(outsider.slug, keys[0].day)]

    await reprocess(stack, both, run_id="run-3", steps=ASKING[2:])
    patient = variant(stack, claude_batch_wait_seconds=5)
    first = await reprocess(patient, keys, run_id="run-4", steps=ASKING[2:])
    second = await reprocess(patient, both, run_id="run-5", steps=ASKING[2:])

    assert problems_of(first) == []
    assert problems_of(second) == []
    assert batches_made(sandbox) == 1
    for organization in (agency, outsider):
        assert await count(stack, organization, "proposals") == {"proposals": 2}
        assert await tenant_rows(stack, organization, "select reserved from usage_counters") == [{"reserved": 0}]


async def test_while_another_run_submits_a_run_waits_and_submits_nothing(
    stack: Stack,
    sandbox: Sandbox,
    keys: list[PartitionKey],
    change_prompt: Callable[[str, str], None],
) -> None:
    change_prompt("proposal", "Write it once.")
    async with stack.master.connection() as other:
        assert await BATCHES.take_submission_lock(other)
        first = await reprocess(stack, keys, steps=ASKING[2:])
        assert await BATCHES.free_submission_lock(other)
    assert ([outcome.waits for outcome in first["proposals"]], batches_made(sandbox)) == ([True], 0)

    second = await reprocess(stack, keys, run_id="run-3", steps=ASKING[2:])

    assert problems_of(second) == []
    assert batches_made(sandbox) == 1
