"""One run for many organizations: who is worked on, what shows as failed, and what a re-execution does."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import AssetMaterializationPlannedData

from draggonnb_pipelines.domain.reports import KeyReport, Link, Markdown, PartitionKey, StepReport
from draggonnb_pipelines.partitions import key, organizations
from draggonnb_pipelines.tenant_events import to_dagster_metadata, verdict
from draggonnb_pipelines.tenant_runs import TenantRun, tenant_asset, tenant_chain
from tests.tenant_chain_world import (
    SLUGS,
    TODAY,
    YESTERDAY,
    World,
    build_houses,
    fresh_world,
    run_again,
    run_batch,
    run_range,
    statuses,
    stories,
)

DONE, FAILED = "MATERIALIZED", "FAILED"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A real instance that other threads and reconstructed jobs can open."""
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides={"telemetry": {"enabled": False}}) as opened:
        yield opened


@pytest.fixture
def world(instance: dg.DagsterInstance) -> World:
    return fresh_world(instance)


def failure_of(result: dg.JobExecutionResult) -> tuple[str, str]:
    """The verdict's text and its table."""
    [event] = [event for event in result.all_events if event.is_step_failure]
    said = event.step_failure_data.user_failure_data
    assert said is not None
    return said.description or "", said.metadata["failed"].value  # pyright: ignore[reportReturnType]


def test_one_run_materializes_every_organization_of_its_batch_and_no_outsider(instance, world):
    result = run_batch(instance, "alpha", "charlie")

    assert result.success
    assert len(instance.get_runs()) == 1
    for asset in ("first", "second", "third"):
        assert statuses(instance, asset) == {"alpha": DONE, "charlie": DONE}
    assert world.asked == [(step, ["alpha", "charlie"]) for step in ("first", "second", "third")]


def test_one_failed_organization_stops_nobody_else_and_alone_shows_as_failed(instance, world):
    world.broken = {"second": {"bravo"}}

    result = run_batch(instance, "alpha", "bravo", "charlie")

    assert not result.success
    assert statuses(instance, "first") == {"alpha": DONE, "bravo": DONE, "charlie": DONE}
    assert statuses(instance, "second") == {"alpha": DONE, "bravo": FAILED, "charlie": DONE}
    assert statuses(instance, "third") == {"alpha": DONE, "charlie": DONE}
    assert world.asked[-1] == ("third", ["alpha", "charlie"])


def test_the_verdict_names_the_failed_and_is_not_retried(instance, world):
    world.broken = {"first": {"delta"}, "third": {"alpha"}}

    description, table = failure_of(run_batch(instance, "alpha", "bravo", "delta"))

    assert description.startswith("2 of 3 partitions failed; the others are done. Failed: delta, alpha.")
    assert table.splitlines() == [
        "| organization | day | stopped at | reason |",
        "|---|---|---|---|",
        f"| delta | {TODAY} | first | vendor said \\| no |",
        f"| alpha | {TODAY} | third | vendor said \\| no |",
    ]
    assert [step for step, _ in world.asked] == ["first", "second", "third"]


@pytest.mark.parametrize("from_failure", [True, False])
def test_both_kinds_of_re_execution_do_exactly_what_is_missing(instance, world, from_failure: bool):
    world.broken = {"first": {"delta"}, "second": {"bravo"}}
    parent = run_batch(instance, "alpha", "bravo", "delta")
    world.broken, world.asked = {}, []

    result = run_again(instance, parent.run_id, from_failure=from_failure)

    assert result.success
    assert world.asked == [("first", ["delta"]), ("second", ["bravo", "delta"]), ("third", ["bravo", "delta"])]
    for asset in ("first", "second", "third"):
        assert statuses(instance, asset) == {"alpha": DONE, "bravo": DONE, "delta": DONE}


def test_a_re_execution_that_fails_again_leaves_the_done_ones_done(instance, world):
    world.broken = {"second": {"bravo"}}
    parent = run_batch(instance, "alpha", "bravo")

    result = run_again(instance, parent.run_id, from_failure=True)

    assert not result.success
    assert statuses(instance, "second") == {"alpha": DONE, "bravo": FAILED}
    assert failure_of(result)[0].startswith("1 of 2 partitions failed")


