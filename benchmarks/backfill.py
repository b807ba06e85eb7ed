"""Thirty days of fifty clients' snapshots: day by day as the days went by, then all of them as one backfill and once
more by the job `reprocess_snapshots`.

Day by day the step works on each day with the clock at its end, when the readings of later days do not exist yet; the
backfill and the job, which the real daemon carries out, see all of them. Some readings are late, lack a metric, were
repeated within a day or fall, and some days have none. All must give the same figures, to the digit.
`DRAGGONNB_BENCH_BACKFILL=clients,days` makes it smaller.
"""

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from benchmarks.analytics_ours import done_of
from benchmarks.analytics_seed import PublicPost, fill, posts_of
from benchmarks.backfills import PATIENCE_SECONDS, backfill
from benchmarks.server import report
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.domain.restatements import changes_of
from draggonnb_pipelines.jobs import analytics_config
from draggonnb_pipelines.partitions import key
from draggonnb_pipelines.resources.embedded_postgres import embedded_server
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.workflows.analytics.snapshots import take_snapshots
from tests.stories.system import System, running_system

CLIENTS, DAYS = map(int, os.environ.get("DRAGGONNB_BENCH_BACKFILL", "50,30").split(","))
POSTS = 20
ASSET = "analytics_snapshots"
_READ = """
insert into platform_metrics (platform_id, account_id, post_id, queue_id, collected_at, engagement_data, missing)
select q.platform_id, q.account_id, q.post_id, q.id, g.at, g.counts, g.missing
from unnest(%s::uuid[], %s::timestamptz[], %s::jsonb[], %s::jsonb[]) as g (id, at, counts, missing)
join content_queue q on q.id = g.id
"""
# Nothing but the backfills is to be at work.
_QUIET = """
insert into analytics_agenda (organization_id, snapshot_day, week_reported)
select id, (now() at time zone 'UTC')::date, date_trunc('week', now() at time zone 'UTC')::date from organizations
on conflict (organization_id) do update
set measure_at = 'infinity', snapshot_day = excluded.snapshot_day, week_reported = excluded.week_reported
"""
_FIGURES = (
    "select period, period_start, period_end, version, metrics, changes from analytics_snapshots order by 1, 2, 4"
)
Figures = dict[str, list[dict[str, Any]]]


def main(_: list[str]) -> None:
    directory = Path(f"/var/tmp/draggonnb-bench-{os.getuid()}-backfill")
    shutil.rmtree(directory, ignore_errors=True)
    with embedded_server(directory) as server, running_system(server) as system:
        slugs = [f"client-{number:03}" for number in range(CLIENTS)]
        system.create(*slugs)
        today = datetime.now(UTC).date()
        days = [today - timedelta(days=number) for number in range(DAYS, 0, -1)]
        clients = [system.clients[slug].organization for slug in slugs]
        posts = {client.slug: _fill(system, client) for client in clients}
        system.master(_QUIET + " returning 1")
        system.master("update organizations set created_at = now() - interval '1 year' returning 1")
        by_day = [_take_day(system, clients, posts, day) for day in days]
        first = _figures(system, clients)
        _forget(system, clients)
        whole = backfill(system, ASSET, [key(slug, day) for day in days for slug in slugs])
        second = _figures(system, clients)
        _forget(system, clients)
        started = time.monotonic()
        span = {"organizations": slugs, "from_day": days[0].isoformat(), "to_day": days[-1].isoformat()}
        run_id = system.launch("reprocess_snapshots", analytics_config(**span), seconds=PATIENCE_SECONDS)
        job_seconds = time.monotonic() - started
        [taken] = system.dagster("select end_time - start_time as seconds from runs where run_id = %s", run_id)
        third = _figures(system, clients)
    shutil.rmtree(directory, ignore_errors=True)
    if whole.failed or whole.done != CLIENTS * DAYS:
        raise RuntimeError(f"{whole.done} of {CLIENTS * DAYS} partitions are done; failed: {whole.failed[:10]}")
    different, in_job = _different(first, second), _different(first, third)
    rows: list[Sequence[object]] = [
        ["partitions", CLIENTS * DAYS, whole.done, CLIENTS * DAYS],
        ["runs", DAYS, whole.runs, 1],
        ["time, s", sum(by_day), whole.seconds, job_seconds],
        ["time of the runs themselves, s", sum(by_day), whole.run_seconds, taken["seconds"]],
        ["snapshots", *(sum(map(len, figures.values())) for figures in (first, second, third))],
        ["snapshots that differ in any digit", "", len(different), len(in_job)],
    ]
    title = f"Snapshots of {DAYS} days of {CLIENTS} clients with {POSTS} posts each, from stored readings"
    data = {"days_seconds": by_day, "backfill": asdict(whole), "job_seconds": job_seconds}
    data |= {"different": dict(list((different | in_job).items())[:20])}
    header = ("", "day by day, the step alone", "one backfill, daemon and all", "the job reprocess_snapshots, the same")
    report("backfill", title, header, rows, data)


