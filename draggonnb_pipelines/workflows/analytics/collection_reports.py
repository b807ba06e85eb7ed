"""What the reading of numbers tells the operator: per client and day what was read, what is missing, and what failed.

Lives here: the verdict on each key, and its tables. Not here: the reading (`collection.py`), the figures
(`snapshots.py`).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.measuring import window_of
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.reports import KeyReport, Markdown, PartitionKey, StepReport, markdown_text
from draggonnb_pipelines.errors import ErrorClass
from draggonnb_pipelines.workflows.analytics.collection_reading import ADVICE, AccountAnswer

ROWS_SHOWN = 50
ASKED = ("connected", "blocked")
OF_STATUS = {
    "reconnect_needed": ADVICE[ErrorClass.AUTH],
    "permission_missing": "connect the account anew, with all rights",
    "blocked": ADVICE[ErrorClass.BLOCKED],
}


@dataclass(frozen=True)
class AccountLeft:
    """What is still to be read of one account: a row of `accounts_left`."""

    platform_id: str
    status: str
    paused_until: datetime | None
    next_at: datetime
    due: int
    behind: int
    problem: str | None
    holders: Sequence[str] | None

    @property
    def is_silent(self) -> bool:
        """It is not asked now, whatever is due."""
        return self.status not in ASKED or self.paused_until is not None

    @property
    def is_behind(self) -> bool:
        """Something was to be read and was not. An account that the client took away is no trouble."""
        return self.status != "disconnected" and (self.behind > 0 or (self.due > 0 and self.is_silent))

    @property
    def trouble(self) -> str:
        """Why it is behind and what comes next, for an operator."""
        if self.status in OF_STATUS:
            own = f"{self.platform_id}: the account is {self.status}; {OF_STATUS[self.status]}"
            return f"{own} ({self.problem})" if self.problem else own
        if self.problem:
            return self.problem
        return f"{self.platform_id}: the account is silent; it is asked again at {self.again_at:%Y-%m-%d %H:%M} UTC"

    @property
    def again_at(self) -> datetime | None:
        """When it is asked next; None: not before somebody connects it anew."""
        if self.status not in ASKED:
            return None
        return max(self.next_at, self.paused_until) if self.paused_until else self.next_at


@dataclass(frozen=True)
class StoredDay:
    """What is stored of one platform and day: a row of `stored_by_day`."""

    day: date
    platform_id: str
    readings: int
    in_window: int
    posts_in_window: int


@dataclass
class Measured:
    """What one run did for one client."""

    asked: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)
    gone: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    cost_usd: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    missing: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    held_by: Set[str] = frozenset()

    def add(self, answers: Sequence[AccountAnswer], stored: Set[UUID]) -> None:
        for answer in answers:
            platform = str(answer.platform)
            self.asked[platform] += len(answer.verdicts)
            self.calls[platform] += answer.readings.calls
            self.cost_usd[platform] += answer.readings.cost_usd
            for verdict in answer.verdicts:
                if verdict.reading is None or verdict.post["id"] not in stored:
                    continue
                self.read[platform] += 1
                self.gone[platform] += verdict.reading.is_gone
                for metric, reason in verdict.reading.missing.items():
                    self.missing[platform, str(metric), reason] += 1


def report_client(
    keys: Sequence[PartitionKey],
    now: datetime,
    measured: Measured,
    left: Sequence[AccountLeft],
    stored: Sequence[StoredDay],
) -> StepReport:
    """The verdict on each of a client's keys."""
    today = now.astimezone(UTC).date()
    done: dict[PartitionKey, KeyReport] = {}
    failed: dict[PartitionKey, str] = {}
    waiting: dict[PartitionKey, str] = {}
    for key in keys:
        of_day = [one for one in stored if one.day == key.day]
        if key.day > today:
            waiting[key] = "the day has not begun"
        elif key.day < today:
            done[key] = _past_day(key.day, of_day, now)
        elif troubles := _troubles(now, measured, left, of_day):
            failed[key] = "; ".join(troubles)
        elif measured.held_by:
            waiting[key] = f"another run has posts of it in hand: {', '.join(sorted(measured.held_by))}"
        else:
            done[key] = _todays_report(measured, left, of_day)
    return StepReport(done=done, failed=failed, waiting=waiting, goes_on=frozenset(failed))


