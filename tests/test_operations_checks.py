"""The hourly look at the whole installation as Dagster runs it: its checks, failing checks, jobs that recover."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import psycopg
import pytest

from draggonnb_pipelines.assets.content_runs import CHECKS
from draggonnb_pipelines.definitions import build_defs
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.vendor_versions import LINKEDIN_VERSIONS
from draggonnb_pipelines.operations_checks import (
    CALLING,
    TOLD_OTHERWISE,
    failed_checks,
    recovered_jobs,
    versions_verdict_of,
)
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.settings import load_settings
from tests.assets.dagster_work import run_job
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox

FIVE = (
    "insert into inbox (organization_id, topic, source, delivery_id, received_at, not_before, raw_sealed)"
    " select id, 'leads', 'test', n::text, now() - interval '3 hours', now() - interval '3 hours', ''"
    " from organizations, generate_series(1, 5) n where slug = 'draggonnb'"
)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, master_dsn: str, sandbox: Sandbox) -> None:
    monkeypatch.setenv("DRAGGONNB_MASTER_DSN", master_dsn)
    monkeypatch.setenv("DRAGGONNB_MASTER_KEYS", MASTER_KEYS)
    monkeypatch.setenv("DRAGGONNB_SANDBOX_PORT", str(sandbox.port))


def execute(dsn: str, statement: str) -> list[Any]:
    with psycopg.connect(dsn, autocommit=True) as conn:
        cursor = conn.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def alerts_of(master_dsn: str, agency: Organization) -> list[tuple[str, bool]]:
    """The agency's alerts by subject, and whether each still stands."""
    assert agency.database_name
    dsn = dsn_for(master_dsn, agency.database_name)
    return execute(dsn, "select subject, acknowledged_at is null from alerts order by subject")


def verdicts(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {one.check_name: one.passed for one in result.get_asset_check_evaluations()}


def record_check(instance: dg.DagsterInstance, check: str, *, passed: bool) -> None:
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey("leads"),
            check_name=check,
            passed=passed,
            description=f"{check} says so",
        )
    )


def test_the_hours_job_checks_everything_and_calls_the_agency_for_what_stands_still(
    instance: dg.DagsterInstance, master_dsn: str, agency: Organization, outsider: Organization
) -> None:
    quiet = run_job(instance, "check_operations")
    execute(master_dsn, FIVE)

    found = run_job(instance, "check_operations")

    assert verdicts(quiet) == {"nothing_is_stuck": True, "vendor_versions_last": True}
    assert verdicts(found) == {"nothing_is_stuck": False, "vendor_versions_last": True}
    assert alerts_of(master_dsn, agency) == [("Stuck: 5 rows, inbox: received", True)]
    assert alerts_of(master_dsn, outsider) == []


@pytest.mark.parametrize(("days", "passed"), [(60, True), (59, False), (-1, False)])
def test_a_version_that_ends_is_told_sixty_days_ahead_with_its_setting(
    monkeypatch: pytest.MonkeyPatch, days: int, passed: bool
) -> None:
    monkeypatch.setenv("DRAGGONNB_LINKEDIN_VERSION", "202607")
    end = LINKEDIN_VERSIONS["202607"]
    now = datetime(end.year, end.month, end.day, tzinfo=UTC) - timedelta(days=days)

    verdict = versions_verdict_of(MasterQueries(), now)

    assert verdict.metadata["LinkedIn 202607"].value == str(date(2027, 7, 15))
    told = [part for part in str(verdict.description).split("; ") if part.startswith("LinkedIn")]
    assert told == ([] if passed else [part for part in told if "DRAGGONNB_LINKEDIN_VERSION" in part])
    assert bool(told) is not passed


