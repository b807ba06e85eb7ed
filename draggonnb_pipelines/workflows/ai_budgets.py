"""What may be spent on Claude: per lead or content request, and per organization and month.

The worst case of a question is held before it is asked, and becomes what it cost. Not here: the asking
(`generation.py`), the counters themselves (`sql/queries/usage.sql`).
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_UP, Decimal
from uuid import UUID

from draggonnb_pipelines.errors import DraggonnbError, NeedsReview
from draggonnb_pipelines.resources.claude import ClaudeRequest
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries

GENERATIONS = load_queries("generations")
USAGE = load_queries("usage")
AI_SPEND = "ai_spend_microusd"
RESERVATION_SECONDS = 900  # longer than Claude's read timeout, so that a living call never loses its reservation


@dataclass(frozen=True, slots=True)
class Subject:
    """What a question is about: a lead, a request for content, or the organization itself for a purpose. Each has a
    budget of its own."""

    lead_id: UUID | None = None
    content_request_id: UUID | None = None
    purpose: str | None = None

    def budget(self, settings: Settings) -> tuple[str, str, float]:
        """In words, the setting's name, and USD."""
        if self.lead_id:
            return "the lead's", "DRAGGONNB_LEAD_BUDGET_USD", settings.lead_budget_usd
        whose = f"the organization's {self.purpose}" if self.purpose else "the content request's"
        return whose, "DRAGGONNB_CONTENT_BUDGET_USD", settings.content_budget_usd

    def __str__(self) -> str:
        if self.purpose:
            return self.purpose
        return f"lead {self.lead_id}" if self.lead_id else f"content request {self.content_request_id}"


class BudgetHeld(DraggonnbError):
    """The budget has room once questions that are under way have ended: most cost far less than their worst case."""


async def reserve_spend(
    stack: Stack,
    tenant: TenantDb,
    subject: Subject,
    request: ClaudeRequest,
    *,
    key: str,
    lease_seconds: int = RESERVATION_SECONDS,
    in_batch: bool = False,
) -> UUID:
    """Hold the worst case of this question against the subject's and the organization's budget.

    Raises:
        NeedsReview: either budget is spent; says which, how much is spent, and the setting that lifts it.
        BudgetHeld: the organization's budget is not spent, but held.
    """
    settings = stack.settings
    estimate = stack.claude.estimate_usd(request) / (2 if in_batch else 1)  # batches cost half
    whose, setting, budget_usd = subject.budget(settings)
    spent = await GENERATIONS.subject_spend_usd(
        tenant.conn,
        lead_id=subject.lead_id,
        content_request_id=subject.content_request_id,
        purpose=subject.purpose,
    )
    if spent + estimate > Decimal(str(budget_usd)):
        raise NeedsReview(
            f"over {whose} AI budget: {spent:.2f} USD spent, the next question may cost {estimate:.2f}, "
            f"{setting} is {budget_usd}"
        )
    period_start, period_end = month_of(stack.now())
    limit = int(settings.organization_monthly_ai_budget_usd * 1_000_000)
    period = {"metric": AI_SPEND, "period_start": period_start}
    await USAGE.open_period(tenant.conn, **period, period_end=period_end, limit_value=limit)
    await USAGE.release_expired(tenant.conn, metric=AI_SPEND, now=stack.now())
    async with tenant.conn.transaction():
        await USAGE.lock_reservation(tenant.conn, key=key)  # two runs with the same question hold once
        reservation = await USAGE.reserve(
            tenant.conn, **period, amount=micro_usd(estimate), key=key, lease_seconds=lease_seconds
        )
    if reservation is not None:
        return reservation
    used = await USAGE.period_use(tenant.conn, **period)
    budget = f"DRAGGONNB_ORGANIZATION_MONTHLY_AI_BUDGET_USD is {settings.organization_monthly_ai_budget_usd}"
    if used + micro_usd(estimate) <= limit:
        raise BudgetHeld(f"questions under way hold what is left of the organization's AI budget: {budget}")
    raise NeedsReview(
        f"over the organization's AI budget of this month: {Decimal(used) / 1_000_000:.2f} USD used, {budget}"
    )


async def settle_spend(tenant: TenantDb, reservation: UUID, cost_usd: Decimal) -> None:
    """What was held becomes what it cost; nothing, where nothing was answered."""
    await USAGE.commit_reservation(tenant.conn, id=reservation, used=micro_usd(cost_usd))


def month_of(now: datetime) -> tuple[date, date]:
    """First day of this UTC month and of the next."""
    first = now.date().replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def micro_usd(usd: Decimal) -> int:
    """Millionths of a dollar, rounded up: what budgets are counted in."""
    return int((usd * 1_000_000).to_integral_value(ROUND_UP))
