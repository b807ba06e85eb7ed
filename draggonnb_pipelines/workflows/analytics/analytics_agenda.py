"""The agenda of the numbers: whose posts are read next, whose day has no snapshot, whose week has no report.

As with publishing (`agenda.py`), nobody asks a thousand databases for what one can tell: what becomes due is noted in
the master, before and after. Should a note be lost all the same, it costs a post its first readings; the daily run
looks into every client.
Not here: the reading (`collection.py`), the snapshots (`snapshots.py`), the reports (`weekly_reports.py`).
"""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

from draggonnb_pipelines.domain.measuring import DAY, next_measure_at, window_of
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.postgres import Connection, MasterDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries

ANALYTICS_AGENDA = load_queries("analytics_agenda")
CLIENTS_A_RUN = 5000
MISSED_DAYS = 31


class DueClient(NamedTuple):
    """A client to be looked into, and the days whose snapshots are to be taken, the oldest first."""

    slug: str
    days: tuple[date, ...]


class DueWeek(NamedTuple):
    """A client and the Monday on which the week began that it has no report of."""

    slug: str
    week_start: date


class Look(NamedTuple):
    """What a look into one client has found.

    Args:
        next_at: when its posts are read next; None: nothing is to be read, or nobody knows.
        has_trouble: something could not be read.
        seen_notes: the agenda's notes of it when the look began.
    """

    organization_id: UUID
    next_at: datetime | None
    has_trouble: bool
    seen_notes: int


async def clients_to_measure(stack: Stack, *, everyone: bool, asked: Collection[str] = ()) -> list[DueClient]:
    """Active clients for a run: all of them, or those with something due and those who asked, by their slugs."""
    now = stack.now()
    today = now.astimezone(UTC).date()
    async with stack.master.connection() as conn:
        slugs = None if everyone else sorted({*asked, *await due_organizations(conn, now, CLIENTS_A_RUN)})
        rows = [row async for row in ANALYTICS_AGENDA.clients(conn, slugs=slugs)]
    if now < window_of(today)[0]:
        return [DueClient(row["slug"], ()) for row in rows]
    return [
        DueClient(row["slug"], days_to_take(row["snapshot_day"], today, again=everyone or row["had_trouble"]))
        for row in rows
    ]


def days_to_take(last: date | None, today: date, *, again: bool) -> tuple[date, ...]:
    """Today, unless it has its snapshot already; and the days since `last`, the newest one with a snapshot, that nobody
    could take in time, of the last month.

    Args:
        again: today's too where it has one: it may lack what could not be read.
    """
    if last is not None and last >= today and not again:
        return ()
    missed = 0 if last is None else min(max((today - last).days - 1, 0), MISSED_DAYS)
    return tuple(today - number * DAY for number in range(missed, -1, -1))


async def days_to_make_again(
    stack: Stack, organizations: Sequence[str], from_day: str | None, to_day: str | None
) -> list[PartitionKey]:
    """Every day of some organizations (none named: all), from stored rows; not of days before they came or after today.

    Args:
        from_day, to_day: both included, as 2026-11-20.

    Raises:
        OperatorError: a day is missing or is none, they are the wrong way round, or an organization is not known.
    """
    try:
        first, last = date.fromisoformat(from_day or ""), date.fromisoformat(to_day or "")
    except ValueError as error:
        raise OperatorError(f"which days: {error}", remedy="give from_day and to_day, such as 2026-11-20") from error
    if first > last:
        raise OperatorError(f"{first} is after {last}", remedy="give the earlier day as from_day")
    today = stack.now().astimezone(UTC).date()
    async with stack.master.connection() as conn:
        known = {row["slug"] async for row in ANALYTICS_AGENDA.notes_of(conn, slugs=list(organizations))}
        if strangers := sorted(set(organizations) - known):
            raise OperatorError(f"nobody is called {', '.join(strangers)}", remedy="`draggonnb tenant list` shows all")
        days = ANALYTICS_AGENDA.days_of(conn, slugs=list(organizations), from_day=first, to_day=min(last, today))
        return [PartitionKey(**row) async for row in days]


async def weeks_to_report(stack: Stack) -> list[DueWeek]:
    """The last complete week of everybody who has no report of it."""
    async with stack.master.connection() as conn:
        return await weeks_due(conn, stack.now(), CLIENTS_A_RUN)


async def due_organizations(conn: Connection, now: datetime, limit: int) -> list[str]:
    """Slugs of active clients with posts to be read, or a day over without a snapshot; the longest waiting first."""
    return [row["slug"] async for row in ANALYTICS_AGENDA.due_organizations(conn, now=now, row_limit=limit)]


async def count_due(conn: Connection, now: datetime) -> int:
    return await ANALYTICS_AGENDA.count_due(conn, now=now)


async def note_measuring(master: MasterDb, organization_ids: Sequence[UUID], at: datetime) -> None:
    """Posts of these clients became public at `at`: they are read first as `next_measure_at` says."""
    if organization_ids:
        async with master.connection() as conn:
            first = next_measure_at(at, at)
            await ANALYTICS_AGENDA.note_measuring(conn, organization_ids=list(organization_ids), at=first)


async def settle(conn: Connection, now: datetime, looks: Sequence[Look]) -> None:
    """Note when each client is due next; one with trouble and no time of its own comes again later each time."""
    await ANALYTICS_AGENDA.settle(
        conn,
        now=now,
        organization_ids=[look.organization_id for look in looks],
        times=[look.next_at for look in looks],
        troubles=[look.has_trouble for look in looks],
        seen_notes=[look.seen_notes for look in looks],
    )


async def snapshot_taken(conn: Connection, organization_ids: Sequence[UUID], day: date) -> None:
    """The snapshot at 06:00 UTC of `day` is stored. The newest day stays."""
    await ANALYTICS_AGENDA.snapshot_taken(conn, organization_ids=list(organization_ids), day=day)


async def weeks_due(conn: Connection, now: datetime, limit: int) -> list[DueWeek]:
    """Who has no report of the last complete week, with the Monday on which that began."""
    return [DueWeek(**row) async for row in ANALYTICS_AGENDA.weeks_due(conn, now=now, row_limit=limit)]


async def week_reported(conn: Connection, organization_ids: Sequence[UUID], week_start: date) -> None:
    """The report of this week is written and planned to be sent. The newest week stays."""
    await ANALYTICS_AGENDA.week_reported(conn, organization_ids=list(organization_ids), week_start=week_start)


async def figures_failed(conn: Connection, now: datetime, organization_ids: Sequence[UUID]) -> None:
    """A snapshot or a report of these could not be made; nobody asks for it again at once."""
    if organization_ids:
        await ANALYTICS_AGENDA.figures_failed(conn, now=now, organization_ids=list(organization_ids))
