"""AI budgets of a month that are nearly spent, or spent, as matters for the operators: one for each client, month,
budget and threshold.

Lives here: the looking and the words. Not here: what a budget lets through (`workflows/ai_budgets.py`), how alerts
repeat (`operator_alerts.py`), the limits of a client's plan, of which its owners are told (`billing/usage_alerts.py`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any

from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.ai_budgets import AI_SPEND, USAGE, month_of
from draggonnb_pipelines.workflows.messages.open_alerts import look_into_clients
from draggonnb_pipelines.workflows.operations.operator_alerts import AI_BUDGET, Matter, raise_matter, settle_matters

NEAR = 80  # percent
SETTING = "DRAGGONNB_ORGANIZATION_MONTHLY_AI_BUDGET_USD"


async def tell_budgets(stack: Stack) -> list[str]:
    """Raise an alert for each active client whose budget of this UTC month is spent by 80 %, and another one where it
    is spent; close those of other months and budgets. Returns the clients, each with its percent.

    Raises:
        TenantUnavailable: the agency's database is away; the next look tells.
    """
    month, _ = month_of(stack.now())
    found, away = await look_into_clients(
        stack.master,
        stack.tenants,
        None,
        lambda tenant: USAGE.period_spend(tenant.conn, metric=AI_SPEND, period_start=month),
    )
    limit = int(_budget(stack) * 1_000_000)
    reached = [(slug, spend, percent) for slug, spend in sorted(found) if (percent := _reached(spend, limit))]
    keys = [await raise_matter(stack, _matter(stack, slug, spend, percent)) for slug, spend, percent in reached]
    if not away:  # of a client that cannot be asked an alert stands until it can
        await settle_matters(stack, AI_BUDGET, [key for key in keys if key])
    return [f"{slug}: {percent} %" for slug, _, percent in reached]


def _reached(spend: Mapping[str, Any], limit: int) -> int:
    """0, 80 or 100. Spent is a budget into which a question like this month's largest does not fit any more: what is
    left then is never spent, since the worst case of each question is held before it is asked."""
    if spend["used"] >= limit or spend["used"] + spend["largest"] > limit:
        return 100
    return NEAR if spend["used"] * 100 >= limit * NEAR else 0


def _matter(stack: Stack, slug: str, spend: Mapping[str, Any], percent: int) -> Matter:
    month, following = month_of(stack.now())
    used, largest, budget = spend["used"] / 1e6, spend["largest"] / 1e6, _budget(stack)
    waiting = "leads and requests for content wait for a person"
    return Matter(
        AI_BUDGET,
        f"{slug} {month:%Y-%m} of {budget:g} USD by {percent} %",
        datetime.combine(month, time(), UTC),
        f"The AI budget of {slug} is spent" + ("" if percent == 100 else f" by {NEAR} %"),
        (
            f"{used:.2f} of {budget:.2f} USD are spent in {month:%B %Y}; the largest question held {largest:.2f}.",
            f"Until {following:%d %B} its {waiting}." if percent == 100 else f"Once it is spent, its {waiting}.",
            f"To let it go on, raise {SETTING}; then reprocess the days whose leads were parked.",
        ),
    )


def _budget(stack: Stack) -> float:
    return stack.settings.organization_monthly_ai_budget_usd
