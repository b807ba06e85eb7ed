"""Stored leads through changed prompts: new versions by message batches, each submitted once, nobody told."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from draggonnb_pipelines import prompts
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows import lead_analyses, proposals
from draggonnb_pipelines.workflows.lead_analyses import analyse_businesses, analyse_competitors
from draggonnb_pipelines.workflows.lead_batches import DayBatch, Outcome
from draggonnb_pipelines.workflows.lead_reports import report_step
from draggonnb_pipelines.workflows.message_batches import BATCHES
from draggonnb_pipelines.workflows.notifications import notify_sales
from draggonnb_pipelines.workflows.proposals import write_proposals
from draggonnb_pipelines.workflows.reprocessing import (
    reprocess_step,
    reprocessing_keys,
    request_reprocessing,
    settle_request,
)
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import (
    count,
    deliver,
    enquiry,
    master_rows,
    questions,
    tenant_rows,
    variant,
    work_through,
)

BATCH_ROUTE = "POST /anthropic/v1/messages/batches"
LOADED = (lead_analyses.competitors_prompt, lead_analyses.business_prompt, proposals.proposal_prompt)
ASKING = (
    ("competitor_analyses", analyse_competitors),
    ("business_analyses", analyse_businesses),
    ("proposals", write_proposals),
)
VERSIONS = "select kind, version from lead_analyses union all select 'proposal', version from proposals order by 1, 2"
FIRST = [{"kind": kind, "version": 1} for kind in ("business", "competitors", "proposal")]


@pytest.fixture
def change_prompt(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Another text of one prompt, as after a deployment."""
    read = prompts._read
    changed: dict[str, str] = {}

    def change(name: str, words: str) -> None:
        changed[name] = f"{words} "
        for load in LOADED:
            load.cache_clear()

    monkeypatch.setattr(prompts, "_read", lambda name: changed.get(name, "") + read(name))
    yield change  # pyright: ignore[reportReturnType]
    for load in LOADED:
        load.cache_clear()


@pytest.fixture
async def keys(stack: Stack, agency: Organization) -> list[PartitionKey]:
    """One lead that went all the way, and the partition that it belongs to."""
    await deliver(stack, agency, enquiry("walmer-dental.example", phone="082 123 4567"), "form-1")
    worked = await work_through(stack)
    assert worked.problems == {}
    found = await worked.batch.keys()
    await report_step(stack, "leads", "run-1", found, worked.outcomes["capture_leads"])
    return found


async def test_a_changed_prompt_makes_a_second_version_beside_the_first_and_tells_nobody(
    stack: Stack,
    sandbox: Sandbox,
    agency: Organization,
    outsider: Organization,
    keys: list[PartitionKey],
    change_prompt: Callable[[str, str], None],
) -> None:
    asked, told = questions(sandbox), _told(sandbox)
    change_prompt("proposal", "Write it shorter.")

    outcomes = await _reprocess(stack, keys)
    await notify_sales(stack, DayBatch(stack, keys, "run-2"))

    assert _problems(outcomes) == []
    assert questions(sandbox) == asked
    assert _batches(sandbox) == 1
    assert await tenant_rows(stack, agency, "select version, status from proposals order by version") == [
        {"version": 1, "status": "superseded"},
        {"version": 2, "status": "draft"},
    ]
    assert await count(stack, agency, "lead_analyses", "notification_deliveries") == {
        "lead_analyses": 2,
        "notification_deliveries": 3,
    }
    assert _told(sandbox) == told
    assert await count(stack, outsider, "proposals", "leads") == {"proposals": 0, "leads": 0}
    assert await tenant_rows(stack, agency, "select reserved from usage_counters") == [{"reserved": 0}]


async def test_unchanged_prompts_make_no_version_and_ask_nothing(
    stack: Stack, sandbox: Sandbox, agency: Organization, keys: list[PartitionKey]
) -> None:
    asked = sandbox.journal("claude")

    outcomes = await _reprocess(stack, keys)

    assert _problems(outcomes) == []
    assert sandbox.journal("claude") == asked
    assert await tenant_rows(stack, agency, VERSIONS) == FIRST
    assert await count(stack, agency, "ai_generation_log") == {"ai_generation_log": 3}


async def test_a_batchs_answer_costs_half_and_names_its_batch(
    stack: Stack, agency: Organization, keys: list[PartitionKey], change_prompt: Callable[[str, str], None]
) -> None:
    change_prompt("proposal", "Write it again.")

    await _reprocess(stack, keys)

    [batch] = await master_rows(stack, "select id, state, purpose from message_batches")
    assert (batch["state"], batch["purpose"]) == ("stored", "proposals")
    [row] = await tenant_rows(
        stack,
        agency,
        "select message_batch_id, usable, cost_usd * 2 < (select max(cost_usd) from ai_generation_log"
        " where purpose = 'proposal') * 1.1 as is_half from ai_generation_log where message_batch_id is not null",
    )
    assert row == {"message_batch_id": batch["id"], "usable": True, "is_half": True}


