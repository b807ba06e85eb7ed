"""What is left of Dagster's old runs, on a real Postgres: the night takes them, and no page loses what it shows."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from draggonnb_pipelines.dagster_instance import libpq_url
from draggonnb_pipelines.definitions import build_defs
from draggonnb_pipelines.event_retention import prune_asset_events
from draggonnb_pipelines.run_retention import PrunedRuns, prune_runs
from tests.tenant_chain_world import World, fresh_world, run_again, run_batch, statuses

DONE, FAILED = "MATERIALIZED", "FAILED"
NOTHING = PrunedRuns(runs=0, log_rows=0, backfills=0, outputs=0)
IN_TWO_DAYS = datetime.now(UTC) + timedelta(days=2)


@pytest.fixture
def storage(instance: dg.DagsterInstance) -> Path:
    return Path(instance.storage_directory())


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
    instance: dg.DagsterInstance, dagster_pg_url: str, storage: Path
):
    old, recent = (look_around.execute_in_process(instance=instance).run_id for _ in range(2))
    folders = {run: storage / run / "compute_logs" for run in (old, recent)}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "say.out").write_text("said")
    logs = {
        run: _rows(dagster_pg_url, "select count(*) from event_logs where run_id = %s", run)[0][0] for run in folders
    }
    _age(dagster_pg_url, old)
    os.utime(storage / old, (0, 0))

    pruned = prune_runs(dagster_pg_url, storage, keep_days=30)

    assert pruned == PrunedRuns(runs=1, log_rows=logs[old], backfills=0, outputs=1)
    assert [run.run_id for run in instance.get_runs()] == [recent]
    assert _rows(dagster_pg_url, "select run_id, count(*) from event_logs group by 1") == [(recent, logs[recent])]
    assert {run for (run,) in _rows(dagster_pg_url, "select run_id from run_tags")} == {recent}
    assert [folder.exists() for folder in folders.values()] == [False, True]
    assert prune_runs(dagster_pg_url, storage, keep_days=30) == NOTHING


def test_a_failed_partition_keeps_its_run_and_its_colour_until_its_day_has_left_the_window(
    instance: dg.DagsterInstance, world: World, dagster_pg_url: str, storage: Path
):
    world.broken = {"second": {"bravo"}}
    run = run_batch(instance, "alpha", "bravo")
    shown = {asset: statuses(instance, asset) for asset in ("first", "second", "third")}
    assert shown["second"] == {"alpha": DONE, "bravo": FAILED}

    pruned = prune_runs(dagster_pg_url, storage, keep_days=1, now=IN_TWO_DAYS)

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
    instance: dg.DagsterInstance, world: World, dagster_pg_url: str, storage: Path
):
    [first, second] = [run_batch(instance, "alpha").run_id for _ in range(2)]
    assert prune_runs(dagster_pg_url, storage, keep_days=1, now=IN_TWO_DAYS).runs == 0
    prune_asset_events(dagster_pg_url, keep_days=1, now=IN_TWO_DAYS)

    assert prune_runs(dagster_pg_url, storage, keep_days=1, now=IN_TWO_DAYS).runs == 1

    assert [run.run_id for run in instance.get_runs()] == [second]
    assert _rows(dagster_pg_url, "select 1 from event_logs where run_id = %s", first) == []
    assert statuses(instance, "third") == {"alpha": DONE}


def test_a_run_that_was_repeated_stays_for_as_long_as_its_repetition(
    instance: dg.DagsterInstance, world: World, dagster_pg_url: str, storage: Path
):
    world.broken = {"first": {"alpha", "bravo"}}
    root = run_batch(instance, "alpha", "bravo")
    world.broken = {"first": {"bravo"}}
    child = run_again(instance, root.run_id, from_failure=True)
    with psycopg.connect(libpq_url(dagster_pg_url)) as conn:
        conn.execute("delete from event_logs where run_id = %s and asset_key is not null", (root.run_id,))
    _age(dagster_pg_url, root.run_id)

    assert prune_runs(dagster_pg_url, storage, keep_days=30).runs == 0

    world.broken = {}
    assert run_again(instance, child.run_id, from_failure=True).success
    assert statuses(instance, "first") == {"alpha": DONE, "bravo": DONE}


def test_what_is_not_finished_is_never_touched(instance: dg.DagsterInstance, dagster_pg_url: str, storage: Path):
    run = look_around.execute_in_process(instance=instance).run_id
    instance.add_backfill(_backfill("going", BulkActionStatus.REQUESTED))
    instance.add_backfill(_backfill("gone", BulkActionStatus.COMPLETED_SUCCESS))
    with psycopg.connect(libpq_url(dagster_pg_url)) as conn:
        conn.execute("update runs set status = 'STARTED'")
        conn.execute("update bulk_actions set timestamp = '2020-01-01'")
    _age(dagster_pg_url, run)
    rows = _rows(dagster_pg_url, "select count(*) from event_logs")

    assert prune_runs(dagster_pg_url, storage, keep_days=30) == PrunedRuns(runs=0, log_rows=0, backfills=1, outputs=0)

    assert _rows(dagster_pg_url, "select count(*) from event_logs") == rows
    assert [backfill.backfill_id for backfill in instance.get_backfills()] == ["going"]


def test_what_ticks_logged_goes_and_what_assets_stored_stays(
    dagster_pg_url: str, instance: dg.DagsterInstance, storage: Path
):
    tick, asset = storage / "__repository__" / "failed_runs" / "one.err", storage / "tenant_backups"
    tick.parent.mkdir(parents=True)
    for file in (tick, asset):
        file.write_text("said")
        os.utime(file, (0, 0))
    instance.get_runs()

    assert prune_runs(dagster_pg_url, storage, keep_days=30) == PrunedRuns(runs=0, log_rows=0, backfills=0, outputs=1)

    assert (tick.exists(), asset.exists()) == (False, True)


def test_the_nightly_job_prunes_runs_too(instance: dg.DagsterInstance, dagster_pg_url: str):
    old = look_around.execute_in_process(instance=instance).run_id
    _age(dagster_pg_url, old)

    night = build_defs().resolve_job_def("prune_asset_history").execute_in_process(instance=instance)

    assert night.success
    assert [run.run_id for run in instance.get_runs()] == [night.run_id]


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
