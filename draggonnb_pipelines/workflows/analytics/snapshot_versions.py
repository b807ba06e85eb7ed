"""One client's figures: the rows that they rest on, and the versions that are stored of them.

Lives here: reading, calculating and storing for one client, or for many in one table. Does not live here: the figures
(`domain/engagement.py`), which periods are taken when and whose trouble is whose (`snapshots.py`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.daily_values import PublishedPost, StoredReading, daily_values
from draggonnb_pipelines.domain.engagement import Engagement, days_needed, first_post_day
from draggonnb_pipelines.domain.measuring import window_of
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.periods import Kind, Period
from draggonnb_pipelines.domain.restatements import changes_of
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.analytics.snapshot_reports import CHART_DAYS

SNAPSHOTS = load_queries("snapshots")


@dataclass(frozen=True)
class ClientRows:
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


async def period_snapshot(tenant: TenantDb, period: Kind, start: date, *, run_id: str | None) -> Mapping[str, Any]:
    """The newest version of a period's figures: the row found if it says what the readings say now, else a new one.

    Returns:
        A row of `analytics_snapshots`.

    Raises:
        ValueError: no such period begins on that day.
    """
    wanted = Period.starting(period, start)
    while True:  # again only after somebody else has stored a version meanwhile
        client = await read_rows(tenant, [wanted])
        [client] = await asyncio.to_thread(with_figures, [client])
        if stored := await store_versions(tenant, client, run_id):
            return stored[wanted]


async def read_rows(tenant: TenantDb, periods: Sequence[Period]) -> ClientRows:
    """All rows that the figures of these periods rest on, in three queries, however many periods these are."""
    first, last = days_needed(periods)
    span = {"since": window_of(first_post_day(first))[0], "until": window_of(last)[1]}
    kinds, starts = [period.kind for period in periods], [period.start for period in periods]
    newest = [row async for row in SNAPSHOTS.newest(tenant.conn, periods=kinds, starts=starts)]
    posts = [PublishedPost(**row) async for row in SNAPSHOTS.published_posts(tenant.conn, **span)]
    readings = await SNAPSHOTS.readings(tenant.conn, **span)
    return ClientRows(tenant.organization, periods, posts, _rows(readings), {_period_of(row): row for row in newest})


def _rows(columns: Mapping[str, Any]) -> list[StoredReading]:
    names = ("ids", "queue_ids", "times", "values", "missing", "are_gone")
    return [StoredReading(*row) for row in zip(*(columns[name] or () for name in names), strict=True)]


def _period_of(row: Mapping[str, Any]) -> Period:
    return Period(row["period"], row["period_start"], row["period_end"])


def was_read_late(client: ClientRows, period: Period) -> bool:
    """Whether a stored snapshot may say less than its last day's window holds by now: a reading that it does not name,
    of a post that was public by its end."""
    if period not in client.newest:
        return False
    opens, closes = window_of(period.last_measured)
    over = period.over_at(client.organization.timezone)
    named = {id_ for ids in client.newest[period]["metrics"]["sources"].values() for id_ in ids}
    public = {post.id for post in client.posts if post.published_at < over}
    return any(
        opens <= reading.collected_at < closes and reading.queue_id in public and str(reading.id) not in named
        for reading in client.readings
    )


def with_figures(clients: Sequence[ClientRows]) -> list[ClientRows]:
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


async def store_versions(tenant: TenantDb, client: ClientRows, run_id: str | None) -> dict[Period, Mapping[str, Any]]:
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
