"""The five metrics that a plan limits: their periods, how full they are, and when somebody is to be told.

Lives here: pure rules and the words for people. Not here: reservations (`workflows/billing/usage.py`), reading and
telling (`workflows/billing/usage_metrics.py`), counting the calls of our API (`api/api_calls.py`).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# In the order of the architecture document, as people call them.
METRICS = {
    "posts_monthly": "posts a month",
    "ai_generations": "AI texts a month",
    "social_accounts": "connected social accounts",
    "users": "active users",
    "api_calls": "API calls a month",
}
# What exists counts for as long as it exists, not for the month in which it was made.
LASTING = frozenset({"social_accounts", "users"})
ALWAYS = (date(2000, 1, 1), date(9999, 12, 31))
THRESHOLDS = (100, 80)
_BAR_CELLS = 10


def zone_of(name: str) -> tzinfo:
    """The zone of this name; UTC for one that nobody knows, since nobody is refused for a misspelt zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def month_of(day: date) -> tuple[date, date]:
    """First day of this month and of the next."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def period_of(metric: str, day: date) -> tuple[date, date]:
    """First day of the period that a day counts against, and the first day after it."""
    return ALWAYS if metric in LASTING else month_of(day)


@dataclass(frozen=True, slots=True)
class MetricUse:
    """How one metric stands in one period.

    Args:
        used: what has happened, or exists.
        reserved: held by work under way, such as posts that are scheduled.
        limit: None is unlimited.
        alerted_percent: the threshold that was told last of this limit: 0, 80 or 100.
    """

    metric: str
    period_start: date
    period_end: date
    used: int
    reserved: int
    limit: int | None
    alerted_percent: int = 0

    @property
    def taken(self) -> int:
        return self.used + self.reserved

    @property
    def percent(self) -> float | None:
        """Of the limit, to one decimal place; None where nothing is limited. A limit of 0 is full once it is used."""
        if self.limit is None:
            return None
        if not self.limit:
            return 100.0 if self.taken else 0.0
        return round(100 * self.taken / self.limit, 1)

    @property
    def reached(self) -> int:
        """The highest threshold that is reached: 0, 80 or 100."""
        if self.limit is None or not self.taken:
            return 0
        return next((percent for percent in THRESHOLDS if self.taken * 100 >= self.limit * percent), 0)

    @property
    def bar(self) -> str:
        """Ten cells and the percentage, such as `████████░░ 82.0 %`. A cell is full only once all of it is used."""
        if self.percent is None:
            return "no limit"
        full = min(_BAR_CELLS, int(self.percent * _BAR_CELLS / 100))
        return "█" * full + "░" * (_BAR_CELLS - full) + f" {self.percent} %"

    def resets_at(self, zone: tzinfo) -> datetime | None:
        """When the count begins again, in the organization's zone; None for what lasts."""
        return None if self.metric in LASTING else datetime.combine(self.period_end, time(), zone)
