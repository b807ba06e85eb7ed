"""What a client brought in and what it cost in a week, and what is left of it: the arithmetic of the agency's report.

Lives here: shares of a week by whole days, in exact decimals. Pure. Not here: where the figures come from
(`workflows/analytics/client_costs.py`), the report over all clients (`workflows/analytics/agency_report.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal

from draggonnb_pipelines.domain.proration import share_of
from draggonnb_pipelines.domain.usage import month_of, zone_of

MICRO = Decimal("0.000001")
DAYS_OF_WEEK = 7


@dataclass(frozen=True, slots=True)
class ClientWeek:
    """What one client did in a week of its own zone, and what that cost in US dollars.

    Args:
        posts: that became public, each network by itself.
        readings: how often a post's numbers were read.
        engagements: gained in the week; None where that is not known.
        tokens: of the models. `ai_cost_usd`: what they and web searches cost.
        x_posts, x_reads: calls that X charges for. `x_cost_usd`: what it charges.
    """

    posts: int
    readings: int
    engagements: int | None
    tokens: int
    ai_cost_usd: Decimal
    x_posts: int
    x_reads: int
    x_cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class PlanCost:
    """What a client's place at a vendor costs a month, from a day on."""

    vendor: str
    effective_from: date
    usd_per_client_month: Decimal


@dataclass(frozen=True, slots=True)
class PaidPeriod:
    """Days that an invoice was paid for; `period_end` is the first day after them, `net_cents` is without VAT."""

    period_start: date
    period_end: date
    net_cents: int


def check_week(week_start: date) -> date:
    """Return the day, or raise ValueError: a week begins on a Monday."""
    if week_start.isoweekday() != 1:
        raise ValueError(f"{week_start} is a {week_start:%A}: a week begins on a Monday")
    return week_start


def week_bounds(week_start: date, timezone: str) -> tuple[datetime, datetime]:
    """First moment of the week in this zone and the first after it, both in UTC.

    Raises:
        ValueError: the day is no Monday.
    """
    zone = zone_of(timezone)
    days = (check_week(week_start), week_start + timedelta(days=DAYS_OF_WEEK))
    starts_at, ends_at = (datetime.combine(day, time(), zone).astimezone(UTC) for day in days)
    return starts_at, ends_at


def vendor_cost_of_week(costs: Iterable[PlanCost], week_start: date, since: date) -> dict[str, Decimal]:
    """By vendor, what the client's place costs for the days of the week from `since` on, in US dollars.

    Each day is its part of its own month, at the price that is valid on it; a vendor without a price yet costs 0.
    """
    known = sorted(costs, key=lambda cost: cost.effective_from)
    days = [week_start + timedelta(days=number) for number in range(DAYS_OF_WEEK)]
    total = {cost.vendor: Decimal(0) for cost in known}
    for day in (day for day in days if day >= since):
        first, next_first = month_of(day)
        valid = {cost.vendor: cost.usd_per_client_month for cost in known if cost.effective_from <= day}
        for vendor, month_usd in valid.items():
            total[vendor] += month_usd / (next_first - first).days
    return {vendor: usd.quantize(MICRO) for vendor, usd in sorted(total.items())}


def revenue_of_week(periods: Iterable[PaidPeriod], week_start: date) -> int:
    """What was paid for the days of this week, without VAT, in cents: each invoice's part by whole days.

    A month that was paid in advance counts in the weeks that it is for; a trial and a payment that is late bring in
    nothing.
    """
    week_end = week_start + timedelta(days=DAYS_OF_WEEK)
    cents = 0
    for period in periods:
        days = (min(period.period_end, week_end) - max(period.period_start, week_start)).days
        of_days = (period.period_end - period.period_start).days
        cents += share_of(period.net_cents, days=max(days, 0), of_days=of_days)
    return cents


def rand_cents(usd: Decimal, usd_zar: Decimal) -> int:
    """Dollars in cents of a rand, rounded half up."""
    return int((usd * usd_zar * 100).quantize(Decimal(1), ROUND_HALF_UP))
