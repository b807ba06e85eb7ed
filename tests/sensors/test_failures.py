"""What happens after a run failed: its rows are free, the audit says so, and the operators are asked for once a day."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import dagster as dg
import psycopg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.sensors.failures import failed_runs
from tests.conftest import MASTER_KEYS


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, master_dsn: str) -> None:
    monkeypatch.setenv("DRAGGONNB_MASTER_DSN", master_dsn)
    monkeypatch.setenv("DRAGGONNB_MASTER_KEYS", MASTER_KEYS)


def failing_job(name: str, error: Exception) -> dg.JobDefinition:
    @dg.op(name="work_through_leads")
    def work() -> None:
        raise error

    @dg.job(name=name)
    def job() -> None:
        work()

    return job


def fail(instance: dg.DagsterInstance, job: dg.JobDefinition) -> dg.ExecuteInProcessResult:
    return job.execute_in_process(instance=instance, raise_on_error=False)


def react(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> dg.RunRequest | None:
    """What the sensor asks for after this run."""
    [failure] = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
    with dg.build_run_status_sensor_context(
        sensor_name="failed_runs",
        dagster_event=failure,
        dagster_instance=instance,
        dagster_run=result.dagster_run,
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
    assert request.run_key == f"failed:qualify_leads:work_through_leads/RuntimeError:{trouble['failed_at'][:10]}"
    assert "thandi" not in str(request.run_config)
    [(resource, metadata)] = audited(master_dsn)
    assert resource == f"run:{result.run_id}"
    assert (metadata["job"], metadata["released"]) == ("qualify_leads", 1)


def test_a_flood_of_one_cause_asks_once_a_day_and_another_cause_asks_by_itself(
    instance: dg.DagsterInstance, master_dsn: str
) -> None:
    job = failing_job("qualify_leads", RuntimeError("no"))
    first = react(instance, fail(instance, job))
    assert first is not None
    instance.create_run_for_job(
        failing_job("tell_operators", RuntimeError()), tags={"dagster/run_key": first.run_key or ""}
    )

    second = react(instance, fail(instance, job))
    other = react(instance, fail(instance, failing_job("qualify_leads", ValueError("no"))))

    assert second is None
    assert other is not None
    assert "ValueError" in str(other.run_key)
    assert len(audited(master_dsn)) == 3


def test_the_failure_of_whoever_tells_asks_for_nobody(instance: dg.DagsterInstance, master_dsn: str) -> None:
    request = react(instance, fail(instance, failing_job("tell_operators", RuntimeError("no"))))

    assert request is None
    assert len(audited(master_dsn)) == 1
