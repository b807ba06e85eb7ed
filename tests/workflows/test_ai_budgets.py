"""Two budgets, per lead and per organization and month: over them nothing is asked, and the setting is named."""

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import (
    ANALYSES,
    assert_books_balance,
    count,
    deliver,
    enquiry,
    questions,
    tenant_rows,
    variant,
    work_through,
)

DENTIST = "walmer-dental.example"
LEAD = "select status, review_reason from leads"


async def test_a_question_over_the_leads_budget_is_not_asked_and_names_the_setting(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    stack = variant(stack, lead_budget_usd=0.15)
    await deliver(stack, agency, enquiry(DENTIST), "form-1")

    worked = await work_through(stack)

    assert worked.problems == {}
    assert questions(sandbox) == []
    [lead] = await tenant_rows(stack, agency, LEAD)
    assert lead["status"] == "needs_review"
    assert lead["review_reason"].startswith("over the lead's AI budget: 0.00 USD spent, the next question may cost 0.")
    assert lead["review_reason"].endswith("DRAGGONNB_LEAD_BUDGET_USD is 0.15")


async def test_a_question_over_the_organizations_budget_is_not_asked_and_names_the_setting(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    stack = variant(stack, organization_monthly_ai_budget_usd=0.1)
    await deliver(stack, agency, enquiry(DENTIST), "form-1")

    worked = await work_through(stack)

    assert worked.problems == {}
    assert questions(sandbox) == []
    assert await tenant_rows(stack, agency, LEAD) == [
        {
            "status": "needs_review",
            "review_reason": "over the organization's AI budget of this month: 0.00 USD used, "
            "DRAGGONNB_ORGANIZATION_MONTHLY_AI_BUDGET_USD is 0.1",
        }
    ]


async def test_money_that_others_only_hold_makes_a_lead_wait_and_not_fail(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    stack = variant(stack, organization_monthly_ai_budget_usd=1.0, max_attempts=1)
    sandbox.settings(claude_latency_seconds=0.05)
    for number in range(8):
        await deliver(stack, agency, enquiry(f"company-{number}.example"), f"form-{number}")

    first = await work_through(stack, steps=ANALYSES[:3])
    waiting = [outcome for outcome in first.outcomes["analyse_competitors"] if outcome.problem]
    for number in range(2, 5):
        await work_through(stack, f"run-{number}", steps=ANALYSES[:3])

    assert {outcome.waits for outcome in waiting} == {True}
    assert 1 <= len(waiting) <= 7
    assert await tenant_rows(stack, agency, "select distinct status from leads") == [{"status": "new"}]
    assert await count(stack, agency, "lead_analyses") == {"lead_analyses": 8}
    await assert_books_balance(stack, agency)
