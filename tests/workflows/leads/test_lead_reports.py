"""What an operator is told of a run, and what becomes of a tenant whose database is away."""

import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.domain.leads import LeadWork
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey, StepReport
from draggonnb_pipelines.errors import NeedsReview
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.leads.lead_batches import DayBatch, Outcome
from draggonnb_pipelines.workflows.leads.lead_reports import report_step
from draggonnb_pipelines.workflows.leads.notifications import notify_sales
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import (
    STEPS,
    Worked,
    count,
    deliver,
    enquiry,
    inbox_states,
    master_rows,
    tenant_rows,
    work_through,
)

DENTIST = "walmer-dental.example"


@contextlib.asynccontextmanager
async def away(stack: Stack, organization: Organization) -> AsyncIterator[None]:
    """The organization's database refuses connections and has lost those that it had."""
    name = organization.database_name
    assert name is not None
    with psycopg.connect(stack.settings.dsn, autocommit=True) as conn:

        def allow(*, connections: bool) -> None:
            word = SQL("true") if connections else SQL("false")
            conn.execute(SQL("alter database {} allow_connections {}").format(Identifier(name), word))

        allow(connections=False)
        try:
            conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
            yield
        finally:
            allow(connections=True)


async def test_rows_of_a_tenant_that_is_away_wait_without_losing_an_attempt_and_others_go_on(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await deliver(stack, agency, enquiry(DENTIST), "form-1")
    await deliver(stack, outsider, enquiry("old-mill-house.example"), "form-2")

    async with away(stack, outsider):
        worked = [await work_through(stack, f"run-{number}") for number in range(1, 8)][-1]
        report = await _report(stack, worked, "leads", "capture_leads")

    assert await inbox_states(stack) == [("done", 6, 0), ("received", 0, 0)]
    [failed] = report.failed.items()
    assert failed[0].slug == "outsider"
    assert failed[1].startswith("tenant outsider: database unavailable: ")
    assert report.done == {}

    back = await work_through(stack, "run-8")
    assert back.problems == {}
    assert await inbox_states(stack) == [("done", 6, 0), ("done", 6, 0)]
    for organization in (agency, outsider):
        assert await tenant_rows(stack, organization, "select status from leads") == [{"status": "proposed"}]
    assert sorted(mail["recipient"] for mail in sandbox.public("mail")) == [
        "sales@draggonnb.example",
        "sales@outsider.example",
    ]


@pytest.mark.parametrize("passed", [1, 2, 3, 4, 5])
async def test_a_tenant_that_goes_away_in_the_middle_goes_on_where_it_stopped(
    passed: int, stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await deliver(stack, agency, enquiry(DENTIST), "form-1")
    await deliver(stack, outsider, enquiry("old-mill-house.example"), "form-2")
    worked = await work_through(stack, steps=STEPS[:passed])

    async with away(stack, outsider):
        for step in STEPS[passed:]:
            worked.outcomes[step.__name__] = await step(stack, worked.batch)
        report = await _report(stack, worked, "sales_notifications", "notify_sales")

    assert [key.slug for key in report.done] == ["draggonnb"]
    assert [key.slug for key in report.failed] == ["outsider"]
    assert await inbox_states(stack) == [("done", 6, 0), ("received", passed, 0)]
    assert await master_rows(
        stack, "select asset, rows, run_id from asset_ledger join organizations on id = organization_id"
    ) == [{"asset": "sales_notifications", "rows": 1, "run_id": "run-1"}]

    back = await work_through(stack, "run-2")
    assert back.problems == {}
    assert await inbox_states(stack) == [("done", 6, 0), ("done", 6, 0)]
    assert len(sandbox.public("mail")) == 2
    assert len(sandbox.public("whatsapp")) == 2


async def test_the_answer_of_claude_survives_a_tenant_that_goes_away_before_it_is_used(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await deliver(stack, agency, enquiry(DENTIST), "form-1")
    await work_through(stack, steps=STEPS[:3])
    await master_rows(stack, "update inbox set state = 'received', batch_id = null")

    async with away(stack, agency):
        worked = await work_through(stack, "run-2")
    back = await work_through(stack, "run-3")

    assert len(worked.broken) == 1
    assert back.problems == {}
    assert await count(stack, agency, "ai_generation_log") == {"ai_generation_log": 3}
    assert await count(stack, outsider, "leads") == {"leads": 0}


async def test_a_report_counts_what_there_is_on_the_day_and_the_ledger_says_the_same(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await deliver(stack, agency, enquiry(DENTIST), "form-1")
    await work_through(stack)
    sandbox.faults("POST /anthropic/v1/messages", {"kind": "refusal", "match": "quick_win_1"})
    await deliver(stack, agency, enquiry("old-mill-house.example"), "form-2")
    worked = await work_through(stack, "run-2")

    report = await _report(stack, worked, "business_analyses", "analyse_businesses", code_version="a" * 64)

    [done] = report.done.values()
    assert report.failed == {}
    assert done.rows == 1
    assert done.metadata["leads in this run"] == 1
    assert done.metadata["needs review"] == 1
    assert done.metadata["prompt"] == "a" * 12
    assert [(check.name, check.passed) for check in done.checks] == [("three_quick_wins", True)]
    [row] = await master_rows(stack, "select asset, rows, needs_review, run_id, code_version from asset_ledger")
    [stored] = await tenant_rows(stack, agency, "select prompt_hash from lead_analyses where kind = 'business'")
    assert row == {
        "asset": "business_analyses",
        "rows": 1,
        "needs_review": 1,
        "run_id": "run-2",
        "code_version": stored["prompt_hash"],
    }


async def test_an_analysis_without_three_quick_wins_fails_the_check_that_blocks_proposals(
    stack: Stack, agency: Organization
) -> None:
    key = await _key(stack, agency)
    outcomes = [
        Outcome(LeadWork(agency, key, uuid4()), columns={"quick wins": wins}, tokens=10, cost_usd=Decimal("0.01"))
        for wins in (3, 2)
    ]

    report = await report_step(stack, "business_analyses", "run-1", [key], outcomes)

    [check] = report.done[key].checks
    assert not check.passed
    assert check.description == "1 of 2 analyses do not have exactly three quick wins"
    assert report.done[key].metadata["tokens"] == 20
    assert report.done[key].metadata["cost (USD)"] == 0.02


async def test_a_partition_that_only_waits_says_so_and_one_that_failed_says_why(
    stack: Stack, agency: Organization
) -> None:
    key = await _key(stack, agency)
    lead = LeadWork(agency, key, uuid4())
    waits = Outcome(lead, problem=NeedsReview("the batch runs"), waits=True)
    broken = Outcome(lead, problem=ValueError("a person's name"))

    waiting = await report_step(stack, "proposals", "run-1", [key], [waits, Outcome(lead)])
    failing = await report_step(stack, "proposals", "run-1", [key], [broken, waits])

    assert (waiting.done, waiting.failed) == ({}, {})
    assert waiting.waiting == {key: "1 of 2 leads wait: the batch runs"}
    assert (failing.done, failing.waiting) == ({}, {})
    assert failing.failed == {key: "2 of 2 leads failed: unexpected ValueError; the run's log has the trace"}
    assert await master_rows(stack, "select * from asset_ledger") == []


async def test_what_strangers_wrote_cannot_break_out_of_the_table(stack: Stack, agency: Organization) -> None:
    key = await _key(stack, agency)
    lead = LeadWork(agency, key, uuid4())

    report = await report_step(stack, "leads", "run-1", [key], [Outcome(lead, columns={"source": "a|b\n\n# big"})])

    text = report.done[key].metadata["leads"].text
    assert text.splitlines() == ["| lead | source |", "|---|---|", f"| `{str(lead.lead_id)[:8]}` | a\\|b \\# big |"]


async def test_an_organization_that_is_away_or_unknown_fails_its_days_of_a_reprocessing(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await deliver(stack, agency, enquiry(DENTIST), "form-1")
    worked = await work_through(stack)
    [key] = await worked.batch.keys()
    keys = [key, PartitionKey("outsider", key.day), PartitionKey("nobody", key.day)]
    batch = DayBatch(stack, keys, "run-2")

    async with away(stack, outsider):
        outcomes = await notify_sales(stack, batch)
        report = await report_step(stack, "sales_notifications", "run-2", keys, outcomes, broken=batch.unreachable)

    assert list(report.done) == [key]
    assert report.failed[keys[2]] == "no such organization"
    assert report.failed[keys[1]].startswith("tenant outsider: database unavailable: ")
    assert await count(stack, agency, "notification_deliveries") == {"notification_deliveries": 3}


async def _report(
    stack: Stack, worked: Worked, asset: str, step: str, *, code_version: str | None = None
) -> StepReport:
    keys = await worked.batch.keys()
    return await report_step(
        stack,
        asset,
        worked.batch.run_id,
        keys,
        worked.outcomes[step],
        code_version=code_version,
        broken=await worked.batch.broken(),
    )


async def _key(stack: Stack, organization: Organization) -> PartitionKey:
    return PartitionKey(organization.slug, stack.now().date())
