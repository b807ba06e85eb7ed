"""Dagster's database read without Dagster: what its own code wrote there is what we read."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from dagster._core.scheduler.instigation import TickStatus
from psycopg.conninfo import conninfo_to_dict

from draggonnb_pipelines.domain.ticks import DaemonReading
from draggonnb_pipelines.resources.dagster_readings import dagster_dsn, read_daemon
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.settings import Settings, load_settings
from tests.conftest import MASTER_KEYS
from tests.dagster_storage import DAEMONS, dagster_storage


@pytest.fixture
def settings(master_dsn: str) -> Settings:
    return load_settings(_env_file=None, master_dsn=master_dsn, master_keys=MASTER_KEYS, dagster_pg_url=None)


async def test_heartbeats_schedules_and_sensors_are_read_as_dagster_wrote_them(settings: Settings, tmp_path: Path):
    now = datetime.now(UTC)
    last_tick = now.replace(minute=0, second=0, microsecond=0)
    with dagster_storage(settings, tmp_path) as storage:
        storage.beat()
        storage.beat("SENSOR", seconds_ago=300)
        storage.sensor("lead_inbox", ticked_seconds_ago=4)
        storage.sensor("content_inbox", ticked_seconds_ago=4, status=TickStatus.FAILURE)
        since = time.time() - 7 * 86400
        storage.schedule("books_daily", "0 * * * *", ticked_at=last_tick.timestamp(), since=since)
        storage.schedule("prune_nightly", "0 * * * *", ticked_at=None, since=since)

        reading = await read_daemon(dagster_dsn(settings))

    assert set(reading.heartbeats) == set(DAEMONS)
    assert 300 <= reading.heartbeats["SENSOR"] < 310
    assert 0 <= reading.heartbeats["SCHEDULER"] < 10
    assert [age_line.rpartition(" for ")[0] for age_line in reading.faults()] == ["no heartbeat of SENSOR"]
    books, content, lead, prune = reading.instigators
    assert (books.name, books.cron, books.every, books.last_good) == ("books_daily", "0 * * * *", None, last_tick)
    assert (lead.name, lead.cron, lead.every) == ("lead_inbox", None, timedelta(seconds=5))
    assert lead.last_good is not None
    assert now - timedelta(seconds=5) < lead.last_good < now
    assert (content.name, content.last_good, prune.name, prune.last_good) == (
        *("content_inbox", None, "prune_nightly", None),
    )
    assert (content.is_late(now), lead.is_late(now), prune.is_late(now)) == (True, False, True)


async def test_the_age_of_a_heartbeat_does_not_hang_on_the_zone_of_the_session(settings: Settings, tmp_path: Path):
    name = conninfo_to_dict(settings.dsn)["dbname"]
    with dagster_storage(settings, tmp_path) as storage:
        with psycopg.connect(settings.dsn, autocommit=True) as conn:
            conn.execute(f"alter database {name}_dagster set timezone = 'Africa/Johannesburg'".encode())
        storage.instance.run_storage._engine.dispose()  # pyright: ignore[reportAttributeAccessIssue]
        storage.beat(seconds_ago=200)

        reading = await read_daemon(dagster_dsn(settings))

    assert {200 <= age < 215 for age in reading.heartbeats.values()} == {True}


async def test_a_database_without_dagsters_tables_is_an_empty_reading_and_a_missing_one_an_error(settings: Settings):
    assert await read_daemon(settings.dsn) == DaemonReading({}, ())
    with pytest.raises(psycopg.OperationalError):
        await read_daemon(dsn_for(settings.dsn, "there_is_no_such_database"))


def test_dagsters_database_is_the_one_that_is_set_or_the_one_beside_the_master(settings: Settings):
    own = settings.model_copy(update={"dagster_pg_url": "postgresql+psycopg2://me:pw@db:5432/elsewhere"})

    assert dagster_dsn(own) == "postgresql://me:pw@db:5432/elsewhere"
    name = conninfo_to_dict(settings.dsn)["dbname"]
    assert conninfo_to_dict(dagster_dsn(settings))["dbname"] == f"{name}_dagster"