def test_a_key_that_supabase_retires_is_told_though_the_rest_lives(
    monkeypatch: pytest.MonkeyPatch, master_dsn: str
) -> None:
    monkeypatch.setenv("DRAGGONNB_STORAGE_BASE_URL", "https://abcdefghijklmnopqrst.supabase.co/storage/v1")
    monkeypatch.setenv("DRAGGONNB_STORAGE_KEY", "eyJhbGciOiJIUzI1NiJ9.e30.signature")

    verdict = versions_verdict_of(MasterQueries(), datetime(2026, 11, 23, tzinfo=UTC))

    assert verdict.passed is False
    assert str(verdict.description) == (
        "Supabase legacy key ends on 2026-12-31, in 38 days: set DRAGGONNB_STORAGE_KEY to a key that begins with "
        "sb_secret_"
    )
    assert "signature" not in str(verdict.metadata)


def test_only_calling_checks_whose_last_verdict_is_bad_count_as_failing(instance: dg.DagsterInstance) -> None:
    record_check(instance, "no_dead_deliveries", passed=False)
    record_check(instance, "inbox_is_fresh", passed=False)
    record_check(instance, "inbox_is_fresh", passed=True)
    record_check(instance, "nothing_is_stuck", passed=False)

    found = failed_checks(instance)

    assert [(one.asset, one.check, one.description) for one in found] == [
        ("leads", "no_dead_deliveries", "no_dead_deliveries says so")
    ]
    assert abs(found[0].failed_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_of_every_check_over_all_clients_it_is_decided_whether_it_calls_the_operators() -> None:
    one_client_each = {"three_quick_wins", "books_agree", *(name for names in CHECKS.values() for name in names)}
    graph = build_defs().get_repository_def().asset_graph

    over_all = {
        (key.asset_key.to_user_string(), key.name)
        for key in graph.asset_check_keys
        if key.name not in one_client_each | TOLD_OTHERWISE
    }

    assert over_all == {(asset, name) for asset, names in CALLING.items() for name in names}


def test_the_operators_hear_of_a_failing_check_and_its_alert_closes_when_it_passes(
    instance: dg.DagsterInstance, master_dsn: str, agency: Organization, outsider: Organization
) -> None:
    record_check(instance, "no_dead_deliveries", passed=False)
    run_job(instance, "tell_operators")
    standing = alerts_of(master_dsn, agency)

    record_check(instance, "no_dead_deliveries", passed=True)
    run_job(instance, "tell_operators")

    assert standing == [("A check fails: no_dead_deliveries", True)]
    assert alerts_of(master_dsn, agency) == [("A check fails: no_dead_deliveries", False)]
    assert alerts_of(master_dsn, outsider) == []


def test_a_failed_run_is_told_by_its_config_and_closed_after_a_run_that_succeeds(
    instance: dg.DagsterInstance, master_dsn: str, agency: Organization
) -> None:
    trouble = {
        "failed_job": "check_operations",
        "run_id": "run-1",
        "cause": "step/Failure",
        "reason": "it failed",
        "failed_at": "2026-11-23T08:00:00+00:00",
    }
    config = {"ops": {"call_operators": {"config": trouble}}}
    run_job(instance, "tell_operators", run_config=json.loads(json.dumps(config)))
    standing = alerts_of(master_dsn, agency)

    run_job(instance, "check_operations")
    run_job(instance, "tell_operators")

    assert standing == [("A run failed: check_operations", True)]
    assert alerts_of(master_dsn, agency) == [("A run failed: check_operations", False)]


def test_a_job_has_recovered_when_its_last_finished_run_succeeded(instance: dg.DagsterInstance) -> None:
    @dg.op(config_schema={"fails": bool})
    def work(context: dg.OpExecutionContext) -> None:
        if context.op_config["fails"]:
            raise dg.Failure("as told")

    @dg.job(name="one")
    def one() -> None:
        work()

    @dg.job(name="two")
    def two() -> None:
        work()

    def run(job: dg.JobDefinition, *, fails: bool) -> None:
        config = {"ops": {"work": {"config": {"fails": fails}}}}
        job.execute_in_process(instance=instance, raise_on_error=False, run_config=config)

    run(one, fails=True)
    run(one, fails=False)
    run(two, fails=False)
    run(two, fails=True)

    assert recovered_jobs(instance, ["one", "two", "three"]) == {"one"}


def test_what_ships_needs_no_setting_to_pass() -> None:
    settings = load_settings(_env_file=None)

    assert settings.linkedin_version in LINKEDIN_VERSIONS
