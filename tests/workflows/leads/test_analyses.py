"""The analyses: every quote checked against a stored page, nothing invented passes for true, three quick wins."""

import asyncio
import hashlib
import json
from typing import Any

import psycopg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import (
    ANALYSES,
    claim,
    count,
    deliver,
    enquiry,
    questions,
    tenant_rows,
    work_through,
)

DENTIST = "walmer-dental.example"


async def test_each_supported_quote_names_the_stored_page_its_hash_and_the_time_of_reading(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    sandbox.settings(claude_unsupported_quote_rate=0.0)
    await deliver(stack, agency, enquiry(DENTIST), "form-1")

    await work_through(stack, steps=ANALYSES)

    pages = {
        (row["url"], row["sha256"], row["fetched_at"]): row["text"]
        for row in await tenant_rows(stack, agency, "select url, sha256, text, fetched_at from evidence")
    }
    quotes = _quotes(await _content(stack, agency, "business"))
    assert len(quotes) >= 3
    assert [quote for quote in quotes if not quote["supported"]] == []
    for quote in quotes:
        [text] = [
            text
            for (url, digest, fetched_at), text in pages.items()
            if (url, digest) == (quote["url"], quote["sha256"])
            and fetched_at.isoformat().removesuffix("+00:00") == quote["fetched_at"].removesuffix("Z")
        ]
        assert quote["quote"] in text
        assert hashlib.sha256(text.encode()).hexdigest() == quote["sha256"]
    assert await tenant_rows(
        stack, agency, "select claims_total > 0 as any, claims_unsupported from lead_analyses where kind = 'business'"
    ) == [{"any": True, "claims_unsupported": 0}]
    assert await count(stack, outsider, "lead_analyses", "evidence") == {"lead_analyses": 0, "evidence": 0}


async def test_invented_quotes_are_kept_and_marked_and_the_proposal_says_so(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.settings(claude_unsupported_quote_rate=1.0)
    await deliver(stack, agency, enquiry(DENTIST), "form-1")

    worked = await work_through(stack)

    assert worked.problems == {}
    quotes = _quotes(await _content(stack, agency, "business"))
    assert len(quotes) >= 3
    assert {(quote["supported"], quote["sha256"], quote["fetched_at"]) for quote in quotes} == {(False, None, None)}
    [counts] = await tenant_rows(
        stack, agency, "select claims_total, claims_unsupported from lead_analyses where kind = 'business'"
    )
    assert counts["claims_unsupported"] == counts["claims_total"] > 0
    [proposal] = await tenant_rows(stack, agency, "select html from proposals")
    assert "Not yet verified" in proposal["html"]


async def test_a_competitors_quote_is_checked_against_its_own_page_which_is_kept(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.settings(claude_unsupported_quote_rate=0.0)
    await deliver(stack, agency, enquiry(DENTIST), "form-1")

    await work_through(stack, steps=ANALYSES)

    read = {
        row["url"] for row in await tenant_rows(stack, agency, "select url from evidence where subject = 'competitor'")
    }
    competitors = (await _content(stack, agency, "competitors"))["competitors"]
    assert len(read) == 3
    assert [competitor["found_by_search"] for competitor in competitors] == [True] * len(competitors)
    first = competitors[:3]
    assert [quote["supported"] for competitor in first for quote in competitor["evidence"]] == [True] * 6
    assert {quote["url"] for competitor in first for quote in competitor["evidence"]} == read


async def test_a_competitor_whose_page_cannot_be_read_stays_with_unverified_quotes(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.settings(claude_unsupported_quote_rate=0.0)
    await deliver(stack, agency, enquiry(DENTIST), "form-1")
    await work_through(stack, steps=ANALYSES)
    names = [competitor["url"] for competitor in (await _content(stack, agency, "competitors"))["competitors"][:3]]
    await tenant_rows(stack, agency, "delete from contacts")
    await tenant_rows(stack, agency, "delete from leads")

    for url in names:
        host = url.removeprefix("https://").rstrip("/")
        sandbox.faults(f"GET {host}/", {"kind": "status", "status": 500}, repeat=True)
    await deliver(stack, agency, enquiry(DENTIST), "form-2")
    worked = await work_through(stack, "run-2", steps=ANALYSES)

    assert worked.problems == {}
    competitors = (await _content(stack, agency, "competitors"))["competitors"]
    assert {quote["supported"] for competitor in competitors for quote in competitor["evidence"]} == {False}


async def test_a_competitor_that_no_search_returned_is_marked_and_its_address_is_never_asked(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults("POST /anthropic/v1/messages", {"kind": "rubbish", "match": "market_note", "text": _INVENTED})
    await deliver(stack, agency, enquiry(DENTIST), "form-1")

    worked = await work_through(stack, steps=ANALYSES)

    assert worked.problems == {}
    [competitor] = (await _content(stack, agency, "competitors"))["competitors"]
    assert (competitor["name"], competitor["found_by_search"]) == ("Made Up Dental", False)
    assert [(quote["supported"], quote["reason"]) for quote in competitor["evidence"]] == [(False, "unknown_source")]
    assert not [entry for entry in sandbox.journal("websites") if "made-up" in json.dumps(entry)]


async def test_a_competitors_claim_is_not_proved_by_the_leads_own_page(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await deliver(stack, agency, enquiry(DENTIST), "form-1")
    await work_through(stack, steps=ANALYSES[:2])
    [page] = await tenant_rows(stack, agency, "select text from evidence order by url limit 1")
    own_words = max(page["text"].splitlines(), key=len)
    stolen = _INVENTED.replace("We mend teeth by moonlight only.", own_words)
    sandbox.faults("POST /anthropic/v1/messages", {"kind": "rubbish", "match": "market_note", "text": stolen})

    await deliver(stack, agency, enquiry(DENTIST), "form-2")
    await work_through(stack, "run-2", steps=ANALYSES)

    [competitor] = (await _content(stack, agency, "competitors"))["competitors"]
    assert [quote["supported"] for quote in competitor["evidence"]] == [False]


async def test_the_database_refuses_an_analysis_without_exactly_three_quick_wins(
    stack: Stack, agency: Organization
) -> None:
    await deliver(stack, agency, enquiry(DENTIST), "form-1")
    await work_through(stack, steps=ANALYSES)

    for change in ("content #- '{quick_wins,0}'", "content - 'quick_wins'", "content || '{\"quick_wins\": {}}'"):
        with pytest.raises(psycopg.errors.CheckViolation, match="lead_analyses_three_quick_wins"):
            await tenant_rows(stack, agency, f"update lead_analyses set content = {change} where kind = 'business'")
    assert len((await _content(stack, agency, "business"))["quick_wins"]) == 3


async def test_an_answer_with_two_quick_wins_is_never_stored_as_an_analysis(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    two = '{"summary": "s", "sector": "dentist", "company_size": "unknown", "strengths": [], "weaknesses": []}'
    sandbox.faults("POST /anthropic/v1/messages", {"kind": "rubbish", "match": "quick_win_1", "text": two}, repeat=True)
    await deliver(stack, agency, enquiry(DENTIST), "form-1")

    await work_through(stack)

    assert await tenant_rows(stack, agency, "select kind from lead_analyses") == [{"kind": "competitors"}]
    assert await tenant_rows(stack, agency, "select status, review_reason from leads") == [
        {
            "status": "needs_review",
            "review_reason": "Claude's business analysis answer: it does not fit its schema: "
            "quick_win_1, quick_win_2, quick_win_3, lead_score",
        }
    ]
    assert await count(stack, agency, "proposals") == {"proposals": 0}


async def test_two_runs_on_the_same_lead_at_once_store_each_version_once(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.settings(claude_latency_seconds=0.05)
    batches = []
    for number in range(3):
        await deliver(stack, agency, enquiry(DENTIST), f"form-{number}")
        batches.append(await claim(stack, f"run-{number}"))

    problems = []
    for step in ANALYSES:
        parts = await asyncio.gather(*(step(stack, batch) for batch in batches))
        problems += [outcome.problem for part in parts for outcome in part if outcome.problem]

    assert problems == []
    assert await tenant_rows(stack, agency, "select kind, version from lead_analyses order by kind") == [
        {"kind": "business", "version": 1},
        {"kind": "competitors", "version": 1},
    ]
    assert await tenant_rows(
        stack, agency, "select count(*) filter (where usable) as usable from ai_generation_log"
    ) == [{"usable": 2}]
    assert questions(sandbox).count("business") <= 3


_INVENTED = (
    '{"market_note": "A quiet market.", "competitors": [{"name": "Made Up Dental", '
    '"url": "https://made-up-dental.example/", "positioning": "Cheap.", "evidence": '
    '[{"quote": "We mend teeth by moonlight only.", "url": "https://made-up-dental.example/"}]}]}'
)


async def _content(stack: Stack, organization: Organization, kind: str) -> dict[str, Any]:
    query = "select content from lead_analyses where kind = %s order by version desc limit 1"
    [row] = await tenant_rows(stack, organization, query, kind)
    return row["content"]


def _quotes(analysis: dict[str, Any]) -> list[dict[str, Any]]:
    claims = [*analysis["strengths"], *analysis["weaknesses"], *analysis["quick_wins"]]
    return [quote for claim in claims for quote in claim["evidence"]]