def test_a_crashed_step_is_retried_and_repeats_nothing_that_was_done(instance, world):
    world.crash = {"second": 1}

    result = run_batch(instance, "alpha", "bravo")

    assert result.success
    assert world.asked == [
        ("first", ["alpha", "bravo"]),
        ("second", ["alpha", "bravo"]),
        ("second", ["alpha", "bravo"]),
        ("third", ["alpha", "bravo"]),
    ]


def test_a_step_that_crashes_for_good_fails_the_partitions_that_it_was_given(instance, world):
    world.crash = {"second": 9}

    result = run_batch(instance, "alpha", "bravo")

    assert not result.success
    assert statuses(instance, "first") == {"alpha": DONE, "bravo": DONE}
    assert statuses(instance, "second") == {"alpha": FAILED, "bravo": FAILED}
    assert statuses(instance, "third") == {}


def test_a_range_from_the_ui_is_one_run_over_the_chosen_organizations(instance, world):
    result = run_range(instance, "alpha", "charlie")

    assert result.success
    assert world.asked[0] == ("first", ["alpha", "bravo", "charlie"])
    assert statuses(instance, "third") == {"alpha": DONE, "bravo": DONE, "charlie": DONE}


def test_a_range_that_fails_twice_shows_only_the_failed_as_failed(instance, world):
    world.broken = {"second": {"bravo"}}
    parent = run_range(instance, "alpha", "charlie")
    world.asked = []

    run_again(instance, parent.run_id, from_failure=True)

    assert world.asked == [("second", ["bravo"])]
    assert statuses(instance, "first") == {"alpha": DONE, "bravo": DONE, "charlie": DONE}
    assert statuses(instance, "second") == {"alpha": DONE, "bravo": FAILED, "charlie": DONE}


def test_a_partition_on_which_a_step_says_nothing_is_a_failure(instance, world):
    world.silent = {"second": {"alpha"}}

    result = run_batch(instance, "alpha", "bravo")

    assert statuses(instance, "second") == {"alpha": FAILED, "bravo": DONE}
    assert "the step did not report on this partition" in failure_of(result)[1]


def test_an_empty_batch_ends_well_and_asks_no_step(instance, world):
    result = run_batch(instance)

    assert result.success
    assert world.asked == []
    assert statuses(instance, "first") == {}


def test_events_carry_rows_and_metadata_and_checks_their_partition(instance, world):
    run_batch(instance, "alpha")

    event = instance.get_latest_materialization_event(dg.AssetKey("second"))
    assert event is not None
    materialization = event.asset_materialization
    assert materialization is not None
    assert materialization.partition == key("alpha", TODAY)
    assert materialization.metadata["dagster/partition_row_count"].value == 2
    assert materialization.metadata["preview"] == dg.MetadataValue.md("*fine*")
    [run] = instance.get_runs()
    evaluations = [
        entry.dagster_event.asset_check_evaluation_data
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        if entry.dagster_event
    ]
    assert [(each.check_name, each.partition, each.passed) for each in evaluations] == [
        ("looks_right", key("alpha", TODAY), True)
    ]


def test_a_chain_runs_only_the_assets_that_were_selected(instance, world):
    job = dg.define_asset_job("only_second", ["second"], executor_def=dg.in_process_executor)
    definitions = dg.Definitions(assets=[stories], jobs=[job], resources={"world": world})

    result = definitions.resolve_job_def("only_second").execute_in_process(
        instance=instance, run_config={"ops": {"tell_stories": {"config": {"slugs": ["alpha"]}}}}
    )

    assert result.success
    assert world.asked == [("second", ["alpha"])]


