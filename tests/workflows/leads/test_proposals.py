"""Proposals: one version per question, a link that stays, and an acceptance that nothing undoes."""

import asyncio
import hashlib

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.leads.proposals import proposal_token, write_proposals
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import STEPS, count, deliver, enquiry, master_rows, questions, tenant_rows, work_through

PROPOSE = STEPS[:5]
PROPOSALS = "select version, status from proposals order by version"
PAGES = "select id, version, html, html_sha256, content from proposals order by version"


@pytest.fixture
async def body(stack: Stack, agency: Organization) -> dict[str, object]:
    """An enquiry that has its first proposal."""
    body = enquiry("walmer-dental.example")
    await deliver(stack, agency, body, "form-1")
    worked = await work_through(stack, steps=PROPOSE)
    assert worked.problems == {}
    return body


async def test_the_same_question_gives_the_same_version_and_the_same_link(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization, body: dict[str, object]
) -> None:
    links = await master_rows(stack, "select * from proposal_links")

    await deliver(stack, agency, body, "form-2")
    worked = await work_through(stack, "run-2", steps=PROPOSE)

    assert worked.problems == {}
    assert questions(sandbox) == ["competitors", "business", "proposal"]
    assert await tenant_rows(stack, agency, PROPOSALS) == [{"version": 1, "status": "draft"}]
    assert await master_rows(stack, "select * from proposal_links") == links
    assert len(links) == 1
    assert await count(stack, outsider, "proposals") == {"proposals": 0}


async def test_a_proposal_whose_row_was_lost_comes_back_under_the_same_link(
    stack: Stack, sandbox: Sandbox, agency: Organization, body: dict[str, object]
) -> None:
    [before] = await tenant_rows(stack, agency, "select id, version, title from proposals")
    await tenant_rows(stack, agency, "delete from proposals")

    await deliver(stack, agency, body, "form-2")
    await work_through(stack, "run-2", steps=PROPOSE)

    assert await tenant_rows(stack, agency, "select id, version, title from proposals") == [before]
    assert questions(sandbox) == ["competitors", "business", "proposal"]
    token = proposal_token(stack, agency, before["id"])
    assert await master_rows(stack, "select token_sha256, proposal_id, version from proposal_links") == [
        {"token_sha256": hashlib.sha256(token.encode()).digest(), "proposal_id": before["id"], "version": 1}
    ]


async def test_the_stored_page_is_the_one_that_its_hash_names(
    stack: Stack, agency: Organization, body: dict[str, object]
) -> None:
    [proposal] = await tenant_rows(stack, agency, "select html, html_sha256, content from proposals")

    assert hashlib.sha256(proposal["html"].encode()).hexdigest() == proposal["html_sha256"]
    assert len(proposal["content"]["quick_wins"]) == 3


async def test_a_changed_question_makes_a_second_version_and_keeps_the_first(
    stack: Stack, sandbox: Sandbox, agency: Organization, body: dict[str, object]
) -> None:
    [first] = await tenant_rows(stack, agency, PAGES)
    await tenant_rows(stack, agency, "update leads set message = 'We have opened a second practice in Gqeberha.'")

    await deliver(stack, agency, body, "form-2")
    await work_through(stack, "run-2", steps=PROPOSE)

    assert questions(sandbox) == ["competitors", "business", "proposal"] * 2
    kept, second = await tenant_rows(stack, agency, PAGES)
    assert kept == first
    assert second["version"] == 2
    assert second["html_sha256"] != first["html_sha256"]
    assert [row["version"] for row in await master_rows(stack, "select version from proposal_links order by 1")] == [
        1,
        2,
    ]


async def test_runs_that_write_the_same_proposal_at_once_store_it_once(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.settings(claude_latency_seconds=0.05)
    batches = []
    for number in range(3):
        await deliver(stack, agency, enquiry("old-mill-house.example"), f"form-{number}")
        batches.append((await work_through(stack, f"run-{number}", steps=STEPS[:4])).batch)

    parts = await asyncio.gather(*(write_proposals(stack, batch) for batch in batches))

    assert [outcome.problem for part in parts for outcome in part] == [None] * 3
    assert len({outcome.columns["proposal"] for part in parts for outcome in part}) == 1
    assert await tenant_rows(stack, agency, PROPOSALS) == [{"version": 1, "status": "draft"}]
    assert len(await master_rows(stack, "select * from proposal_links")) == 1


async def test_an_accepted_proposal_stays_whatever_comes_later(
    stack: Stack, sandbox: Sandbox, agency: Organization, body: dict[str, object]
) -> None:
    await tenant_rows(stack, agency, "update proposals set status = 'accepted', accepted_at = now()")
    await tenant_rows(stack, agency, "update leads set message = 'We have opened a second practice in Gqeberha.'")

    await deliver(stack, agency, body, "form-2")
    worked = await work_through(stack, "run-2", steps=PROPOSE)

    assert worked.problems == {}
    assert [outcome.columns for outcome in worked.outcomes["write_proposals"]] == [
        {"version": 1, "status": "accepted, kept"}
    ]
    assert questions(sandbox).count("proposal") == 1
    assert await tenant_rows(stack, agency, PROPOSALS) == [{"version": 1, "status": "accepted"}]


async def test_a_lead_that_a_person_has_won_keeps_its_status(
    stack: Stack, agency: Organization, body: dict[str, object]
) -> None:
    worked = await work_through(stack, "run-2", steps=())
    await deliver(stack, agency, body, "form-2")
    worked = await work_through(stack, "run-3", steps=STEPS[:4])
    await tenant_rows(stack, agency, "update leads set status = 'won'")

    outcomes = await write_proposals(stack, worked.batch)

    assert [outcome.problem for outcome in outcomes] == [None]
    assert await tenant_rows(stack, agency, "select status from leads") == [{"status": "won"}]


async def test_a_plan_that_claude_made_up_falls_back_to_the_smallest(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    invented = (
        '{"headline": "h", "problem": "p", "summary": "s", "approach": [], "timeline": [], '
        '"plan_key": "platinum-unlimited", "next_step": "n"}'
    )
    sandbox.faults("POST /anthropic/v1/messages", {"kind": "rubbish", "match": '"headline"', "text": invented})
    await deliver(stack, agency, enquiry("old-mill-house.example"), "form-1")

    worked = await work_through(stack, steps=PROPOSE)

    assert worked.problems == {}
    [smallest] = await master_rows(
        stack, "select plan_key from plan_prices where effective_from <= now() order by amount_cents limit 1"
    )
    assert await tenant_rows(stack, agency, "select plan_key from proposals") == [smallest]
