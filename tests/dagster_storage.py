"""Dagster's own tables on the tests' Postgres, filled by Dagster itself: what its daemon would have left there."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.types import DaemonHeartbeat
from dagster_shared.error import SerializableErrorInfo
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.cli.installation import dagster_database
from draggonnb_pipelines.dagster_instance import PG_URL_VARIABLE, dagster_url
from draggonnb_pipelines.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
DAEMONS = ("SENSOR", "SCHEDULER", "QUEUED_RUN_COORDINATOR", "BACKFILL", "MONITORING")
_LOCATION = InProcessCodeLocationOrigin(
    LoadableTargetOrigin(executable_path="python", module_name="draggonnb_pipelines.definitions"),
    location_name="draggonnb",
)


class Storage:
    """What the daemon writes, with times of the test's choice (seconds ago)."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance

    def beat(self, *daemons: str, seconds_ago: float = 0) -> None:
        for daemon in daemons or DAEMONS:
            self.instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - seconds_ago, daemon, "one", []))

    def sensor(self, name: str, *, ticked_seconds_ago: float | None, status: TickStatus = TickStatus.SKIPPED) -> None:
        data = SensorInstigatorData(min_interval=5, last_sensor_start_timestamp=time.time() - 3600)
        at = None if ticked_seconds_ago is None else time.time() - ticked_seconds_ago
        self._switch_on(name, InstigatorType.SENSOR, data, at, status)

    def schedule(self, name: str, cron: str, *, ticked_at: float | None, since: float) -> None:
        data = ScheduleInstigatorData(cron, start_timestamp=since)
        self._switch_on(name, InstigatorType.SCHEDULE, data, ticked_at, TickStatus.SUCCESS)

    def _switch_on(
        self,
        name: str,
        kind: InstigatorType,
        data: SensorInstigatorData | ScheduleInstigatorData,
        ticked_at: float | None,
        status: TickStatus,
    ) -> None:
        origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(_LOCATION, "__repository__"), name)
        state = InstigatorState(origin, kind, InstigatorStatus.DECLARED_IN_CODE, data)
        self.instance.add_instigator_state(state)
        if ticked_at is None:
            return
        self.instance.create_tick(
            TickData(
                instigator_origin_id=origin.get_id(),
                instigator_name=name,
                instigator_type=kind,
                status=status,
                timestamp=ticked_at,
                selector_id=state.selector_id,
                run_ids=["a-run"] if status is TickStatus.SUCCESS else None,
                error=SerializableErrorInfo("broken", [], None) if status is TickStatus.FAILURE else None,
            )
        )


@contextmanager
def empty_database(server_dsn: str) -> Iterator[str]:
    """One for Dagster, by the URL that Dagster takes; dropped at the end."""
    name = f"test_dagster_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        conn.execute(SQL("create database {}").format(Identifier(name)))
    head, separator, query = server_dsn.partition("?")
    yield dagster_url(f"{head.rpartition('/')[0]}/{name}{separator}{query}")
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        conn.execute(SQL("drop database {} with (force)").format(Identifier(name)))


@contextmanager
def instance_on(url: str, logs: Path) -> Iterator[dg.DagsterInstance]:
    """The instance that `dagster.yaml` describes."""
    with _environment(url, logs), dg.DagsterInstance.from_config(str(ROOT)) as instance:
        yield instance


@contextmanager
def dagster_storage(settings: Settings, logs: Path) -> Iterator[Storage]:
    """Dagster's database beside this master, as an installation has it; dropped at the end."""
    with instance_on(dagster_database(settings), logs) as instance:
        yield Storage(instance)
    name = f"{conninfo_to_dict(settings.dsn)['dbname']}_dagster"
    with psycopg.connect(settings.dsn, autocommit=True) as conn:
        conn.execute(SQL("drop database if exists {} with (force)").format(Identifier(name)))


@contextmanager
def _environment(url: str, logs: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PG_URL_VARIABLE, url)
        patch.setenv("DRAGGONNB_DAGSTER_LOGS", str(logs))
        yield
