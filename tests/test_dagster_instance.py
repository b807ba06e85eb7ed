"""Dagster's storage on a real Postgres: `dagster.yaml` loads, connections are pooled, old events can be forgotten."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest
import yaml

from draggonnb_pipelines.dagster_instance import PG_URL_VARIABLE, PooledPostgresStorage, dagster_url, libpq_url
from draggonnb_pipelines.definitions import build_defs
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.event_retention import Pruned, prune_asset_events
from draggonnb_pipelines.jobs import (
    INCOMING,
    LONG,
    apply_message_statuses,
    deliver_messages,
    generate_content,
    publish_due_posts,
    qualify_leads,
)
from draggonnb_pipelines.partitions import key, register_organizations, window_start
from draggonnb_pipelines.sensors.billing import OPEN_RUNS
from tests.tenant_chain_world import TODAY, World, fresh_world, run_again, run_batch, statuses

ROOT = Path(__file__).resolve().parent.parent
DONE, FAILED = "MATERIALIZED", "FAILED"
# Over in seconds: they read, and wait for nobody.
QUICK = {
    *("check_clients", "check_leads", "check_messages", "check_operations", "check_publishing", "check_retention"),
    *("tell_operators", "watch_message_templates"),
}
# `sensors/inbox.py` gives each batch its place, `sensors/billing.py` each run for notices.
TAGGED_BY_SENSORS = {"qualify_leads", "generate_content", "keep_books"}


@pytest.fixture
def world(instance: dg.DagsterInstance) -> World:
    return fresh_world(instance)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_dagster_is_given_the_driver_with_which_it_works(scheme: str):
    assert dagster_url(f"{scheme}://me:pw@db:5432/dagster?x=1") == "postgresql+psycopg2://me:pw@db:5432/dagster?x=1"
    assert libpq_url(f"{scheme}://me:pw@db:5432/dagster?x=1") == "postgresql://me:pw@db:5432/dagster?x=1"


def test_another_database_is_refused_with_what_to_set():
    with pytest.raises(OperatorError, match=PG_URL_VARIABLE) as refused:
        dagster_url("sqlite:///secret-place")

    assert "secret-place" not in str(refused.value)


def test_dagster_yaml_is_the_instance_that_it_says(instance: dg.DagsterInstance):
    storage = instance.get_ref().custom_instance_class_data or instance.get_ref().storage_data
    assert storage is not None
    assert storage.class_name == PooledPostgresStorage.__name__
    assert type(instance.run_launcher).__name__ == "DefaultRunLauncher"
    assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"
    assert instance.telemetry_enabled is False
    assert instance.nux_enabled is False
    assert instance.run_monitoring_enabled is True
    assert instance.run_retries_enabled is True
    assert instance.run_retries_max_retries == 1
    assert instance.run_retries_retry_on_asset_or_op_failure is False
    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    limits = {(limit["key"], limit.get("value")): limit["limit"] for limit in queue.tag_concurrency_limits}
    assert limits == {
        (LONG, None): 2,
        (LONG, "crowd"): 1,
        (INCOMING, None): 2,
        ("draggonnb/reprocessing", None): 1,
        ("dagster/backfill", None): 1,
    }
    # One place is left for posts that are due, whatever else there is to do.
    assert queue.max_concurrent_runs == limits[LONG, None] + limits[INCOMING, None] + 1
    assert limits[LONG, None] == OPEN_RUNS  # more of them could only queue
    assert not {LONG, INCOMING} & (publish_due_posts.tags or {}).keys()


def test_nothing_that_starts_by_itself_and_takes_long_can_have_the_place_of_due_posts():
    defs = build_defs()
    started = [(job.name, job.tags or {}) for sensor in defs.sensors or [] if sensor.has_jobs for job in sensor.jobs]
    for schedule in defs.schedules or []:
        assert isinstance(schedule, dg.ScheduleDefinition)
        started.append((schedule.job_name, {**(schedule.job.tags or {}), **(schedule.tags or {})}))

    anywhere = {name for name, tags in started if not {LONG, INCOMING} & tags.keys()}

    assert anywhere == QUICK | {publish_due_posts.name} | TAGGED_BY_SENSORS
    assert dict(started)["check_canary"][LONG] == "canary"  # it waits for that very place to be used


def test_messages_stand_in_the_queue_as_leads_do_and_no_backlog_of_these_keeps_them_out():
    jobs = {job.name: job.tags for job in (deliver_messages, apply_message_statuses)}

    assert jobs == {
        name: {"dagster/max_retries": "0", "dagster/priority": "10", INCOMING: "messages"}
        for name in ("deliver_messages", "apply_message_statuses")
    }
    assert (qualify_leads.tags or {})["dagster/priority"] == (generate_content.tags or {})["dagster/priority"] == "10"


def test_dagster_yaml_names_the_variable_that_is_unset(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(PG_URL_VARIABLE, raising=False)
    monkeypatch.setenv("DRAGGONNB_DAGSTER_LOGS", "/nowhere")

    with pytest.raises(Exception, match=PG_URL_VARIABLE), dg.DagsterInstance.from_config(str(ROOT)):
        pass


def test_workspace_yaml_loads_our_definitions_from_the_root():
    [entry] = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]

    assert entry["python_module"] == {
        "module_name": "draggonnb_pipelines.definitions",
        "working_directory": ".",
        "location_name": "draggonnb",
    }


def test_every_storage_keeps_its_connection(instance: dg.DagsterInstance, dagster_pg_url: str):
    for _ in range(20):
        instance.get_dynamic_partitions("organizations")
        instance.get_runs(limit=1)

    assert len(_backends(dagster_pg_url)) <= 3


def test_a_restart_of_postgres_costs_no_statement(instance: dg.DagsterInstance, dagster_pg_url: str):
    register_organizations(instance, ["alpha"])
    instance.get_runs(limit=1)
    before = _backends(dagster_pg_url)
    with psycopg.connect(libpq_url(dagster_pg_url), autocommit=True) as conn:
        conn.execute("select pg_terminate_backend(pid) from unnest(%s::int[]) pid", (list(before),))

    assert instance.get_dynamic_partitions("organizations") == ["alpha"]
    assert instance.get_runs(limit=1) == []
    assert not before & _backends(dagster_pg_url)


def test_the_story_of_a_failed_organization_holds_on_postgres(instance: dg.DagsterInstance, world: World):
    world.broken = {"second": {"bravo"}}
    parent = run_batch(instance, "alpha", "bravo", "charlie")

    assert statuses(instance, "second") == {"alpha": DONE, "bravo": FAILED, "charlie": DONE}
    assert statuses(instance, "third") == {"alpha": DONE, "charlie": DONE}

    world.broken, world.asked = {}, []
    assert run_again(instance, parent.run_id, from_failure=True).success
    assert world.asked == [("second", ["bravo"]), ("third", ["bravo"])]
    assert statuses(instance, "third") == {"alpha": DONE, "bravo": DONE, "charlie": DONE}


def test_pruning_forgets_what_was_replaced_and_what_left_the_window_and_no_colour_changes(
    instance: dg.DagsterInstance, world: World, dagster_pg_url: str
):
    gone = key("alpha", window_start(TODAY) - timedelta(days=1))
    instance.report_runless_asset_event(dg.AssetMaterialization("first", partition=gone))
    run_batch(instance, "alpha", "bravo")
    world.broken = {"second": {"bravo"}}
    run_batch(instance, "alpha", "bravo")
    shown = {asset: statuses(instance, asset) for asset in ("first", "second", "third")}
    assert shown["second"] == {"alpha": DONE, "bravo": FAILED}
    in_two_days = datetime.now(UTC) + timedelta(days=2)

    pruned = prune_asset_events(dagster_pg_url, keep_days=1, now=in_two_days)

    # Two runs over two organizations. Of first's 4 + 4 events the older 2 + 2, the one outside the window and alpha's
    # newer plan, which was carried out; of second's 3 + 4 the older 1 + 2 and alpha's newer plan, not bravo's, which
    # failed; of third's 3 + 3 the older 1 + 1 and bravo's plan; of each the older run's plan without a partition. And
    # alpha's older check and the older run's plan to check.
    assert pruned == Pruned(events=(2 + 2 + 1 + 1) + (1 + 2 + 1) + (1 + 1 + 1) + 3, check_executions=2)
    assert {asset: statuses(instance, asset) for asset in shown} == shown
    _forget_status_cache(dagster_pg_url)
    assert {asset: statuses(instance, asset) for asset in shown} == shown
    assert gone not in instance.get_materialized_partitions(dg.AssetKey("first"))
    assert prune_asset_events(dagster_pg_url, keep_days=1, now=in_two_days) == Pruned(0, 0)
    assert _orphaned_tags(dagster_pg_url) == 0


def test_what_happens_after_a_prune_shows_as_before(instance: dg.DagsterInstance, world: World, dagster_pg_url: str):
    world.broken = {"first": {"bravo"}}
    failed = run_batch(instance, "alpha", "bravo")
    assert statuses(instance, "first") == {"alpha": DONE, "bravo": FAILED}
    prune_asset_events(dagster_pg_url, keep_days=1, now=datetime.now(UTC) + timedelta(days=2))
    world.broken = {}

    run_again(instance, failed.run_id, from_failure=True)

    assert statuses(instance, "first") == {"alpha": DONE, "bravo": DONE}


def test_recent_events_are_kept(instance: dg.DagsterInstance, world: World, dagster_pg_url: str):
    run_batch(instance, "alpha")
    run_batch(instance, "alpha")

    assert prune_asset_events(dagster_pg_url, keep_days=1) == Pruned(events=0, check_executions=0)


def _backends(url: str) -> set[int]:
    query = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    with psycopg.connect(libpq_url(url)) as conn:
        return {row[0] for row in conn.execute(query)}


def _orphaned_tags(url: str) -> int:
    query = "select id from asset_event_tags where event_id not in (select id from event_logs)"
    with psycopg.connect(libpq_url(url)) as conn:
        return len(conn.execute(query).fetchall())


def _forget_status_cache(url: str) -> None:
    """As when an organization is added: Dagster computes every status again from the events that are left."""
    with psycopg.connect(libpq_url(url), autocommit=True) as conn:
        conn.execute("update asset_keys set cached_status_data = null")
