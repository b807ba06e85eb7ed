"""What is left of Dagster's old runs, on a real Postgres: the night takes them, and no page loses what it shows."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import psycopg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

from draggonnb_pipelines.dagster_instance import LOGS_VARIABLE, libpq_url
from draggonnb_pipelines.definitions import build_defs
from draggonnb_pipelines.event_retention import prune_asset_events
from draggonnb_pipelines.run_retention import PrunedRuns, delete_unrepeated, prune_runs
from tests.tenant_chain_world import World, fresh_world, run_again, run_batch, statuses

DONE, FAILED = "MATERIALIZED", "FAILED"
NOTHING = PrunedRuns(runs=0, log_rows=0, backfills=0, outputs=0)
IN_TWO_DAYS = datetime.now(UTC) + timedelta(days=2)


@pytest.fixture
def logs(instance: dg.DagsterInstance) -> Path:
    return Path(os.environ[LOGS_VARIABLE])


@pytest.fixture
def world(instance: dg.DagsterInstance) -> World:
    return fresh_world(instance)


@dg.op
def say(context: dg.OpExecutionContext) -> None:
    context.log.info("nothing was due")


@dg.job(executor_def=dg.in_process_executor, tags={"draggonnb/vendors": "live"})
def look_around() -> None:
    say()


def test_an_old_run_goes_with_log_tags_and_output_and_a_recent_one_stays(
    instance: dg.DagsterInstance, dagster_pg_url: str, logs: Path
):
    old, recent = (look_around.execute_in_process(instance=instance).run_id for _ in range(2))
    folders = {run: _written(instance, run, "compute_logs", "x").parents[1] for run in (old, recent)}
    assert [folder.is_dir() for folder in folders.values()] == [True, True]
    rows = {
        run: _rows(dagster_pg_url, "select count(*) from event_logs where run_id = %s", run)[0][0] for run in folders
    }
    _age(dagster_pg_url, old)
    os.utime(folders[old], (0, 0))

    pruned = prune_runs(dagster_pg_url, logs, keep_days=30)

    assert pruned == PrunedRuns(runs=1, log_rows=rows[old], backfills=0, outputs=1)
    assert [run.run_id for run in instance.get_runs()] == [recent]
    assert _rows(dagster_pg_url, "select run_id, count(*) from event_logs group by 1") == [(recent, rows[recent])]
    assert {run for (run,) in _rows(dagster_pg_url, "select run_id from run_tags")} == {recent}
    assert [folder.exists() for folder in folders.values()] == [False, True]
    assert prune_runs(dagster_pg_url, logs, keep_days=30) == NOTHING


def test_a_failed_partition_keeps_its_run_and_its_colour_until_its_day_has_left_the_window(
    instance: dg.DagsterInstance, world: World, dagster_pg_url: str, logs: Path
):
    world.broken = {"second": {"bravo"}}
    run = run_batch(instance, "alpha", "bravo")
    shown = {asset: statuses(instance, asset) for asset in ("first", "second", "third")}
    assert shown["second"] == {"alpha": DONE, "bravo": FAILED}

    pruned = prune_runs(dagster_pg_url, logs, keep_days=1, now=IN_TWO_DAYS)

    assert (pruned.runs, pruned.log_rows > 10) == (0, True)
    left = _rows(
        dagster_pg_url, "select distinct dagster_event_type from event_logs where asset_key is null order by 1"
    )
    assert left == [("PIPELINE_FAILURE",), ("PIPELINE_START",)]
    _forget_status_cache(dagster_pg_url)
    assert {asset: statuses(instance, asset) for asset in shown} == shown
    world.broken = {}
    assert run_again(instance, run.run_id, from_failure=True).success
    assert statuses(instance, "third") == {"alpha": DONE, "bravo": DONE}


def test_with_the_last_event_that_points_to_it_the_run_goes_too(
    instance: dg.DagsterInstance, world: World, dagster_pg_url: str, logs: Path
):
    [first, second] = [run_batch(instance, "alpha").run_id for _ in range(2)]
    assert prune_runs(dagster_pg_url, logs, keep_days=1, now=IN_TWO_DAYS).runs == 0
    prune_asset_events(dagster_pg_url, keep_days=1, now=IN_TWO_DAYS)

    assert prune_runs(dagster_pg_url, logs, keep_days=1, now=IN_TWO_DAYS).runs == 1

    assert [run.run_id for run in instance.get_runs()] == [second]
    assert _rows(dagster_pg_url, "select 1 from event_logs where run_id = %s", first) == []
    assert statuses(instance, "third") == {"alpha": DONE}


def test_a_run_that_was_repeated_stays_for_as_long_as_its_repetition(
    instance: dg.DagsterInstance, world: World, dagster_pg_url: str, logs: Path
):
    world.broken = {"first": {"alpha", "bravo"}}
    root = run_batch(instance, "alpha", "bravo")
    world.broken = {"first": {"bravo"}}
    child = run_again(instance, root.run_id, from_failure=True)
    with psycopg.connect(libpq_url(dagster_pg_url)) as conn:
        conn.execute("delete from event_logs where run_id = %s and asset_key is not null", (root.run_id,))
    _age(dagster_pg_url, root.run_id)

    assert prune_runs(dagster_pg_url, logs, keep_days=30).runs == 0

    world.broken = {}
    assert run_again(instance, child.run_id, from_failure=True).success
    assert statuses(instance, "first") == {"alpha": DONE, "bravo": DONE}


def test_a_run_that_is_repeated_while_the_night_works_stays_with_its_log(
    instance: dg.DagsterInstance, world: World, dagster_pg_url: str
):
    world.broken = {"first": {"alpha"}}
    root = run_batch(instance, "alpha").run_id  # found as one that nothing needs, and then repeated
    alone = look_around.execute_in_process(instance=instance).run_id
    world.broken = {}
    child = run_again(instance, root, from_failure=True).run_id
    rows = "select count(*) from event_logs where run_id = %s"
    kept, gone = (_rows(dagster_pg_url, rows, run)[0][0] for run in (root, alone))

    with psycopg.connect(libpq_url(dagster_pg_url)) as conn:
        assert delete_unrepeated(conn, [alone, root]) == (1, gone)

    assert {run.run_id for run in instance.get_runs()} == {root, child}
    assert [_rows(dagster_pg_url, rows, run)[0][0] for run in (root, alone)] == [kept, 0]


def test_what_is_not_finished_is_never_touched(instance: dg.DagsterInstance, dagster_pg_url: str, logs: Path):
    run = look_around.execute_in_process(instance=instance).run_id
    instance.add_backfill(_backfill("going", BulkActionStatus.REQUESTED))
    instance.add_backfill(_backfill("gone", BulkActionStatus.COMPLETED_SUCCESS))
    with psycopg.connect(libpq_url(dagster_pg_url)) as conn:
        conn.execute("update runs set status = 'STARTED'")
        conn.execute("update bulk_actions set timestamp = '2020-01-01'")
    _age(dagster_pg_url, run)
    rows = _rows(dagster_pg_url, "select count(*) from event_logs")

    assert prune_runs(dagster_pg_url, logs, keep_days=30) == PrunedRuns(runs=0, log_rows=0, backfills=1, outputs=0)

    assert _rows(dagster_pg_url, "select count(*) from event_logs") == rows
    assert [backfill.backfill_id for backfill in instance.get_backfills()] == ["going"]


def test_what_ticks_and_backfills_logged_and_steps_handed_on_goes_and_what_assets_stored_stays(
    dagster_pg_url: str, instance: dg.DagsterInstance, logs: Path
):
    logged = [
        ("__repository__", "failed_runs", "one"),
        ("__repository__", "failed_runs", "two"),
        ("backfill", "b", "one"),
    ]
    for log_key in logged:
        with instance.compute_log_manager.open_log_stream(log_key, ComputeIOType.STDERR):
            pass  # the file is there
    old_tick, tick, backfill = (_written(instance, *log_key) for log_key in logged)
    handed_on = Path(instance.file_manager_directory(str(uuid4()))).parent
    handed_on.mkdir(parents=True)
    asset = Path(instance.storage_directory()) / "tenant_backups"
    asset.write_text("stored")
    for old in (old_tick, backfill, handed_on, asset):
        os.utime(old, (0, 0))

    assert prune_runs(dagster_pg_url, logs, keep_days=30) == PrunedRuns(runs=0, log_rows=0, backfills=0, outputs=3)

    assert [file.exists() for file in (old_tick, backfill, handed_on, tick, asset)] == [False, False, False, True, True]


def test_the_nightly_job_prunes_runs_too(instance: dg.DagsterInstance, dagster_pg_url: str):
    old = look_around.execute_in_process(instance=instance).run_id
    _age(dagster_pg_url, old)
    folder = _written(instance, old, "compute_logs", "x").parents[1]
    os.utime(folder, (0, 0))

    night = build_defs().resolve_job_def("prune_asset_history").execute_in_process(instance=instance)

    assert night.success
    assert [run.run_id for run in instance.get_runs()] == [night.run_id]
    assert not folder.exists()


def _written(instance: dg.DagsterInstance, *log_key: str) -> Path:
    """Where Dagster writes what is printed under that key."""
    manager = instance.compute_log_manager
    assert isinstance(manager, LocalComputeLogManager)
    return Path(manager.get_captured_local_path(log_key, "err"))


def _backfill(backfill_id: str, status: BulkActionStatus) -> PartitionBackfill:
    fields: dict[str, Any] = {"from_failure": False, "tags": {}, "backfill_timestamp": 0.0, "asset_selection": []}
    return PartitionBackfill(backfill_id=backfill_id, status=status, **fields)


def _age(dagster_pg_url: str, run_id: str) -> None:
    with psycopg.connect(libpq_url(dagster_pg_url)) as conn:
        conn.execute("update runs set update_timestamp = now() - interval '31 days' where run_id = %s", (run_id,))


def _rows(dagster_pg_url: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(libpq_url(dagster_pg_url)) as conn:
        return conn.execute(query.encode(), values or None).fetchall()


def _forget_status_cache(dagster_pg_url: str) -> None:
    """As when an organization is added: Dagster computes every status again from the events that are left."""
    with psycopg.connect(libpq_url(dagster_pg_url), autocommit=True) as conn:
        conn.execute("update asset_keys set cached_status_data = null")
