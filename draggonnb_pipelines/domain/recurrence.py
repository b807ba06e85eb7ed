"""Posts that come again: every so many days, or every so many weeks on certain weekdays, at one wall time.

Lives here: the rule, its occurrences, and which single one is to be made next. Not here: the post that an occurrence
becomes (`workflows/`), and what is done with a late one (`staleness.py`).

A rule cannot become a machine gun: it has one time of day and whole days between, only one occurrence is open at a
time, and after an outage only the newest of the missed ones is made.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from draggonnb_pipelines.domain.wall_time import Resolved, TimeOfDay, gap_at, resolve, zone_named

MAX_EVERY = {"days": 366, "weeks": 52}
_DAY = timedelta(days=1)


class RecurrenceRule(BaseModel):
    """`every` 2 `weeks` on `weekdays` 1 and 4 `at` 09:00, from `starts_on` to `until`, both included.

    Weeks begin on Monday, and the week of `starts_on` is the first. Weekdays (1 Monday to 7, ISO 8601) go with weeks
    only; without any, it is the weekday of `starts_on`. Dates and time are meant in the client's zone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: int = Field(default=1, ge=1)
    unit: Literal["days", "weeks"]
    weekdays: frozenset[Annotated[int, Field(ge=1, le=7)]] = frozenset()
    at: TimeOfDay
    starts_on: date
    until: date | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.every > MAX_EVERY[self.unit]:
            raise ValueError(f"every {self.every} {self.unit}: {MAX_EVERY[self.unit]} {self.unit} is the most")
        if self.weekdays and self.unit == "days":
            raise ValueError("weekdays go with weeks: say every 1 weeks on these weekdays")
        if self.until and self.until < self.starts_on:
            raise ValueError(f"until {self.until} lies before starts_on {self.starts_on}")
        return self

    def has(self, day: date) -> bool:
        """Whether the rule names that day."""
        if day < self.starts_on or (self.until and day > self.until):
            return False
        if self.unit == "days":
            return (day - self.starts_on).days % self.every == 0
        weeks = (_monday(day) - _monday(self.starts_on)).days // 7
        return weeks % self.every == 0 and day.isoweekday() in (self.weekdays or {self.starts_on.isoweekday()})


@dataclass(frozen=True, slots=True)
class Planned:
    """The occurrence to make. `missed` counts the older ones that are left out for good."""

    at: Resolved
    missed: int = 0


def occurrences(rule: RecurrenceRule, zone: str, after: datetime, before: datetime) -> list[Resolved]:
    """The rule's instants later than `after` and not later than `before` (both aware), in order.

    The wall time stays the same when the clocks change. Where they skip it, the occurrence moves to the first real
    time after the gap, on that day only: nobody is there to be asked, leaving it out would lose a post, and the
    later 03:30 that RFC 5545 would make of 02:30 is no time that anybody named. Of a time that comes twice the first
    counts.

    Raises:
        WallTimeRefused: unknown zone.
    """
    tz = zone_named(zone)
    first = max(after.astimezone(tz).date(), rule.starts_on)
    last = before.astimezone(tz).date()
    found = {moment.utc: moment for moment in _resolved(rule, zone, first, last) if after < moment.utc <= before}
    return list(found.values())


def next_to_make(rule: RecurrenceRule, zone: str, *, since: datetime, now: datetime, has_open: bool) -> Planned | None:
    """The one occurrence that is to be made into a post now, ahead of its time so that people see and approve it.

    Nothing while one is open. Were occurrences missed since the last one, the newest of them stands for all (whether
    it still goes out is the staleness policy's question); else it is the next one. None also when the rule has ended.

    Args:
        since: aware: when the rule was saved, or when its last occurrence was due or, if that was later, went out.
        now: aware.
        has_open: an occurrence of this rule is not yet published, dropped or cancelled.

    Raises:
        WallTimeRefused: unknown zone.
    """
    if has_open:
        return None
    if missed := occurrences(rule, zone, since, now):
        return Planned(missed[-1], missed=len(missed) - 1)
    start = max(now, since)
    first = max(start.astimezone(zone_named(zone)).date(), rule.starts_on)
    # A whole interval after the first day holds an occurrence, wherever in the interval that day lies.
    last = first + _DAY * rule.every * (7 if rule.unit == "weeks" else 1)
    return next((Planned(moment) for moment in _resolved(rule, zone, first, last) if moment.utc > start), None)


def _resolved(rule: RecurrenceRule, zone: str, first: date, last: date) -> Iterator[Resolved]:
    day = first
    while day <= last:
        if rule.has(day):
            local = datetime.combine(day, rule.at)
            gap = gap_at(local, zone)
            yield resolve(gap.first_after if gap else local, zone)
        day += _DAY


def _monday(day: date) -> date:
    return day - _DAY * (day.isoweekday() - 1)
