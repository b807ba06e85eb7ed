"""Backups and their drill as runs of Dagster: what they show, and how a failure looks."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from draggonnb_pipelines.definitions import build_defs
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.database_names import drop
from draggonnb_pipelines.schedules import backup_nightly, restore_drill_weekly
from tests.assets.dagster_work import checks_of, metadata, run_job
from tests.conftest import MASTER_KEYS, MakeOrganization
from tests.workflows.backup_work import rows


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, master_dsn: str, tmp_path: Path) -> None:
    """What `draggonnb up` gives to the processes of Dagster."""
    monkeypatch.setenv("DRAGGONNB_MASTER_DSN", master_dsn)
    monkeypatch.setenv("DRAGGONNB_MASTER_KEYS", MASTER_KEYS)
    monkeypatch.setenv("DRAGGONNB_STATE_DIR", str(tmp_path))


def made(make_organization: MakeOrganization, *slugs: str) -> list[Organization]:
    async def once() -> list[Organization]:
        return [await make_organization(slug) for slug in slugs]

    return asyncio.run(once())


def test_one_run_backs_everybody_up_and_the_drill_restores_it(
    instance: dg.DagsterInstance, make_organization: MakeOrganization
):
    made(make_organization, "draggonnb", "kloof-coffee")

    backed_up = run_job(instance, "back_up_databases")
    drilled = run_job(instance, "drill_restores")

    assert (backed_up.success, drilled.success) == (True, True)
    shown = metadata(instance, "tenant_backups")
    assert (shown["backed up"], shown["failed"]) == (3, 0)
    assert "| kloof-coffee |" in shown["databases"]
    shown = metadata(instance, "restore_drill")
    assert shown["restored databases"] == 3
    assert shown["recovery time (seconds)"] > 0
    assert shown["restored"].count("| equal |") == 3
    assert checks_of(drilled, "restore_drill_is_good") == {"None": True}


def test_a_database_that_cannot_be_backed_up_fails_the_run_after_all_others(
    instance: dg.DagsterInstance, master_dsn: str, make_organization: MakeOrganization
):
    away, _ = made(make_organization, "kloof-coffee", "outsider")
    asyncio.run(drop(master_dsn, str(away.database_name)))

    done = run_job(instance, "back_up_databases", raises=False)

    assert not done.success
    [failure] = [event for event in done.all_events if event.event_type_value == "STEP_FAILURE"]
    assert "1 of 3 databases were not backed up: kloof-coffee" in str(failure.message) + str(
        failure.step_failure_data.error
    )
    states = rows(master_dsn, "select state, count(*) as n from backups group by 1 order by 1")
    assert states == [{"state": "done", "n": 2}, {"state": "failed", "n": 1}]


def test_a_drill_that_finds_a_broken_file_fails_its_check_and_names_it(
    instance: dg.DagsterInstance, make_organization: MakeOrganization, tmp_path: Path
):
    made(make_organization, "kloof-coffee")
    run_job(instance, "back_up_databases")

    path = max((tmp_path / "backups").glob("kloof-coffee-2*.backup"))
    path.write_bytes(path.read_bytes()[:-1])

    drilled = run_job(instance, "drill_restores")

    assert checks_of(drilled, "restore_drill_is_good") == {"None": False}
    [verdict] = drilled.get_asset_check_evaluations()
    assert str(verdict.description).startswith("kloof-coffee: ")
    assert "is not as it was written" in str(verdict.description)


def test_both_run_by_the_clock_from_the_first_start():
    assert (backup_nightly.cron_schedule, restore_drill_weekly.cron_schedule) == ("30 0 * * *", "30 2 * * 0")
    for schedule in (backup_nightly, restore_drill_weekly):
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
        assert schedule.execution_timezone == "UTC"
        assert schedule in (build_defs().schedules or [])
