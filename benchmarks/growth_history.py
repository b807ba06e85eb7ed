"""History in bulk: what so many clients leave in so many days, with the nights' pruning done.

Lives here: the rows, in Dagster's tables and in the master's, as real runs, ticks, events and deliveries are copied by
SQL. Not here: what is asked of them (`growth_asks.py`).

A copy differs from its pattern in ids, partition and time, and is as large. Older rows get smaller ids, as if they had
come first: Dagster's sensors and caches go by ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from benchmarks.growth_patterns import Patterns
from draggonnb_pipelines.partitions import window_start
from draggonnb_pipelines.settings import Settings
from tests.stories.system import dagster_dsn

# Ids of what is really done from here on; history lies below, and above what is copied.
FIRST_REAL_ID = 1_000_000_000
_LAYERS = {1: 600_000_000, 30: 300_000_000, 365: 1_000_000}
_NEW_RUNS = """
create temporary table made on commit drop as
select gen_random_uuid()::text as run_id, row_number() over (order by at) as n, at from (
    select now() at time zone 'UTC' - d * interval '1 day' - random() * interval '1 day' as at
    from generate_series(%(first)s::int, %(last)s::int - 1) d, generate_series(1, %(a_day)s)
) moments
"""
_RUNS = """
insert into runs (id, run_id, snapshot_id, pipeline_name, mode, status, run_body, partition, partition_set,
                  create_timestamp, update_timestamp, start_time, end_time, backfill_id)
select %(base)s + m.n, m.run_id, r.snapshot_id, r.pipeline_name, r.mode, r.status,
       replace(r.run_body, r.run_id, m.run_id), r.partition, r.partition_set, m.at, m.at,
       extract(epoch from m.at at time zone 'UTC'), extract(epoch from m.at at time zone 'UTC') + 5, null
from made m, runs r where r.run_id = %(run)s
"""
_TAGS = """
insert into run_tags (run_id, key, value)
select m.run_id, t.key, t.value from made m, run_tags t where t.run_id = %(run)s and t.key not like 'dagster/run_key'
"""
_LOGS = """
insert into event_logs (id, run_id, event, dagster_event_type, timestamp, step_key)
select %(base)s + (m.n - 1) * %(rows)s + e.n, m.run_id, replace(e.event, %(run)s, m.run_id), e.dagster_event_type, m.at,
       e.step_key
from made m, (select *, row_number() over (order by id) as n from event_logs
              where run_id = %(run)s and asset_key is null
                and (%(whole)s or dagster_event_type in ('PIPELINE_START', 'PIPELINE_SUCCESS'))) e