async def test_an_accepted_proposal_is_kept(
    stack: Stack,
    sandbox: Sandbox,
    agency: Organization,
    keys: list[PartitionKey],
    change_prompt: Callable[[str, str], None],
) -> None:
    await tenant_rows(stack, agency, "update proposals set status = 'accepted', accepted_at = now()")
    change_prompt("proposal", "Write it shorter.")

    outcomes = await _reprocess(stack, keys)

    assert _problems(outcomes) == []
    assert _batches(sandbox) == 0
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

    first = await _reprocess(stack, keys, steps=ASKING[:2])
    second = await _reprocess(stack, keys, run_id="run-3", steps=ASKING[:2])
    await settle_request(stack, request_id, "run-3", [])

    for outcomes in (first, second):
        [outcome] = outcomes["business_analyses"]
        assert outcome.waits
        assert "have not ended after 0 s" in str(outcome.problem)
    assert _batches(sandbox) == 1
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
    third = await _reprocess(patient, keys, run_id="run-4")
    await settle_request(stack, request_id, "run-4", keys)

    assert _problems(third) == []
    assert [row["version"] for row in await tenant_rows(stack, agency, _business_versions())] == [1, 2]
    assert [row["state"] for row in await master_rows(stack, "select state from reprocessings")] == ["done"]
    assert await tenant_rows(stack, agency, "select reserved from usage_counters") == [{"reserved": 0}]


async def test_a_submission_whose_answer_was_lost_is_found_at_the_vendor(
    stack: Stack,
    sandbox: Sandbox,
    agency: Organization,
    keys: list[PartitionKey],
    change_prompt: Callable[[str, str], None],
) -> None:
    change_prompt("proposal", "Write it shorter.")
    sandbox.faults(BATCH_ROUTE, {"kind": "accept_then_drop"})

    first = await _reprocess(stack, keys, steps=ASKING[2:])
    assert [row["state"] for row in await master_rows(stack, "select state from message_batches")] == ["intent"]
    second = await _reprocess(stack, keys, run_id="run-3", steps=ASKING[2:])

    assert [outcome.waits for outcome in first["proposals"]] == [True]
    assert _problems(second) == []
    assert _batches(sandbox) == 1
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

    first = await _reprocess(stack, keys, steps=ASKING[2:])
    second = await _reprocess(stack, keys, run_id="run-3", steps=ASKING[2:])

    assert [outcome.waits for outcome in first["proposals"]] == [True]
    assert _problems(second) == []
    assert _batches(sandbox) == 1
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

    first = await _reprocess(stack, keys, steps=ASKING[2:])
    second = await _reprocess(stack, keys, run_id="run-3", steps=ASKING[2:])

    assert [str(outcome.problem) for outcome in first["proposals"]] == ["claude: auth: HTTP 401 authentication_error"]
    assert _problems(second) == []
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

    first = await _reprocess(stack, keys, run_id="run-3", steps=ASKING[2:])
    second = await _reprocess(stack, keys, run_id="run-4", steps=ASKING[2:])

    assert sorted(outcome.waits for outcome in first["proposals"]) == [False, True]
    assert _problems(second) == []
    assert _batches(sandbox) == 2
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
        outcomes = await _reprocess(stack, keys, run_id=f"run-{number}", steps=ASKING[2:])

    assert _problems(outcomes) == []
    assert [outcome.needs_review for outcome in outcomes["proposals"]] == [True]
    assert _batches(sandbox) == batches
    assert await tenant_rows(stack, agency, "select version, status from proposals") == [
        {"version": 1, "status": "draft"}
    ]
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

    await _reprocess(stack, both, run_id="run-3", steps=ASKING[2:])
    patient = variant(stack, claude_batch_wait_seconds=5)
    first = await _reprocess(patient, keys, run_id="run-4", steps=ASKING[2:])
    second = await _reprocess(patient, both, run_id="run-5", steps=ASKING[2:])

    assert _problems(first) == []
    assert _problems(second) == []
    assert _batches(sandbox) == 1
    for organization in (agency, outsider):
        assert await count(stack, organization, "proposals") == {"proposals": 2}
        assert await tenant_rows(stack, organization, "select reserved from usage_counters") == [{"reserved": 0}]


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


async def _reprocess(
    stack: Stack, keys: list[PartitionKey], *, run_id: str = "run-2", steps: Any = ASKING
) -> dict[str, list[Outcome]]:
    """The steps that ask, over these days, as a run of `reprocess_leads` does."""
    batch = DayBatch(stack, keys, run_id)
    return {name: await reprocess_step(stack, batch, name, step) for name, step in steps}


async def _request(stack: Stack, keys: list[PartitionKey]) -> UUID:
    request_id, day = uuid4(), keys[0].day
    await request_reprocessing(
        stack, ["draggonnb"], day - timedelta(days=1), day, requested_by="a test", request_id=request_id
    )
    return request_id


def _problems(outcomes: dict[str, list[Outcome]]) -> list[str]:
    return [str(outcome.problem) for part in outcomes.values() for outcome in part if outcome.problem]


def _batches(sandbox: Sandbox) -> int:
    """Batches that the vendor made."""
    return sum(entry["route"] == BATCH_ROUTE and entry["accepted"] for entry in sandbox.journal("claude"))


def _told(sandbox: Sandbox) -> int:
    return len(sandbox.public("mail")) + len(sandbox.public("whatsapp"))


def _business_versions() -> str:
    return "select version from lead_analyses where kind = 'business' order by version"
