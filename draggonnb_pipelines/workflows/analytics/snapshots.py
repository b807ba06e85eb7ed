"""Figures of days and months, stored as they were known, each version naming the one that it restates.

Lives here: which periods are taken when, and whose trouble is whose. Does not live here: the figures
(`domain/engagement.py`), rows and versions (`snapshot_versions.py`), asking platforms (`collection.py`; nothing here
does), what the operator sees of it (`snapshot_reports.py`), the weekly report (`weekly_reports.py`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from draggonnb_pipelines.domain.measuring import DAY, window_of
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.periods import Period, periods_of
from draggonnb_pipelines.domain.reports import KeyReport, PartitionKey, StepReport
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics.analytics_agenda import figures_failed, snapshot_taken
from draggonnb_pipelines.workflows.analytics.snapshot_reports import snapshot_metadata
from draggonnb_pipelines.workflows.analytics.snapshot_versions import (
    ClientRows,
    read_rows,
    store_versions,
    was_read_late,
    with_figures,
)
from draggonnb_pipelines.workflows.inbox_batches import organizations_by_slug, reason_of
from draggonnb_pipelines.workflows.step_reports import write_ledger

ASSET = "analytics_snapshots"
CLIENTS_AT_ONCE = 8
# One table of pandas for this many clients; fewer than `Tenants` keeps connections open for.
CLIENTS_IN_A_TABLE = 32
# So that a quarter of a year of a client with thousands of posts fits into memory.
DAYS_IN_A_TABLE = 31
# In zones where the day ends after the measuring, its last posts are read first in this time after it.
FIRST_READINGS_IN = timedelta(hours=2)
T = TypeVar("T")
log = logging.getLogger(__name__)


async def take_snapshots(stack: Stack, run_id: str, keys: Sequence[PartitionKey]) -> StepReport:
    """The figures of each key's local day before, and on the first of a month of the month before, from stored rows.

    In any number of runs at once, and again: the same figures are the same version. A day that is not over yet in the
    organization's zone waits for a later run. The window of the day before is closed by now: if its snapshot is there
    and something was read late, it is restated on the way.
    """
    organizations = await organizations_by_slug(stack, list({key.slug for key in keys}))
    now, reports = stack.now(), []
    for part in parts_of(keys):
        days = _by_client(part)
        left_out = StepReport.joined(_left_out(organizations.get(slug), slug, days[slug], now) for slug in days)
        told = {**left_out.done, **left_out.failed, **left_out.waiting}
        ready = _by_client(key for key in part if key not in told)
        taken = await _Table(stack, run_id, [(organizations[slug], ready[slug]) for slug in ready], now).take()
        await _note(stack, run_id, taken, organizations)
        reports += [left_out, taken]
    return StepReport.joined(reports)


def parts_of(keys: Iterable[PartitionKey]) -> Iterator[list[PartitionKey]]:
    """As many together as one table holds; all of the first days before the next days."""
    spans: dict[int, list[list[PartitionKey]]] = {}
    for slug, days in _by_client(keys).items():
        for at in range(0, len(days), DAYS_IN_A_TABLE):
            own = [PartitionKey(slug, day) for day in sorted(days)[at : at + DAYS_IN_A_TABLE]]
            spans.setdefault(at, []).append(own)
    for at in sorted(spans):
        for first in range(0, len(spans[at]), CLIENTS_IN_A_TABLE):
            yield [key for own in spans[at][first : first + CLIENTS_IN_A_TABLE] for key in own]


def _by_client(keys: Iterable[PartitionKey]) -> dict[str, list[date]]:
    days: dict[str, list[date]] = {}
    for key in dict.fromkeys(keys):
        days.setdefault(key.slug, []).append(key.day)
    return days


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


class _Table:
    """The figures of some clients, all in one table; each client's trouble is its own."""

    def __init__(
        self, stack: Stack, run_id: str, ready: Sequence[tuple[Organization, Sequence[date]]], now: datetime
    ) -> None:
        self._stack, self._run_id, self._now = stack, run_id, now
        self._permits = asyncio.Semaphore(CLIENTS_AT_ONCE)
        self._ready = ready
        self._days = {organization.slug: days for organization, days in ready}
        self._stored: dict[UUID, dict[Period, Mapping[str, Any]]] = {one.id: {} for one, _ in ready}
        self._clients: dict[UUID, ClientRows] = {}
        self._failed: dict[PartitionKey, str] = {}

    async def take(self) -> StepReport:
        """Read all of these clients, make the figures of all, store each; once more for whom another run overtook."""
        unread = [(organization, _periods(days)) for organization, days in self._ready]
        while unread:
            found = [client for client in await asyncio.gather(*(self._read(*one) for one in unread)) if client]
            made = await self._figured(found)
            for client in made:
                self._clients.setdefault(client.organization.id, client)
            made = [_without_unread(client, self._now) for client in made]
            await asyncio.gather(*map(self._store, made))
            away = {key.slug for key in self._failed}
            unread = [
                (client.organization, lost)
                for client in made
                if client.organization.slug not in away
                and (lost := [one for one in client.periods if one not in self._stored[client.organization.id]])
            ]
        parts = [self._reported(client) for client in self._clients.values()]
        return StepReport.joined([*parts, StepReport(failed=self._failed)])

    async def _read(self, organization: Organization, periods: Sequence[Period]) -> ClientRows | None:
        async def rows() -> ClientRows:
            async with self._permits, self._stack.tenants.open(organization) as tenant:
                client = await read_rows(tenant, periods)
            wanted = {period for day in self._days[organization.slug] for period in periods_of(day)}
            return replace(client, periods=[one for one in periods if one in wanted or was_read_late(client, one)])

        return await self._try(organization, rows())

    async def _figured(self, found: Sequence[ClientRows]) -> list[ClientRows]:
        try:
            return await asyncio.to_thread(with_figures, found)
        except Exception:
            log.exception("run %s: the figures of %s clients broke and are made one by one", self._run_id, len(found))
        alone = [await self._try(one.organization, asyncio.to_thread(with_figures, [one])) for one in found]
        return [client for clients in alone for client in clients or ()]

    async def _store(self, client: ClientRows) -> None:
        async def rows() -> dict[Period, Mapping[str, Any]]:
            async with self._permits, self._stack.tenants.open(client.organization) as tenant:
                return await store_versions(tenant, client, self._run_id)

        self._stored[client.organization.id].update(await self._try(client.organization, rows()) or {})

    async def _try(self, organization: Organization, work: Awaitable[T]) -> T | None:
        """What it gives; None where it fails, and then this client's keys are failed."""
        try:
            return await work
        except (DraggonnbError, psycopg.Error, PoolTimeout) as error:
            log.warning("run %s: no snapshot of %s: %s", self._run_id, organization.slug, reason_of(error))
            reason = reason_of(error)
        except Exception as error:
            log.exception("run %s: the snapshot of %s broke", self._run_id, organization.slug)
            reason = reason_of(error)
        self._failed.update({PartitionKey(organization.slug, day): reason for day in self._days[organization.slug]})
        return None

    def _reported(self, client: ClientRows) -> StepReport:
        done: dict[PartitionKey, KeyReport] = {}
        waiting: dict[PartitionKey, str] = {}
        stored, days = self._stored[client.organization.id], self._days[client.organization.slug]
        for day in days:
            key, own = PartitionKey(client.organization.slug, day), periods_of(day)
            if key in self._failed:
                continue
            if own[0] not in stored:
                waiting[key] = "its last posts of that day are read for the first time within the next two hours"
                continue
            closed = [one for one in periods_of(day - DAY) if one in stored and day - DAY not in days]
            rows = [(stored[period], client.newest.get(period)) for period in own if period in stored]
            late = [(stored[period], client.newest.get(period)) for period in closed]
            done[key] = KeyReport(len(rows), snapshot_metadata(rows, client.series[own[0]], late))
        return StepReport(done=done, waiting=waiting)


def _periods(days: Sequence[date]) -> list[Period]:
    """What these days are to have, and what the days before them may have by now."""
    return list(dict.fromkeys(period for day in days for before in (day - DAY, day) for period in periods_of(before)))


def _without_unread(client: ClientRows, now: datetime) -> ClientRows:
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


async def _note(stack: Stack, run_id: str, taken: StepReport, organizations: Mapping[str, Organization]) -> None:
    """In the master: the ledger's rows, of each client the newest day that has its snapshot, and who failed."""
    await write_ledger(stack, ASSET, run_id, {key: {ASSET: done.rows} for key, done in taken.done.items()})
    newest: dict[str, date] = {}
    for key in taken.done:
        newest[key.slug] = max(key.day, newest.get(key.slug, key.day))
    async with stack.master.connection() as conn:
        for day in set(newest.values()):
            ids = [organizations[slug].id for slug, of_slug in newest.items() if of_slug == day]
            await snapshot_taken(conn, ids, day)
        away = {organizations[key.slug].id for key in taken.failed}
        await figures_failed(conn, stack.now(), sorted(away))
