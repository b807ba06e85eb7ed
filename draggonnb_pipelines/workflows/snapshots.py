"""Figures of days, weeks and months, stored as they were known, each version naming the one that it restates.

Lives here: which periods are taken when, reading the rows, versions. Does not live here: the figures
(`domain/engagement.py`), asking platforms (`collection.py`; nothing here does), what the operator sees of it
(`snapshot_reports.py`), the weekly report (`weekly_reports.py`).
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from draggonnb_pipelines.domain.daily_values import PublishedPost, StoredReading, daily_values
from draggonnb_pipelines.domain.engagement import Engagement, days_needed, first_post_day
from draggonnb_pipelines.domain.measuring import window_of
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.periods import Kind, Period, periods_of
from draggonnb_pipelines.domain.reports import KeyReport, PartitionKey, StepReport
from draggonnb_pipelines.domain.restatements import changes_of
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.analytics_agenda import snapshot_taken
from draggonnb_pipelines.workflows.inbox_batches import organizations_by_slug, reason_of
from draggonnb_pipelines.workflows.snapshot_reports import CHART_DAYS, snapshot_metadata
from draggonnb_pipelines.workflows.step_reports import write_ledger

SNAPSHOTS = load_queries("snapshots")
ASSET = "analytics_snapshots"
CLIENTS_AT_ONCE = 8
# One table of pandas for this many clients; fewer than `Tenants` keeps connections open for.
CLIENTS_IN_A_TABLE = 32
# In zones where the day ends after the measuring, its last posts are read first in this time after it.
FIRST_READINGS_IN = timedelta(hours=2)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Client:
    """One organization's rows, as they were when its newest versions were read.

    Args:
        newest: rows of `analytics_snapshots`. They are read before the readings, so that whoever stores a version has
            seen at least what the version before it has seen.
        series: engagements gained by day, up to each last day, for the operator's chart.
    """

    organization: Organization
    periods: Sequence[Period]
    posts: Sequence[PublishedPost]
    readings: Sequence[StoredReading]
    newest: Mapping[Period, Mapping[str, Any]]
    figures: Mapping[Period, Mapping[str, Any]] = field(default_factory=dict)
    series: Mapping[Period, Sequence[int | None]] = field(default_factory=dict)


async def take_snapshots(stack: Stack, run_id: str, keys: Sequence[PartitionKey]) -> StepReport:
    """The figures of each key's local day before, and on the first of a month of the month before, from stored rows.

    In any number of runs at once, and again: the same figures are the same version. A day that is not over yet in the
    organization's zone waits for a later run.
    """
    days: dict[str, list[date]] = {}
    for key in dict.fromkeys(keys):
        days.setdefault(key.slug, []).append(key.day)
    organizations = await organizations_by_slug(stack, list(days))
    report = StepReport()
    now = stack.now()
    ready: list[tuple[Organization, list[date]]] = []
    for slug, of_slug in days.items():
        left_out = _left_out(organizations.get(slug), slug, of_slug, now)
        report = _joined(report, left_out)
        told = {**left_out.done, **left_out.failed, **left_out.waiting}
        if measured := [day for day in of_slug if PartitionKey(slug, day) not in told]:
            ready.append((organizations[slug], measured))
    for at in range(0, len(ready), CLIENTS_IN_A_TABLE):
        taken = await _take(stack, run_id, ready[at : at + CLIENTS_IN_A_TABLE], now)
        await _note(stack, run_id, taken, organizations)
        report = _joined(report, taken)
    return report


async def period_snapshot(tenant: TenantDb, period: Kind, start: date, *, run_id: str | None) -> Mapping[str, Any]:
    """The newest version of a period's figures: the row found if it says what the readings say now, else a new one.

    Returns:
        A row of `analytics_snapshots`.

    Raises:
        ValueError: no such period begins on that day.
    """
    wanted = Period.starting(period, start)
    while True:  # again only after somebody else has stored a version meanwhile
        client = await _read(tenant, [wanted])
        [client] = await asyncio.to_thread(_with_figures, [client])
        if stored := await _store(tenant, client, run_id):
            return stored[wanted]


def _left_out(organization: Organization | None, slug: str, days: Sequence[date], now: datetime) -> StepReport:
    """Keys for which nothing can be taken, or not yet."""
    own = [PartitionKey(slug, day) for day in days]
    if organization is None:
        return StepReport(failed=dict.fromkeys(own, "there is no such organization"))
    if organization.status == "provisioning":
        return StepReport(waiting=dict.fromkeys(own, "its system is still being set up"))
    if organization.status in ("offboarding", "closed"):  # its database is put away, or gone
        return StepReport(done=dict.fromkeys(own, KeyReport(rows=0)))
    waiting = {}
    for key in own:
        over = periods_of(key.day)[0].over_at(organization.timezone)
        measured = window_of(key.day)[0]
        if now < measured:
            waiting[key] = f"its posts are measured at {measured:%Y-%m-%d %H:%M} UTC"
        elif now < over:
            waiting[key] = f"its day in {organization.timezone} ends at {over:%Y-%m-%d %H:%M} UTC"
    return StepReport(waiting=waiting)


async def _take(
    stack: Stack, run_id: str, ready: Sequence[tuple[Organization, Sequence[date]]], now: datetime
) -> StepReport:
    """Read all of these clients, make the figures of all of them, store each; once more for whom another run
    overtook."""
    permits = asyncio.Semaphore(CLIENTS_AT_ONCE)
    failed: dict[PartitionKey, str] = {}
    days = {organization.id: of_client for organization, of_client in ready}
    stored: dict[UUID, dict[Period, Mapping[str, Any]]] = {organization.id: {} for organization, _ in ready}
    clients: dict[UUID, _Client] = {}

    def fail(organization: Organization, error: Exception) -> None:
        log.warning("run %s: no snapshot of %s: %s", run_id, organization.slug, reason_of(error))
        failed.update({PartitionKey(organization.slug, day): reason_of(error) for day in days[organization.id]})

    async def read(organization: Organization, periods: Sequence[Period]) -> _Client | None:
        async with permits:
            try:
                async with stack.tenants.open(organization) as tenant:
                    return await _read(tenant, periods)
            except (DraggonnbError, psycopg.Error, PoolTimeout) as error:
                fail(organization, error)
                return None

    async def store(client: _Client) -> None:
        async with permits:
            try:
                async with stack.tenants.open(client.organization) as tenant:
                    stored[client.organization.id].update(await _store(tenant, client, run_id))
            except (DraggonnbError, psycopg.Error, PoolTimeout) as error:
                fail(client.organization, error)

    todo = [(one, [period for day in of_one for period in periods_of(day)]) for one, of_one in ready]
    while todo:
        found = [client for client in await asyncio.gather(*(read(*one) for one in todo)) if client]
        made = await asyncio.to_thread(_with_figures, found)
        clients.update((client.organization.id, client) for client in made if client.organization.id not in clients)
        made = [_without_unread(client, now) for client in made]
        await asyncio.gather(*map(store, made))
        lost = {one.organization.id: set(one.periods) - stored[one.organization.id].keys() for one in made}
        away = {key.slug for key in failed}
        todo = [
            (one.organization, sorted(lost[one.organization.id]))
            for one in made
            if lost[one.organization.id] and one.organization.slug not in away
        ]
    parts = [_reported(clients[id_], days[id_], stored[id_], failed) for id_ in clients]
    return StepReport(
        done={key: done for part in parts for key, done in part.done.items()},
        failed=failed,
        waiting={key: why for part in parts for key, why in part.waiting.items()},
    )


def _reported(
    client: _Client,
    days: Sequence[date],
    stored: Mapping[Period, Mapping[str, Any]],
    failed: Mapping[PartitionKey, str],
) -> StepReport:
    done, waiting = {}, {}
    for day in days:
        key = PartitionKey(client.organization.slug, day)
        rows = [(stored[period], client.newest.get(period)) for period in periods_of(day) if period in stored]
        if key in failed:
            continue
        if not rows:
            waiting[key] = "its last posts of that day are read for the first time within the next two hours"
            continue
        done[key] = KeyReport(len(rows), snapshot_metadata(rows, client.series[periods_of(day)[0]]))
    return StepReport(done=done, waiting=waiting)


async def _read(tenant: TenantDb, periods: Sequence[Period]) -> _Client:
    """All rows that the figures of these periods rest on, in three queries, however many periods these are."""
    first, last = days_needed(periods)
    span = {"since": window_of(first_post_day(first))[0], "until": window_of(last)[1]}
    kinds, starts = [period.kind for period in periods], [period.start for period in periods]
    newest = [row async for row in SNAPSHOTS.newest(tenant.conn, periods=kinds, starts=starts)]
    posts = [PublishedPost(**row) async for row in SNAPSHOTS.published_posts(tenant.conn, **span)]
    readings = await SNAPSHOTS.readings(tenant.conn, **span)
    return _Client(tenant.organization, periods, posts, _rows(readings), {_period_of(row): row for row in newest})


def _rows(columns: Mapping[str, Any]) -> list[StoredReading]:
    names = ("ids", "queue_ids", "times", "values", "missing", "are_gone")
    return [StoredReading(*row) for row in zip(*(columns[name] or () for name in names), strict=True)]


def _period_of(row: Mapping[str, Any]) -> Period:
    return Period(row["period"], row["period_start"], row["period_end"])


def _with_figures(clients: Sequence[_Client]) -> list[_Client]:
    if not clients:
        return []
    needed = [days_needed(client.periods) for client in clients]
    values = daily_values(
        [(client.posts, client.readings) for client in clients],
        min(first for first, _ in needed),
        max(last for _, last in needed),
    )
    made = []
    for client, of_client in zip(clients, values, strict=True):
        engagement = Engagement(of_client, client.organization.timezone)
        figures = {period: engagement.figures(period) for period in client.periods}
        series = {period: engagement.series(period.last_measured, CHART_DAYS) for period in client.periods}
        made.append(replace(client, figures=figures, series=series))
    return made


def _without_unread(client: _Client, now: datetime) -> _Client:
    """Without the periods whose last posts became public after the day's measuring and are not read yet."""
    read = {reading.queue_id for reading in client.readings}
    unread = [post.published_at for post in client.posts if post.id not in read and not post.is_taken_back]
    zone = client.organization.timezone
    kept = [
        period
        for period in client.periods
        if now >= period.over_at(zone) + FIRST_READINGS_IN
        or not any(window_of(period.last_measured)[0] <= at < period.over_at(zone) for at in unread)
    ]
    return replace(client, periods=kept)


