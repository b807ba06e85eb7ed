"""A run's lock in Dagster's database, held by real processes: who may execute it, and who knows that it is gone."""

import contextlib
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.dagster_run import DagsterRun

from draggonnb_pipelines.dagster_instance import libpq_url
from draggonnb_pipelines.warm_workers import launcher as launchers
from draggonnb_pipelines.warm_workers.launcher import WarmRunLauncher
from draggonnb_pipelines.warm_workers.life import connect, is_alive, sole_execution
from tests.dagster_storage import ROOT

END_HOLDERS = """
select pg_terminate_backend(pid) from pg_locks
where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
"""


@dg.op
def nothing() -> None:
    pass


@dg.job
def idle() -> None:
    nothing()


@pytest.fixture
def launcher(instance: dg.DagsterInstance, tmp_path: Path) -> WarmRunLauncher:
    made = WarmRunLauncher(f"filesystem://{tmp_path / 'broker'}")
    made.register_instance(instance)
    return made


@contextlib.contextmanager
def holder(dagster_pg_url: str, run_id: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.warm_workers.lock_holder", dagster_pg_url, run_id]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def started(instance: dg.DagsterInstance) -> DagsterRun:
    run = instance.create_run_for_job(idle, status=dg.DagsterRunStatus.STARTED)
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_run_is_executed_by_one_process_and_another_run_is_not_in_its_way(
    instance: dg.DagsterInstance, dagster_pg_url: str
):
    run_id, other = str(uuid.uuid4()), str(uuid.uuid4())

    with (
        holder(dagster_pg_url, run_id),
        sole_execution(dagster_pg_url, run_id) as is_ours,
        sole_execution(dagster_pg_url, other) as other_is_ours,
    ):
        alive = [is_alive(instance, run_id), is_alive(instance, other)]

    assert (is_ours, other_is_ours, alive) == (False, True, [True, True])
    assert is_alive(instance, other) is False


def test_the_server_looks_after_half_a_minute_whether_a_silent_holder_is_still_there(dagster_pg_url: str):
    # Of the session, since over a Unix socket the server answers `show` with 0.
    asked = "select name, reset_val from pg_settings where name ~ '^tcp_' and source = 'client' order by name"

    with connect(libpq_url(dagster_pg_url)) as conn:
        told = dict(conn.execute(asked).fetchall())

    idle, interval, count = (int(told[f"tcp_keepalives_{name}"]) for name in ("idle", "interval", "count"))
    assert idle + interval * count <= 30
    assert told["tcp_user_timeout"] == "20000"


def test_a_process_that_is_killed_holds_its_run_no_longer(instance: dg.DagsterInstance, dagster_pg_url: str):
    run_id = str(uuid.uuid4())

    with holder(dagster_pg_url, run_id) as process:
        process.kill()
        process.wait()
        wait_until(lambda: not is_alive(instance, run_id))
        with sole_execution(dagster_pg_url, run_id) as is_ours:
            pass

    assert is_ours is True


def test_a_run_that_no_worker_took_says_where_to_look(instance: dg.DagsterInstance, launcher: WarmRunLauncher):
    waiting = instance.create_run_for_job(idle, status=dg.DagsterRunStatus.STARTING)

    told = launcher.get_run_worker_debug_info(waiting)

    assert told is not None
    assert ("draggonnb-worker" in told, "DRAGGONNB_CELERY_BROKER" in told) == (True, True)
    assert launcher.get_run_worker_debug_info(started(instance)) is None


def test_a_run_whose_process_is_gone_has_failed_at_the_second_look(
    instance: dg.DagsterInstance, dagster_pg_url: str, launcher: WarmRunLauncher, monkeypatch: pytest.MonkeyPatch
):
    clock = [1000.0]
    monkeypatch.setattr(launchers.time, "monotonic", lambda: clock[0])
    run = started(instance)
    with sole_execution(dagster_pg_url, run.run_id):
        healthy = launcher.check_run_worker_health(run).status
    wait_until(lambda: not is_alive(instance, run.run_id))  # the server ends a session a moment after its client

    looks = []
    for _ in range(2):
        looks.append(launcher.check_run_worker_health(run).status)
        clock[0] += 10

    assert healthy is WorkerStatus.RUNNING
    assert looks == [WorkerStatus.RUNNING, WorkerStatus.FAILED]


def test_a_restart_of_the_database_between_two_looks_fails_no_run(
    instance: dg.DagsterInstance, dagster_pg_url: str, launcher: WarmRunLauncher
):
    run = started(instance)

    with holder(dagster_pg_url, run.run_id):
        with psycopg.connect(libpq_url(dagster_pg_url), autocommit=True) as conn:
            conn.execute(END_HOLDERS)
        first = launcher.check_run_worker_health(run).status
        wait_until(lambda: is_alive(instance, run.run_id))
        second = launcher.check_run_worker_health(run).status

    assert (first, second) == (WorkerStatus.RUNNING, WorkerStatus.RUNNING)


def test_a_run_that_is_terminated_is_interrupted_where_it_is(
    instance: dg.DagsterInstance, dagster_pg_url: str, launcher: WarmRunLauncher
):
    run = started(instance)

    with holder(dagster_pg_url, run.run_id) as process:
        was_told = launcher.terminate(run.run_id)
        said, _ = process.communicate(timeout=20)

    after = instance.get_run_by_id(run.run_id)
    assert after is not None
    assert (was_told, said, after.status) == (True, "interrupted\n", dg.DagsterRunStatus.CANCELING)


def test_a_run_that_others_took_for_dead_ends_where_it_is(instance: dg.DagsterInstance, dagster_pg_url: str):
    run = started(instance)

    with holder(dagster_pg_url, run.run_id) as process:
        instance.report_run_failed(run)
        said, _ = process.communicate(timeout=20)

    assert said == "interrupted\n"


def test_a_run_that_has_ended_or_never_was_cannot_be_terminated(
    instance: dg.DagsterInstance, launcher: WarmRunLauncher
):
    run = instance.create_run_for_job(idle, status=dg.DagsterRunStatus.SUCCESS)

    assert launcher.terminate(run.run_id) is False
    assert launcher.terminate(str(uuid.uuid4())) is False
    after = instance.get_run_by_id(run.run_id)
    assert after is not None
    assert after.status is dg.DagsterRunStatus.SUCCESS
