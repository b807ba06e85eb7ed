"""Questions to Claude: paid once, kept before use, within both budgets, and every failure a known outcome."""

from decimal import Decimal
from typing import Any

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.leads.lead_analyses import analyse_businesses, analyse_competitors
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import (
    ANALYSES,
    assert_books_balance,
    count,
    deliver,
    enquiry,
    inbox_states,
    master_rows,
    questions,
    tenant_rows,
    variant,
    work_through,
)

MESSAGES = "POST /anthropic/v1/messages"
DENTIST = "walmer-dental.example"
LEAD = "select status, review_reason from leads"
GENERATIONS = (
    "select purpose, attempt, usable, stop_reason, cost_usd > 0 as paid from ai_generation_log order by created_at"
)


async def test_rubbish_once_is_asked_again_and_both_answers_are_kept_and_paid(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    sandbox.faults(MESSAGES, {"kind": "rubbish", "match": "quick_win_1"})
    await deliver(stack, agency, enquiry(DENTIST), "form-1")

    worked = await work_through(stack)

    assert worked.problems == {}
    assert questions(sandbox) == ["competitors", "business", "business", "proposal"]
    assert await tenant_rows(stack, agency, GENERATIONS) == [
        _generation("competitor analysis", 1, usable=True),
        _generation("business analysis", 1, usable=False),
        _generation("business analysis", 2, usable=True),
        _generation("proposal", 1, usable=True),
    ]
    assert await tenant_rows(stack, agency, LEAD) == [{"status": "proposed", "review_reason": None}]
    await assert_books_balance(stack, agency)
    assert await count(stack, outsider, "ai_generation_log", "usage_counters") == {
        "ai_generation_log": 0,
        "usage_counters": 0,
    }


@pytest.mark.parametrize(
    ("fault", "stop_reason", "asked", "reason"),
    [
        ("rubbish", "end_turn", 2, "Claude's business analysis answer: it is not JSON"),
        ("truncated", "max_tokens", 2, "Claude's business analysis answer: it is cut short (max_tokens)"),
        ("refusal", "refusal", 1, "Claude's business analysis answer: Claude refused"),
    ],
)
async def test_an_answer_that_stays_unusable_is_left_to_a_person_who_is_told_why(
    fault: str,
    stop_reason: str,
    asked: int,
    reason: str,
    stack: Stack,
    sandbox: Sandbox,
    agency: Organization,
) -> None:
    sandbox.faults(MESSAGES, {"kind": fault, "match": "quick_win_1"}, repeat=True)
    await deliver(stack, agency, enquiry(DENTIST, phone="082 123 4567"), "form-1")

    worked = await work_through(stack)

    assert worked.problems == {}
    assert questions(sandbox) == ["competitors", *["business"] * asked]
    assert await tenant_rows(stack, agency, LEAD) == [{"status": "needs_review", "review_reason": reason}]
    assert (await tenant_rows(stack, agency, GENERATIONS))[1:] == [
        _generation("business analysis", number, usable=False, stop_reason=stop_reason)
        for number in range(1, asked + 1)
    ]
    assert await count(stack, agency, "proposals") == {"proposals": 0}
    assert await inbox_states(stack) == [("done", 6, 0)]
    [mail] = sandbox.public("mail")
    assert mail["subject"] == "A lead needs you: Walmer Dental"
    assert reason in mail["text"]
    assert [message["template"] for message in sandbox.public("whatsapp")] == ["lead_needs_review"]
    await assert_books_balance(stack, agency)


async def test_a_short_overload_is_waited_out_within_the_call(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(MESSAGES, {"kind": "overloaded", "match": "market_note", "times": 3})
    await deliver(stack, agency, enquiry(DENTIST), "form-1")

    worked = await work_through(stack)

    assert worked.problems == {}
    assert questions(sandbox) == [*["competitors"] * 4, "business", "proposal"]
    assert await count(stack, agency, "ai_generation_log") == {"ai_generation_log": 3}
    await assert_books_balance(stack, agency)


async def test_an_endless_overload_gives_the_row_back_later_each_time_and_parks_the_lead_at_last(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    stack = variant(stack, max_attempts=3, retry_base_seconds=30)
    sandbox.faults(MESSAGES, {"kind": "overloaded", "match": "market_note"}, repeat=True)
    await deliver(stack, agency, enquiry(DENTIST), "form-1")

    delays = []
    for number in (1, 2):
        worked = await work_through(stack, f"run-{number}")
        assert list(worked.problems) == ["analyse_competitors"]
        [row] = await master_rows(
            stack, "select state, attempts, extract(epoch from not_before - now())::int as delay from inbox"
        )
        assert (row["state"], row["attempts"]) == ("received", number)
        delays.append(row["delay"])
    assert 28 <= delays[0] <= 30
    assert 115 <= delays[1] <= 120
    assert await tenant_rows(stack, agency, LEAD) == [{"status": "new", "review_reason": None}]

    worked = await work_through(stack, "run-3")

    assert worked.problems == {}
    assert questions(sandbox) == ["competitors"] * 12
    assert await tenant_rows(stack, agency, LEAD) == [
        {"status": "needs_review", "review_reason": "claude: retry: HTTP 529 overloaded_error"}
    ]
    assert await inbox_states(stack) == [("done", 6, 0)]
    await assert_books_balance(stack, agency)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("spend_limit", "claude: config: HTTP 429 enforced_spend_limit_reached (check the settings)"),
        ("expired_token", "claude: auth: HTTP 401 authentication_error (check the credentials)"),
    ],
)
async def test_what_only_an_operator_can_mend_is_asked_once_a_run_and_says_what_to_check(
    fault: str, reason: str, stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    stack = variant(stack, max_attempts=2)
    sandbox.faults(MESSAGES, {"kind": fault}, repeat=True)
    await deliver(stack, agency, enquiry(DENTIST), "form-1")

    first = await work_through(stack)
    assert [row["last_error"] for row in await master_rows(stack, "select last_error from inbox")] == [reason]
    assert list(first.broken.values()) == [reason]
    await work_through(stack, "run-2")

    assert questions(sandbox) == ["competitors"] * 2
    assert await tenant_rows(stack, agency, LEAD) == [{"status": "needs_review", "review_reason": reason}]
    await assert_books_balance(stack, agency)


async def test_a_rate_limit_is_waited_out_and_a_long_one_moves_the_row(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(
        MESSAGES,
        {"kind": "rate_limit", "retry_after": 0, "match": "market_note"},
        {"kind": "rate_limit", "retry_after": 1800, "match": "quick_win_1"},
    )
    await deliver(stack, agency, enquiry(DENTIST), "form-1")

    worked = await work_through(stack)

    assert worked.problems == {"analyse_businesses": ["claude: throttled: HTTP 429 rate_limit_error"]}
    assert questions(sandbox) == ["competitors", "competitors", "business"]
    [row] = await master_rows(stack, "select state, extract(epoch from not_before - now())::int as delay from inbox")
    assert row["state"] == "received"
    assert 1790 <= row["delay"] <= 1800
    await assert_books_balance(stack, agency)


async def test_a_stored_answer_is_used_again_when_its_analysis_is_gone(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await deliver(stack, agency, enquiry(DENTIST), "form-1")
    worked = await work_through(stack, steps=ANALYSES)
    [before] = await tenant_rows(stack, agency, "select content from lead_analyses where kind = 'business'")
    await tenant_rows(stack, agency, "delete from lead_analyses")

    again = [
        *(await analyse_competitors(stack, worked.batch)),
        *(await analyse_businesses(stack, worked.batch)),
    ]

    assert [(outcome.problem, outcome.tokens, outcome.cost_usd) for outcome in again] == [(None, 0, Decimal(0))] * 2
    assert questions(sandbox) == ["competitors", "business"]
    assert await tenant_rows(stack, agency, "select content from lead_analyses where kind = 'business'") == [before]
    await assert_books_balance(stack, agency)


async def test_a_repeated_step_asks_nothing_and_stores_nothing(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await deliver(stack, agency, enquiry(DENTIST), "form-1")
    worked = await work_through(stack, steps=ANALYSES)

    for step in ANALYSES:
        assert [outcome.problem for outcome in await step(stack, worked.batch)] == [None]

    assert questions(sandbox) == ["competitors", "business"]
    assert await count(stack, agency, "lead_analyses", "ai_generation_log") == {
        "lead_analyses": 2,
        "ai_generation_log": 2,
    }


async def test_leads_with_the_very_same_question_share_one_answer(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.settings(claude_latency_seconds=0.05)
    for number in range(4):
        await deliver(stack, agency, enquiry(DENTIST, email=f"desk{number}@{DENTIST}"), f"form-{number}")

    worked = await work_through(stack, steps=ANALYSES)

    assert worked.problems == {}
    assert questions(sandbox) == ["competitors", "business"]
    assert await count(stack, agency, "leads", "lead_analyses", "ai_generation_log") == {
        "leads": 4,
        "lead_analyses": 8,
        "ai_generation_log": 2,
    }
    await assert_books_balance(stack, agency)


async def test_two_organizations_never_share_an_answer(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await deliver(stack, agency, enquiry(DENTIST), "form-1")
    await deliver(stack, outsider, enquiry(DENTIST), "form-1")

    await work_through(stack, steps=ANALYSES[:3])

    assert questions(sandbox) == ["competitors"] * 2
    for organization in (agency, outsider):
        assert await count(stack, organization, "ai_generation_log") == {"ai_generation_log": 1}


def _generation(purpose: str, attempt: int, *, usable: bool, stop_reason: str = "end_turn") -> dict[str, Any]:
    return {"purpose": purpose, "attempt": attempt, "usable": usable, "stop_reason": stop_reason, "paid": True}