async def _store(tenant: TenantDb, client: _Client, run_id: str | None) -> dict[Period, Mapping[str, Any]]:
    """The newest row of each period; without those of which another run has stored a version since they were read."""
    found: dict[Period, Mapping[str, Any]] = {}
    new: list[tuple[Period, int, Mapping[str, Any], UUID | None, Mapping[str, Any]]] = []
    for period in client.periods:
        before, figures = client.newest.get(period), client.figures[period]
        if before is None:
            new.append((period, 1, {**figures, "restated": False}, None, {}))
        elif changes := changes_of(before["metrics"], figures):
            new.append((period, before["version"] + 1, {**figures, "restated": True}, before["id"], changes))
        else:
            found[period] = before
    if new:
        rows = SNAPSHOTS.store(
            tenant.conn,
            run_id=run_id,
            periods=[period.kind for period, *_ in new],
            starts=[period.start for period, *_ in new],
            ends=[period.end for period, *_ in new],
            versions=[version for _, version, *_ in new],
            metrics=[Jsonb(metrics) for _, _, metrics, _, _ in new],
            restated=[restated for *_, restated, _ in new],
            changes=[Jsonb(changes) for *_, changes in new],
        )
        found.update({_period_of(row): row async for row in rows})
    return found


async def _note(stack: Stack, run_id: str, taken: StepReport, organizations: Mapping[str, Organization]) -> None:
    """In the master: the ledger's rows, and of each client the newest day that has its snapshot."""
    await write_ledger(stack, ASSET, run_id, {key: {ASSET: done.rows} for key, done in taken.done.items()})
    newest: dict[str, date] = {}
    for key in taken.done:
        newest[key.slug] = max(key.day, newest.get(key.slug, key.day))
    async with stack.master.connection() as conn:
        for day in set(newest.values()):
            ids = [organizations[slug].id for slug, of_slug in newest.items() if of_slug == day]
            await snapshot_taken(conn, ids, day)


def _joined(one: StepReport, other: StepReport) -> StepReport:
    return StepReport(
        done={**one.done, **other.done},
        failed={**one.failed, **other.failed},
        waiting={**one.waiting, **other.waiting},
    )
