"""What happens after a run failed: its rows are free, the audit says so, the operators are asked for once an hour."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import dagster as dg
import psycopg
import pytest
from dagster._core.events import JobFailureData, RunFailureReason

from draggonnb_pipelines.domain import usage
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.sensors.failures import failed_runs
from draggonnb_pipelines.tenant_events import verdict
from draggonnb_pipelines.workflows import ai_budgets
from tests.conftest import MASTER_KEYS


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, master_dsn: str) -> None:
    monkeypatch.setenv("DRAGGONNB_MASTER_DSN", master_dsn)
    monkeypatch.setenv("DRAGGONNB_MASTER_KEYS", MASTER_KEYS)


def failing_job(name: str, error: Exception | Callable[[], object]) -> dg.JobDefinition:
    @dg.op(name="work_through_leads")
    def work() -> None:
        if isinstance(error, Exception):
            raise error
        error()

    @dg.job(name=name)
    def job() -> None:
        work()

    return job


def fail(instance: dg.DagsterInstance, job: dg.JobDefinition) -> dg.ExecuteInProcessResult:
    return job.execute_in_process(instance=instance, raise_on_error=False)


def react(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> dg.RunRequest | None:
    """What the sensor asks for after this run."""
    [failure] = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
    return react_to(instance, result.dagster_run, failure)


def react_to(instance: dg.DagsterInstance, run: dg.DagsterRun, failure: dg.DagsterEvent) -> dg.RunRequest | None:
    with dg.build_run_status_sensor_context(
        sensor_name="failed_runs",
        dagster_event=failure,
        dagster_instance=instance,
        dagster_run=run,
        resources={"master": MasterQueries()},
    ) as context:
        answer: Any = failed_runs(context.for_run_failure())
    return answer


def audited(master_dsn: str) -> list[Any]:
    with psycopg.connect(master_dsn) as conn:
        return conn.execute(
            "select resource, metadata from audit_log where action = 'run.failed' order by id"
        ).fetchall()


def test_a_failed_run_gives_its_rows_back_and_asks_for_the_operators(
    instance: dg.DagsterInstance, master_dsn: str, agency: Organization
) -> None:
    result = fail(instance, failing_job("qualify_leads", RuntimeError("the row of thandi@kloof.example broke it")))
    with psycopg.connect(master_dsn, autocommit=True) as conn:
        conn.execute(
            "insert into inbox (organization_id, topic, source, delivery_id, raw_sealed, state, batch_id, run_id,"
            " lease_until) values (%s, 'leads', 'test', 'd', '', 'claimed', %s, %s, now() + interval '1 minute')",
            [agency.id, uuid4(), result.run_id],
        )

        request = react(instance, result)

        assert conn.execute("select state, lease_until from inbox").fetchall() == [("received", None)]
    assert request is not None
    trouble = request.run_config["ops"]["call_operators"]["config"]
    assert trouble["failed_job"] == "qualify_leads"
    assert trouble["run_id"] == result.run_id
    assert trouble["cause"] == "work_through_leads/RuntimeError"
    assert request.run_key == f"failed:qualify_leads:work_through_leads/RuntimeError:{trouble['failed_at'][:13]}"
    assert "thandi" not in str(request.run_config)
    [(resource, metadata)] = audited(master_dsn)
    assert resource == f"run:{result.run_id}"
    assert (metadata["job"], metadata["released"]) == ("qualify_leads", 1)


ENDED = datetime(2026, 11, 23, 10, 5, tzinfo=UTC)


def fail_at(instance: dg.DagsterInstance, error: Exception, **since: float) -> dg.RunRequest | None:
    """What the sensor asks for after a run that failed that much later; Dagster starts it."""
    result = fail(instance, failing_job("qualify_leads", error))
    [failure] = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
    instance.run_storage.handle_run_event(result.run_id, failure, ENDED + timedelta(**since))
    request = react(instance, result)
    if request is not None:
        tags = {"dagster/run_key": str(request.run_key)}
        instance.create_run_for_job(failing_job("tell_operators", RuntimeError()), tags=tags)
    return request


def test_a_flood_of_one_cause_asks_once_an_hour_and_another_cause_asks_by_itself(
    instance: dg.DagsterInstance, master_dsn: str
) -> None:
    asked = [fail_at(instance, RuntimeError("no"), minutes=minutes) for minutes in (0, 15, 30, 45)]
    other = fail_at(instance, ValueError("no"), minutes=45)

    assert [request is not None for request in asked] == [True, False, False, False]
    assert other is not None
    assert "ValueError" in str(other.run_key)
    assert len(audited(master_dsn)) == 5


def test_a_job_that_fails_again_hours_later_on_the_same_day_asks_again(
    instance: dg.DagsterInstance, master_dsn: str
) -> None:
    asked = [fail_at(instance, RuntimeError("no"), hours=hours) for hours in (0, 2, 6)]

    assert [str(request and request.run_key) for request in asked] == [
        f"failed:qualify_leads:work_through_leads/RuntimeError:2026-11-23T{hour}" for hour in (10, 12, 16)
    ]


def test_the_failure_of_whoever_tells_asks_for_nobody(instance: dg.DagsterInstance, master_dsn: str) -> None:
    request = react(instance, fail(instance, failing_job("tell_operators", RuntimeError("no"))))

    assert request is None
    assert len(audited(master_dsn)) == 1


def lost_connection(where: str) -> Callable[[], object]:
    def lose() -> object:
        try:
            raise psycopg.OperationalError(where)
        except psycopg.OperationalError as gone:
            raise RuntimeError("no answer") from gone

    return lose


def nothing_of(function: Any) -> Callable[[], object]:
    return lambda: function(None)


STOPPED = {PartitionKey("kloof-coffee"): ("lead_analyses", "Thandi's site"), PartitionKey("b"): ("leads", "no")}


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (nothing_of(usage.month_of), "AttributeError in usage.month_of"),
        (nothing_of(ai_budgets.month_of), "AttributeError in ai_budgets.month_of"),
        (VendorError("claude", ErrorClass.AUTH, "the key of Thandi"), "VendorError claude auth"),
        (VendorError("whatsapp", ErrorClass.AUTH, "no"), "VendorError whatsapp auth"),
        (lost_connection("leads"), "RuntimeError of OperationalError"),
        (lost_connection("posts"), "RuntimeError of OperationalError"),
        (verdict(STOPPED, total=3), "Failure/lead_analyses,leads"),
    ],
)
def test_a_cause_names_step_fault_and_place_and_quotes_nobody(
    instance: dg.DagsterInstance, master_dsn: str, fault: Exception | Callable[[], object], cause: str
) -> None:
    request = react(instance, fail(instance, failing_job("qualify_leads", fault)))

    assert request is not None
    trouble = request.run_config["ops"]["call_operators"]["config"]
    assert trouble["cause"] == f"work_through_leads/{cause}"
    assert "Thandi" not in str(request.run_config)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (None, "the run itself"),
        (JobFailureData(error=None, failure_reason=RunFailureReason.RUN_EXCEPTION), "the run itself/run_exception"),
    ],
)
def test_a_run_that_died_without_a_step_has_dagsters_word_for_its_cause(
    instance: dg.DagsterInstance, master_dsn: str, data: JobFailureData | None, cause: str
) -> None:
    run = instance.create_run_for_job(failing_job("qualify_leads", RuntimeError()))
    failure = instance.report_run_failed(run, "its process is gone", data)

    request = react_to(instance, run, failure)

    assert request is not None
    assert request.run_config["ops"]["call_operators"]["config"]["cause"] == cause
