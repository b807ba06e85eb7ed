"""What Dagster forgets about old runs. By itself it keeps every run, its log, its captured output and every backfill.

Lives here: the nightly prune of runs and backfills in Dagster's own tables, and of the files of its runs.
Does not live here: the events that colour partitions (`event_retention.py`, which goes first: a run to which such an
event still points is kept), ticks (`dagster.yaml`), our own tables (`workflows/operations/retention.py`).
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from uuid import UUID

import psycopg

from draggonnb_pipelines.dagster_instance import libpq_url

BATCH_RUNS = 1_000

# Through idx_run_range. What a person tags later is news of the run, and Dagster moves the stamp on.
_OLD_RUNS = """
select run_id from runs
where status in ('SUCCESS', 'FAILURE', 'CANCELED') and update_timestamp < %(before)s
order by id
"""

# Of a run that stays, its beginning and its end stay too: its page shows them.
_EMPTY_LOGS = """
delete from event_logs
where run_id = any(%(runs)s) and asset_key is null
  and coalesce(dagster_event_type, '') <> all(array['PIPELINE_START', 'PIPELINE_SUCCESS', 'PIPELINE_FAILURE',
                                                    'PIPELINE_CANCELED'])
"""

# A failed partition is shown by its planned event and by the status of that event's run. A run that was repeated is
# needed for as long as its repetitions are: a further one asks Dagster for the whole group, and fails without its root.
_NEEDED_RUNS = """
create temporary table needed_runs as
with recursive events as (
    -- One step through idx_events_by_run_id for each run that has any event at all.
    select r.run_id from runs r
    where r.status in ('SUCCESS', 'FAILURE', 'CANCELED') and r.update_timestamp < %(before)s
      and exists (select from event_logs e where e.run_id = r.run_id and e.asset_key is not null)
    union
    select run_id from asset_check_executions
    union
    select r.run_id from runs r
    where r.status not in ('SUCCESS', 'FAILURE', 'CANCELED') or r.update_timestamp >= %(before)s
), needed as (
    select run_id::text from events
    union
    select t.value from needed n join run_tags t on t.run_id = n.run_id
    where t.key in ('dagster/root_run_id', 'dagster/parent_run_id')
)
select run_id from needed
"""

_DOOMED_RUNS = """
select run_id from runs r
where status in ('SUCCESS', 'FAILURE', 'CANCELED') and update_timestamp < %(before)s
  and not exists (select from needed_runs n where n.run_id = r.run_id)
order by id desc -- a repetition before what it repeats
"""

# Asked once more: it may have been repeated meanwhile. Its tags go with it.
_UNREPEATED_RUNS = """
delete from runs r
where r.run_id = any(%(runs)s) and not exists (
    select from run_tags t
    where t.key in ('dagster/root_run_id', 'dagster/parent_run_id') and t.value = r.run_id
      and t.run_id <> all(%(runs)s)
)
returning r.run_id
"""

_OLD_BACKFILLS = """
with gone as (
    delete from bulk_actions b
    where b.status in ('COMPLETED', 'COMPLETED_SUCCESS', 'COMPLETED_FAILED', 'FAILED', 'CANCELED')
      and b.timestamp < %(before)s and not exists (select from runs r where r.backfill_id = b.key)
    returning b.key
), tags as (
    delete from backfill_tags t using gone where t.backfill_id = gone.key
)
select count(*) from gone
"""


@dataclass(frozen=True)
class PrunedRuns:
    """What is gone: whole runs, rows of the logs of runs, backfills, and folders and files of captured output."""

    runs: int
    log_rows: int
    backfills: int
    outputs: int


def prune_runs(dagster_pg_url: str, logs: Path, keep_days: int, *, now: datetime | None = None) -> PrunedRuns:
    """Deletes what is left of runs that ended more than `keep_days` ago; safe while Dagster works, and when killed.

    The log goes, and what was captured of the run's output. The run itself goes with them, unless an event of an asset
    or a check still points to it, or a run that stays repeats it; then its row, its beginning and its end stay until
    that is over. What is not finished is never touched.

    Args:
        logs: the folder in which `dagster.yaml` has runs and ticks write (`LOGS_VARIABLE`).
    """
    now = now or datetime.now(UTC)
    before = {"before": (now - timedelta(days=keep_days)).astimezone(UTC).replace(tzinfo=None)}
    with psycopg.connect(libpq_url(dagster_pg_url), autocommit=True) as conn:
        old = [row[0] for row in conn.execute(_OLD_RUNS, before)]
        log_rows = sum(conn.execute(_EMPTY_LOGS, {"runs": runs}).rowcount for runs in _batches(old))
        conn.execute(_NEEDED_RUNS, before)
        conn.execute("create index on needed_runs (run_id)")
        conn.execute("analyze needed_runs")
        gone = 0
        for runs in _batches([row[0] for row in conn.execute(_DOOMED_RUNS, before)]):
            pruned = delete_unrepeated(conn, runs)
            gone, log_rows = gone + pruned[0], log_rows + pruned[1]
        backfills = conn.execute(_OLD_BACKFILLS, before).fetchone()
    outputs = _prune_outputs(logs, now.timestamp() - timedelta(days=keep_days).total_seconds())
    return PrunedRuns(gone, log_rows, backfills[0] if backfills else 0, outputs)


def delete_unrepeated(conn: psycopg.Connection, runs: list[str]) -> tuple[int, int]:
    """Delete those of the runs that no other run repeats, with their logs; how many runs and rows these were."""
    with conn.transaction():
        gone = [row[0] for row in conn.execute(_UNREPEATED_RUNS, {"runs": runs})]
        return len(gone), conn.execute("delete from event_logs where run_id = any(%s)", (gone,)).rowcount


def _batches(runs: list[str]) -> list[list[str]]:
    """Each its own transaction, so that event writers never wait long."""
    return [runs[start : start + BATCH_RUNS] for start in range(0, len(runs), BATCH_RUNS)]


def _prune_outputs(logs: Path, before: float) -> int:
    """Folders of runs, what they printed and what their steps handed on; and what ticks and backfills logged. Not what
    assets of other names may have stored."""
    gone = 0
    for folder in (*_entries(logs), *_entries(logs / "storage")):
        if _is_run(folder.name) and folder.stat().st_mtime < before:
            rmtree(folder.path, ignore_errors=True)
            gone += 1
    for source in (*_entries(logs / "__repository__"), *_entries(logs / "backfill")):
        for file in _entries(Path(source.path)):
            if file.stat().st_mtime < before:
                Path(file.path).unlink(missing_ok=True)
                gone += 1
    return gone


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    return list(os.scandir(folder)) if folder.is_dir() else []


def _is_run(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