def _forget(system: System, clients: Sequence[Organization]) -> None:
    for client in clients:
        system.tenant(client.slug, "with gone as (delete from analytics_snapshots returning 1) select 1")


def _fill(system: System, client: Organization) -> list[PublicPost]:
    posts = posts_of(client, POSTS, datetime.now(UTC), oldest=timedelta(days=DAYS))
    fill(system.settings, client, posts)
    system.tenant(client.slug, "update content_queue set measure_at = null returning 1")
    return posts


def _take_day(system: System, clients: Sequence[Organization], posts: dict[str, list[PublicPost]], day: date) -> float:
    """The day's readings come in, and its snapshots are taken before the next day's; how many seconds they took."""
    for client in clients:
        _read(system, client, posts[client.slug], day)
    evening = datetime.combine(day, clock_time(23), UTC)
    keys = [PartitionKey(client.slug, day) for client in clients]

    async def take() -> int:
        async with open_stack(system.settings, now=lambda: evening) as stack:
            return done_of(await take_snapshots(stack, f"day-{day}", keys))

    started = time.monotonic()
    asyncio.run(take())
    return time.monotonic() - started


def _read(system: System, client: Organization, posts: Sequence[PublicPost], day: date) -> None:
    """What a day's run would have stored at 06:00 UTC, or later, and for some posts once more in the evening."""
    opens = datetime.combine(day, clock_time(6), UTC)
    rows: list[tuple[Any, datetime, Jsonb, Jsonb]] = []
    for post in posts:
        luck = hashlib.sha256(f"{post.id}/{day}".encode()).digest()
        if post.at > opens or luck[0] < 12:  # a day without a reading, about one in twenty
            continue
        at = opens + timedelta(seconds=luck[1], hours=luck[2] % 5 if luck[3] < 40 else 0)
        rows.append(_reading(post, at, luck))
        if luck[4] < 30:
            rows.append(_reading(post, opens + timedelta(hours=12), luck))
    assert client.database_name
    with psycopg.connect(dsn_for(system.settings.dsn, client.database_name)) as conn:
        conn.execute(_READ, [list(column) for column in zip(*rows, strict=True)] if rows else [[], [], [], []])


def _reading(post: PublicPost, at: datetime, luck: bytes) -> tuple[Any, datetime, Jsonb, Jsonb]:
    hours = (at - post.at).total_seconds() / 3600
    views = int((300 + post.id.int % 3000) * hours / (hours + 20)) - luck[5] % 3
    counts = {"views": views, "reactions": views // 30, "comments": views // 200, "shares": views // 150}
    if post.platform is not Platform.X:
        counts["reach"] = int(views * 0.7)
    missing = {}
    if luck[6] < 25:
        missing = {"views": "the platform gave no number"}
        del counts["views"]
    return post.id, at, Jsonb(counts), Jsonb(missing)


def _figures(system: System, clients: Sequence[Organization]) -> Figures:
    found: Figures = {}
    for client in clients:
        found[client.slug] = system.tenant(client.slug, _FIGURES)
    return found


def _different(first: Figures, second: Figures) -> dict[str, Any]:
    """By client, period and version the figures that differ, as [day by day, backfill]."""
    found: dict[str, Any] = {}
    for slug in first:
        before, after = (
            {f"{row['period']} {row['period_start']} {row['version']}": row["metrics"] for row in figures[slug]}
            for figures in (first, second)
        )
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                found[f"{slug} {name}"] = changes_of(before.get(name, {}), after.get(name, {}))
    return found