"""
# One event of an asset for each client and day, from one that Dagster wrote.
_EVENTS = """
with pattern as (
    select event, dagster_event_type, step_key, asset_key, partition from event_logs where id = %(pattern)s
), cells as (
    select s.slug, to_char(now() at time zone 'UTC' - d * interval '1 day', 'YYYY-MM-DD') || '|' || s.slug as partition,
           now() at time zone 'UTC' - d * interval '1 day' as at, row_number() over (order by d desc, s.slug) as n
    from generate_series(%(first)s::int, %(last)s::int - 1) d, (
        select partition as slug from dynamic_partitions
        where partitions_def_name = 'organizations' order by md5(partition) limit %(clients)s
    ) s
), held as (
    select run_id, row_number() over () - 1 as n from run_of_partitions
)
insert into event_logs (id, run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
select %(base)s + c.n, h.run_id, replace(p.event, p.partition, c.partition), p.dagster_event_type, c.at, p.step_key,
       p.asset_key, c.partition
from pattern p, cells c join held h on h.n = (%(shift)s + c.n) %% (select count(*) from run_of_partitions)
"""
_EVENT_TAGS = """
insert into asset_event_tags (event_id, asset_key, key, value, event_timestamp)
select e.id, e.asset_key, t.key, t.value, e.timestamp
from event_logs e cross join lateral (values
    ('dagster/partition/day', left(e.partition, 10)), ('dagster/partition/organization', substr(e.partition, 12))
) t (key, value)
where e.id > %(base)s and e.id <= %(base)s + %(span)s and e.dagster_event_type = 'ASSET_MATERIALIZATION'
"""
_CHECKS = """
insert into asset_check_executions (asset_key, check_name, partition, run_id, execution_status, evaluation_event,
                                    evaluation_event_timestamp, create_timestamp)
select x.asset_key, x.check_name,
       case when %(by_client)s
            then to_char(now() at time zone 'UTC' - d * interval '1 day', 'YYYY-MM-DD') || '|' || s.slug end,
       gen_random_uuid()::text, x.execution_status, x.evaluation_event, now() at time zone 'UTC' - d * interval '1 day',
       now() at time zone 'UTC' - d * interval '1 day'
from (select * from asset_check_executions where id = %(pattern)s) x,
     generate_series(%(first)s::int, %(last)s::int - 1) d, unnest(%(slugs)s::text[]) as s (slug)
"""
_TICKS = """
insert into job_ticks (id, job_origin_id, selector_id, status, type, timestamp, tick_body)
select -(row_number() over () + (select coalesce(max(-id), 0) from job_ticks where id < 0)),
       job_origin_id, selector_id, status, type, now() at time zone 'UTC' - n * %(every)s * interval '1 second',
       tick_body
from (select * from job_ticks where id = %(pattern)s) t, generate_series(1, %(count)s) n
"""
_BACKFILLS = """
insert into bulk_actions (id, key, status, timestamp, body, action_type, selector_id, job_name)
select -(%(first)s + n), substr(md5(random()::text), 1, 8), status,
       now() at time zone 'UTC' - (%(first)s + n) * interval '1 day', body, action_type, selector_id, job_name
from (select * from bulk_actions order by id desc limit 1) b, generate_series(1, %(count)s) n
"""
_INBOX = """
insert into inbox (organization_id, topic, source, delivery_id, content_type, received_at, state, stage, batch_id,
                   parsed_sealed, finished_at)
select o.id, case when n <= 2 then 'leads' else 'content' end, 'web_form', gen_random_uuid()::text, 'application/json',
       at, 'done', 6, gen_random_uuid(), case when d < 90 then decode(repeat('5a', 400), 'hex') end, at
from organizations o, generate_series(%(first)s::int, %(last)s::int - 1) d, generate_series(1, 5) n
cross join lateral (select now() - d * interval '1 day' as at) t
"""
_LEDGER = """
insert into asset_ledger (organization_id, asset, day, rows, code_version, run_id, materialized_at)
select o.id, a.asset, (now() - d * interval '1 day')::date, 2, a.version, gen_random_uuid()::text, now()
from organizations o, generate_series(%(first)s::int, %(last)s::int - 1) d,
     unnest(%(assets)s::text[], %(versions)s::text[]) as a (asset, version)
on conflict do nothing
"""


def add_days(settings: Settings, patterns: Patterns, slugs: Sequence[str], first: int, last: int) -> None:
    """Add what the days from `first` to before `last`, counted back from today, have left by now."""
    window = (datetime.now(UTC).date() - window_start(datetime.now(UTC).date())).days + 1
    with psycopg.connect(dagster_dsn(settings.dsn)) as conn:
        conn.execute("set synchronous_commit = off")
        conn.execute("create temporary table run_of_partitions (run_id text)")
        marks = _Marks(conn, _LAYERS[last])
        kept = min(last, settings.run_keep_days)
        for run in patterns.runs:
            marks.runs(patterns, run, first, kept, whole=True)
            if run in patterns.runs_left:
                marks.runs(patterns, run, max(first, settings.run_keep_days), min(last, window), whole=False)
        for asset, pattern in patterns.materializations.items():
            marks.replaced(pattern, patterns.plans[asset], first, min(last, settings.asset_event_keep_days), slugs)
            marks.events(pattern, first, min(last, window), len(slugs))
            marks.shift += (min(last, window) - first) * len(slugs)
        _checks(conn, patterns, slugs, first, min(last, window), min(last, settings.asset_event_keep_days))
        if first == 0:
            for pattern, seconds in patterns.skipped.items():
                _run(conn, _TICKS, pattern=pattern, every=seconds, count=86_400 // seconds)
        for pattern in patterns.successful:
            days = max(min(last, 7) - first, 0)
            _run(conn, _TICKS, pattern=pattern, every=120, count=days * min(720, 2 * len(slugs)))
        _run(conn, _BACKFILLS, first=first, count=max(kept - first, 0))
    _analyze(dagster_dsn(settings.dsn))
    with psycopg.connect(settings.dsn) as conn:
        conn.execute("set synchronous_commit = off")
        _run(conn, _INBOX, first=first, last=last)
        versions = {"assets": list(patterns.ledger), "versions": list(patterns.ledger.values())}
        _run(conn, _LEDGER, first=first, last=last, **versions)
    _analyze(settings.dsn)


@dataclass
class _Marks:
    """Hands out ids: each kind of copy takes the next part of the layer."""

    conn: psycopg.Connection
    next_id: int
    shift: int = 0  # so that the partitions of each asset point to other runs

    def runs(self, patterns: Patterns, run: str, first: int, last: int, *, whole: bool) -> None:
        if first >= last:
            return
        a_day = patterns.runs[run] if whole else patterns.runs_left[run]
        [rows] = self.conn.execute("select count(*) from event_logs where run_id = %s", (run,)).fetchone() or [0]
        with self.conn.transaction():
            _run(self.conn, "drop table if exists made")
            _run(self.conn, _NEW_RUNS, first=first, last=last, a_day=a_day)
            _run(self.conn, _RUNS, run=run, base=self.next_id)
            _run(self.conn, _TAGS, run=run)
            _run(self.conn, _LOGS, run=run, base=self.next_id, rows=rows, whole=whole)
            if run in patterns.runs_left:
                _run(self.conn, "insert into run_of_partitions select run_id from made")
            self.next_id += (last - first) * a_day * rows
            _run(self.conn, "drop table made")

    def events(self, pattern: int, first: int, last: int, clients: int) -> None:
        if first >= last:
            return
        span = (last - first) * clients
        days = {"first": first, "last": last}
        _run(self.conn, _EVENTS, pattern=pattern, **days, clients=clients, base=self.next_id, shift=self.shift)
        _run(self.conn, _EVENT_TAGS, base=self.next_id, span=span)
        self.next_id += span

    def replaced(self, materialization: int, plan: int, first: int, last: int, slugs: Sequence[str]) -> None:
        """Of the last days, two plans and one materialization that a newer one has replaced."""
        for pattern in (plan, materialization, plan):
            self.events(pattern, first, last, len(slugs))


def _checks(
    conn: psycopg.Connection, patterns: Patterns, slugs: Sequence[str], first: int, window: int, kept: int
) -> None:
    for pattern in patterns.checks_of_clients:
        _run(conn, _CHECKS, pattern=pattern, first=first, last=window, by_client=True, slugs=list(slugs))
    for pattern in patterns.checks_of_hours:
        hours = [str(hour) for hour in range(24)]
        _run(conn, _CHECKS, pattern=pattern, first=first, last=kept, by_client=False, slugs=hours)


def _run(conn: psycopg.Connection, statement: str, **values: Any) -> None:
    conn.execute(statement.encode(), values or None)


def _analyze(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("vacuum analyze")
        conn.execute("checkpoint")


def make_room(dagster_database: str) -> None:
    """From here on Dagster's ids are above those of any history."""
    with psycopg.connect(dagster_database) as conn:
        for table in ("event_logs", "runs"):
            conn.execute(f"select setval('{table}_id_seq', {FIRST_REAL_ID})".encode())
