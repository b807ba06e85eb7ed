"""The agency hears once of each month's AI budget that is nearly spent, and once that it is."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.ai_budgets import AI_SPEND
from draggonnb_pipelines.workflows.operations.budget_alerts import tell_budgets
from tests.sandbox_process import Sandbox
from tests.workflows.agency_work import database_away
from tests.workflows.lead_work import tenant_rows, variant
from tests.workflows.post_reviews import OWNER, mailed

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)
LIMIT = 10.0


def at(stack: Stack, moment: datetime = NOW, budget_usd: float = LIMIT) -> Stack:
    return variant(stack, now=lambda: moment, organization_monthly_ai_budget_usd=budget_usd)


async def spend(stack: Stack, client: Organization, usd: float, month: date = NOVEMBER, largest_usd: float = 0.2):
    """So much was used in the month, and its largest question held that much."""
    await tenant_rows(
        stack,
        client,
        "insert into usage_counters (metric, period_start, period_end, used, limit_value) values (%s, %s, %s, %s, %s)"
        " on conflict (metric, period_start) do update set used = excluded.used",
        AI_SPEND, month, DECEMBER if month == NOVEMBER else date(2027, 1, 1), round(usd * 1e6), 10_000_000,
    )  # fmt: skip
    await tenant_rows(
        stack,
        client,
        "insert into usage_reservations (metric, period_start, amount, key, state, expires_at)"
        " values (%s, %s, %s, %s, 'committed', now())",
        AI_SPEND, month, round(largest_usd * 1e6), str(uuid4()),
    )  # fmt: skip


async def alerts(stack: Stack, agency: Organization) -> list[tuple[str, str | None]]:
    rows = await tenant_rows(
        stack, agency, "select event_key, acknowledged_by from alerts where event = 'ai_budget' order by created_at"
    )
    return [(row["event_key"].rpartition(":2026")[0], row["acknowledged_by"]) for row in rows]


async def test_a_budget_is_told_of_once_at_each_threshold_to_the_agencys_owner_alone(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await spend(stack, outsider, 7.99)
    assert await tell_budgets(at(stack)) == []
    await spend(stack, outsider, 8.0)

    told = [await tell_budgets(at(stack)) for _ in range(2)]
    await spend(stack, outsider, 9.85)
    later = NOW + timedelta(hours=1)
    told += [await tell_budgets(at(stack, later)) for _ in range(2)]

    assert told == [["outsider: 80 %"]] * 2 + [["outsider: 100 %"]] * 2
    near, spent = "The AI budget of outsider is spent by 80 %", "The AI budget of outsider is spent"
    assert mailed(sandbox) == [(OWNER, spent), (OWNER, near)]
    assert await alerts(stack, agency) == [
        ("ai_budget:outsider 2026-11 of 10 USD by 80 %", "the system: it is settled"),
        ("ai_budget:outsider 2026-11 of 10 USD by 100 %", None),
    ]
    assert await tenant_rows(stack, outsider, "select event from alerts") == []
    [row] = await tenant_rows(stack, agency, "select lines from alerts where acknowledged_at is null")
    assert row["lines"] == [
        "9.85 of 10.00 USD are spent in November 2026; the largest question held 0.20.",
        "Until 01 December its leads and requests for content wait for a person.",
        "To let it go on, raise DRAGGONNB_ORGANIZATION_MONTHLY_AI_BUDGET_USD; then reprocess the days whose leads were "
        "parked.",
    ]


async def test_what_was_answered_is_told_again_for_another_budget_or_month_alone(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await spend(stack, outsider, 9.0)
    await tell_budgets(at(stack))
    await tenant_rows(stack, agency, "update alerts set acknowledged_by = 'x', acknowledged_at = now()")

    await tell_budgets(at(stack, datetime(2026, 11, 29, 8, tzinfo=UTC)))
    await tell_budgets(at(stack, datetime(2026, 12, 1, 8, tzinfo=UTC)))
    assert len(mailed(sandbox)) == 1
    await tell_budgets(at(stack, budget_usd=11))
    await spend(stack, outsider, 9.0, DECEMBER)
    await tell_budgets(at(stack, datetime(2026, 12, 2, 8, tzinfo=UTC)))

    assert [key for key, _ in await alerts(stack, agency)] == [
        "ai_budget:outsider 2026-11 of 10 USD by 80 %",
        "ai_budget:outsider 2026-11 of 11 USD by 80 %",
        "ai_budget:outsider 2026-12 of 10 USD by 80 %",
    ]
    assert len(mailed(sandbox)) == 3


async def test_a_client_that_cannot_be_asked_keeps_its_alert(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await spend(stack, outsider, 9.0)
    await tell_budgets(at(stack))

    async with database_away(stack, outsider):
        assert await tell_budgets(at(stack)) == []

    assert await alerts(stack, agency) == [("ai_budget:outsider 2026-11 of 10 USD by 80 %", None)]
    assert len(mailed(sandbox)) == 1
