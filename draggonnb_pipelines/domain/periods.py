"""Days, weeks and months of an organization's own zone, and the UTC days on which their figures are known.

Not here: the figures (`engagement.py`), and which reading is a day's value (`daily_values.py`).
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple, Self, get_args

from draggonnb_pipelines.domain.measuring import DAY
from draggonnb_pipelines.domain.usage import month_of, zone_of

Kind = Literal["day", "week", "month"]
WEEK = timedelta(days=7)


class Period(NamedTuple):
    """Local days from `start` to the day before `end`. A local day is measured on the UTC day after it."""

    kind: Kind
    start: date
    end: date

    @classmethod
    def starting(cls, kind: Kind, start: date) -> Self:
        """Raises ValueError: no week begins on that day, or no month, or there is no such kind of period."""
        if kind not in get_args(Kind):
            raise ValueError(f"{kind!r}: a period is one of {', '.join(get_args(Kind))}")
        if kind == "week" and start.isoweekday() != 1:
            raise ValueError(f"{start}: a week begins on a Monday")
        if kind == "month" and start.day != 1:
            raise ValueError(f"{start}: a month begins on its first day")
        end = {"day": start + DAY, "week": start + WEEK, "month": month_of(start)[1]}[kind]
        return cls(kind, start, end)

    @property
    def first_measured(self) -> date:
        return self.start + DAY

    @property
    def last_measured(self) -> date:
        return self.end

    @property
    def previous(self) -> Self:
        """The one before, of the same kind."""
        start = {"day": self.start - DAY, "week": self.start - WEEK, "month": month_of(self.start - DAY)[0]}[self.kind]
        return type(self)(self.kind, start, self.start)

    def over_at(self, zone: str) -> datetime:
        """When its last local day ends, in UTC. Of a midnight that the clocks skip, when they go on."""
        return datetime.combine(self.end, time(), zone_of(zone)).astimezone(UTC)


def periods_of(day: date) -> list[Period]:
    """What is taken on a UTC day: the local day before it, and on the first of a month the month before it."""
    taken = [Period.starting("day", day - DAY)]
    return [*taken, Period.starting("month", month_of(day - DAY)[0])] if day.day == 1 else taken