def test_a_report_on_somebody_else_s_partition_is_refused_and_stored_nowhere(instance, world):
    @tenant_asset(group="stories", description="Reports on another tenant.")
    def intruder(run: TenantRun) -> StepReport:
        return StepReport(done={PartitionKey("outsider", TODAY): KeyReport(rows=1)})

    chain = tenant_chain("intrude", [intruder], keys=lambda run: [PartitionKey("alpha", TODAY)])
    result = dg.materialize([chain], instance=instance, raise_on_error=False)

    assert not result.success
    assert statuses(instance, "intruder") == {"alpha": FAILED}


def test_an_asset_keeps_its_columns_kinds_and_version():
    specs = {spec.key.to_user_string(): spec for spec in stories.specs}

    assert specs["first"].metadata["dagster/column_schema"] == dg.TableSchema([dg.TableColumn("id", "uuid")])
    assert specs["first"].kinds == {"postgres"}
    assert specs["third"].code_version == "7"
    assert [dep.asset_key for dep in specs["third"].deps] == [dg.AssetKey("second")]


def test_plain_metadata_becomes_dagster_s():
    at = datetime(2026, 11, 23, 6, 0, tzinfo=timezone(timedelta(hours=2)))

    assert to_dagster_metadata(
        {"a": 1, "b": "x", "c": None, "d": Markdown("**m**"), "e": Link("https://x.example"), "f": [1], "g": {"h": 2}}
    ) == {
        "a": 1,
        "b": "x",
        "d": dg.MetadataValue.md("**m**"),
        "e": dg.MetadataValue.url("https://x.example"),
        "f": dg.MetadataValue.json([1]),
        "g": dg.MetadataValue.json({"h": 2}),
    }
    assert to_dagster_metadata({"at": at, "on": date(2026, 11, 23)}) == {
        "at": dg.MetadataValue.timestamp(at),
        "on": "2026-11-23",
    }


def test_a_verdict_over_many_organizations_stays_readable():
    failed = {PartitionKey(f"org-{number:03}", YESTERDAY): ("first", "a\n|b") for number in range(250)}

    failure = verdict(failed, total=300)

    assert failure.description is not None
    assert "org-009 and 240 more" in failure.description
    assert failure.allow_retries is False
    table = str(failure.metadata["failed"].value).splitlines()
    assert len(table) == 2 + 200
    assert table[2] == f"| org-000 | {YESTERDAY} | first | a \\|b |"


def test_dagster_still_reads_a_planned_event_as_we_write_it(instance, world):
    """Fails when a new Dagster changes the semi-private event that `tenant_events.write_planned_events` writes."""
    world.crash = {"first": 9}
    run_batch(instance, "alpha")

    [run] = instance.get_runs()
    planned = [
        entry.dagster_event.event_specific_data
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
        if entry.dagster_event and entry.dagster_event.step_key == "tell_stories"
    ]
    ours = [each for each in planned if isinstance(each, AssetMaterializationPlannedData) and each.partition]
    assert [(each.asset_key, each.partition) for each in ours] == [(dg.AssetKey("first"), key("alpha", TODAY))] * 2
    assert statuses(instance, "first") == {"alpha": FAILED}


def houses_standing(instance: dg.DagsterInstance) -> dict[str, str]:
    found = instance.get_status_by_partition(dg.AssetKey("house"), list(SLUGS), organizations) or {}
    return {slug: status.value for slug, status in found.items() if status}


def test_an_asset_without_days_is_worked_on_per_organization(instance, world):
    world.broken = {"house": {"bravo"}}

    result = build_houses(instance, "alpha", "bravo")

    assert not result.success
    assert houses_standing(instance) == {"alpha": DONE, "bravo": FAILED}
    assert failure_of(result)[1].splitlines()[-1] == "| bravo |  | house | vendor said \\| no |"


def test_a_backfill_of_organizations_is_one_run(instance, world):
    first, last = sorted(SLUGS)[0], sorted(SLUGS)[2]
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}

    result = build_houses(instance, **tags)

    assert result.success
    assert houses_standing(instance) == dict.fromkeys(("alpha", "bravo", "charlie"), DONE)
    assert world.asked == [("house", ["alpha", "bravo", "charlie"])]
