"""What Dagster forgets about old partitions. Open-source Dagster itself forgets ticks and nothing else.

Lives here: the nightly prune of asset events in Dagster's own tables.
Does not live here: runs and their logs (`run_retention.py`), and our own ledgers: those are the full truth about every
organization and day, and nothing here touches them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.dagster_instance import libpq_url
from draggonnb_pipelines.partitions import WINDOW_DAYS, window_start

BATCH = 20_000

# An asset's latest materialization and latest planned event always stay: Dagster takes from them how far its stored
# partition status (asset_keys.cached_status_data) reaches, and shows them as the asset's last state. A plan is replaced
# by a newer plan and by the materialization that it came to; one that came to nothing shows the partition as failed.
_DOOMED_EVENTS = """
create temporary table doomed_events as
with partition_events as (
    select id, timestamp, partition,
           lead(id) over (partition by asset_key, dagster_event_type, partition order by id) as newer_id,
           dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED'
               and id < max(id) filter (where dagster_event_type = 'ASSET_MATERIALIZATION')
                        over (partition by asset_key, partition) as is_carried_out,
           max(id) over (partition by asset_key, dagster_event_type) as latest_id
    from event_logs
    where asset_key is not null
      and dagster_event_type in ('ASSET_MATERIALIZATION', 'ASSET_MATERIALIZATION_PLANNED', 'ASSET_OBSERVATION')
)
select id from partition_events
where id <> latest_id
  and (((newer_id is not null or is_carried_out) and timestamp < %(superseded_before)s)
       or (partition ~ '^\\d{4}-\\d{2}-\\d{2}\\|' and left(partition, 10) < %(first_day)s))
"""

_DOOMED_CHECKS = """
create temporary table doomed_checks as
with executions as (
    select id, evaluation_event_storage_id, partition, create_timestamp,
           lead(id) over (partition by asset_key, check_name, partition order by id) as newer_id,
           max(id) over (partition by asset_key, check_name) as latest_id
    from asset_check_executions
)
select id, evaluation_event_storage_id as event_id from executions
where id <> latest_id
  and ((newer_id is not null and create_timestamp < %(superseded_before)s)
       or (partition ~ '^\\d{4}-\\d{2}-\\d{2}\\|' and left(partition, 10) < %(first_day)s))
"""


@dataclass(frozen=True)
class Pruned:
    """How many rows of Dagster's tables are gone."""

    events: int
    check_executions: int


def prune_asset_events(dagster_pg_url: str, keep_days: int, *, now: datetime | None = None) -> Pruned:
    """Deletes asset events that no page of Dagster needs; safe while Dagster works, and when called twice.

    Two kinds go: those older than `keep_days` that a newer event of the same asset and partition has replaced, plans
    that were carried out among them, and all of partitions whose day has left the window. The first kind has events
    without a partition too: Dagster plans one for each asset of a run. What a partition of the window shows (done,
    failed, missing) stays as it is, by Dagster's stored status as well as by a rebuild of it from the events left.
    """
    now = now or datetime.now(UTC)
    bounds = {
        "superseded_before": (now - timedelta(days=keep_days)).astimezone(UTC).replace(tzinfo=None),
        "first_day": window_start(now.astimezone(UTC).date(), WINDOW_DAYS).isoformat(),
    }
    with psycopg.connect(libpq_url(dagster_pg_url), autocommit=True) as conn:
        conn.execute(_DOOMED_EVENTS, bounds)
        conn.execute(_DOOMED_CHECKS, bounds)
        check_events = _ids(conn, "select event_id from doomed_checks where event_id is not null order by 1")
        checks = _delete(conn, "asset_check_executions", "id", _ids(conn, "select id from doomed_checks order by 1"))
        _delete(conn, "event_logs", "id", check_events)
        events = _ids(conn, "select id from doomed_events order by 1")
        _delete(conn, "asset_event_tags", "event_id", events)
        return Pruned(events=_delete(conn, "event_logs", "id", events), check_executions=checks)


def _ids(conn: psycopg.Connection, query: LiteralString) -> list[int]:
    return [row[0] for row in conn.execute(query)]


def _delete(conn: psycopg.Connection, table: str, column: str, ids: list[int]) -> int:
    """In batches, each its own transaction, so that event writers never wait long."""
    statement = SQL("delete from {} where {} = any(%s::bigint[])").format(Identifier(table), Identifier(column))
    return sum(conn.execute(statement, (ids[start : start + BATCH],)).rowcount for start in range(0, len(ids), BATCH))