def _troubles(now: datetime, measured: Measured, left: Sequence[AccountLeft], of_day: Sequence[StoredDay]) -> list[str]:
    """Of each platform that gave the client nothing, why. What was not asked for in this run is judged by the day:
    a run that comes again before the time to ask again must not turn a failure into a success."""
    has_begun = now >= window_of(now.astimezone(UTC).date())[0]
    read_today = {one.platform_id for one in of_day if (one.in_window if has_begun else one.readings)}
    behind: dict[str, list[AccountLeft]] = defaultdict(list)
    for one in left:
        if one.is_behind:
            behind[one.platform_id].append(one)
    return [
        accounts[0].trouble + (f" (and {len(accounts) - 1} more accounts)" if len(accounts) > 1 else "")
        for platform, accounts in behind.items()
        if not (measured.read[platform] if measured.asked[platform] else platform in read_today)
    ]


def _past_day(day: date, of_day: Sequence[StoredDay], now: datetime) -> KeyReport:
    lines = ["| platform | posts | readings |", "|---|---|---|"]
    lines += [f"| {one.platform_id} | {one.posts_in_window} | {one.in_window} |" for one in of_day if one.in_window]
    begins, ends = window_of(day)
    note = (
        f"No platform was asked: what was not read from {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC"
        " cannot be had again."
        if now >= ends
        else f"No platform was asked: what is read until {ends:%Y-%m-%d %H:%M} UTC is still of this day."
    )
    metadata: dict[str, Any] = {
        "stored": Markdown("\n".join(lines) if len(lines) > 2 else "nothing"),
        "note": note,
        "posts measured": sum(one.posts_in_window for one in of_day),
        "readings": sum(one.in_window for one in of_day),
    }
    return KeyReport(sum(one.readings for one in of_day), metadata)


def _todays_report(measured: Measured, left: Sequence[AccountLeft], of_day: Sequence[StoredDay]) -> KeyReport:
    readings = sum(one.readings for one in of_day)
    next_at = min((one.again_at for one in left if one.again_at), default=None)
    metadata: dict[str, Any] = {
        "platforms": Markdown(_platform_table(measured, left, of_day)),
        "posts measured": measured.read.total(),
        "readings": readings,
        "cost (USD)": float(sum(measured.cost_usd.values())),
        "X calls": measured.calls[Platform.X],
        "next measuring": f"{next_at:%Y-%m-%d %H:%M} UTC" if next_at else "none",
    }
    if measured.missing:
        metadata["missing"] = Markdown(_missing_table(measured))
    if troubles := [markdown_text(one.trouble) for one in left if one.is_behind]:
        metadata["not read"] = troubles
    return KeyReport(readings, metadata)


def _platform_table(measured: Measured, left: Sequence[AccountLeft], of_day: Sequence[StoredDay]) -> str:
    readings = {one.platform_id: one.readings for one in of_day}
    lines = [
        "| platform | read | gone | not read | readings of the day | calls | USD |",
        "|---|---|---|---|---|---|---|",
    ]
    for platform in sorted({*readings, *measured.asked, *(one.platform_id for one in left)}):
        lines.append(
            f"| {platform} | {measured.read[platform]} | {measured.gone[platform]} |"
            f" {measured.asked[platform] - measured.read[platform]} | {readings.get(platform, 0)} |"
            f" {measured.calls[platform]} | {measured.cost_usd.get(platform, Decimal(0)):f} |"
        )
    return "\n".join(lines) if len(lines) > 2 else "no posts of the last 90 days"


def _missing_table(measured: Measured) -> str:
    lines = ["| platform | metric | posts | reason |", "|---|---|---|---|"]
    shown = sorted(measured.missing.items())[:ROWS_SHOWN]
    lines += [
        f"| {platform} | {metric} | {posts} | {markdown_text(reason, max_chars=160)} |"
        for (platform, metric, reason), posts in shown
    ]
    return "\n".join(lines)
