"""The nightly job and the check as Dagster runs them, on real databases."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from draggonnb_pipelines.definitions import build_defs
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import dsn_for
from tests.conftest import MASTER_KEYS

OLD = (
    "insert into alerts (event_key, event, subject, acknowledged_by, acknowledged_at)"
    " select 'alert:' || n, 'publish_failed', 'Late.', 'somebody', now() - make_interval(days => n)"
    " from unnest(array[403, 399]) as n"
)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, master_dsn: str, tmp_path: Path) -> None:
    monkeypatch.setenv("DRAGGONNB_MASTER_DSN", master_dsn)
    monkeypatch.setenv("DRAGGONNB_MASTER_KEYS", MASTER_KEYS)
    monkeypatch.setenv("DRAGGONNB_STATE_DIR", str(tmp_path))


def run(job: str, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Off the loop of the test, as a run has a loop of its own."""
    return build_defs().resolve_job_def(job).execute_in_process(instance=instance)


async def test_the_check_fails_until_the_job_has_run_and_only_what_is_old_goes(
    instance: dg.DagsterInstance, agency: Organization, outsider: Organization, master_dsn: str
):
    assert agency.database_name is not None
    with psycopg.connect(dsn_for(master_dsn, agency.database_name), autocommit=True) as conn:
        conn.execute(OLD)

        before = await asyncio.to_thread(run, "check_retention", instance)
        night = await asyncio.to_thread(run, "keep_retention", instance)
        after = await asyncio.to_thread(run, "check_retention", instance)

        assert conn.execute("select event_key from alerts").fetchall() == [("alert:399",)]
    [failed], [passed] = before.get_asset_check_evaluations(), after.get_asset_check_evaluations()
    assert (failed.passed, passed.passed) == (False, True)
    assert failed.severity is dg.AssetCheckSeverity.WARN
    [output] = [event for event in night.all_events if event.is_successful_output]
    metadata = output.step_output_data.metadata
    assert [metadata[name].value for name in ("rows", "persons", "exports")] == [1, 0, 0]
    assert "| tenant.alerts: alerts that were answered | 1 |" in str(metadata["deleted"].value)
