"""Dagster's own database, read without Dagster: which daemons beat, which schedules and sensors tick.

Lives here: where that database is, and one reading of it. Not here: what a reading means (`domain/ticks.py`), Dagster's
storage itself (`dagster_instance.py`).
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row

from draggonnb_pipelines.domain.ticks import DaemonReading, Instigator
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries

STORAGE = load_queries("dagster_storage")
CONNECT_TIMEOUT_SECONDS = 2
_SCHEME = re.compile(r"^postgres(?:ql)?(?:\+\w+)?://")


def dagster_dsn(settings: Settings) -> str:
    """The address of Dagster's database as psycopg takes it; where none is set, the one beside the master's."""
    if settings.dagster_pg_url:
        return _SCHEME.sub("postgresql://", settings.dagster_pg_url)
    return dsn_for(settings.dsn, f"{conninfo_to_dict(settings.dsn).get('dbname', 'draggonnb')}_dagster")


async def read_daemon(dsn: str) -> DaemonReading:
    """One reading; empty where Dagster has made no tables yet.

    Raises:
        psycopg.OperationalError: the server or the database does not answer.
    """
    conn = await psycopg.AsyncConnection[DictRow].connect(
        dsn, autocommit=True, row_factory=dict_row, connect_timeout=CONNECT_TIMEOUT_SECONDS
    )
    async with conn:
        try:
            beats = {row["daemon_type"]: row["age_seconds"] async for row in STORAGE.heartbeats(conn)}
            found = [_instigator(row) async for row in STORAGE.instigators(conn)]
        except psycopg.errors.UndefinedTable:
            return DaemonReading({}, ())
    return DaemonReading(beats, tuple(sorted(found, key=lambda one: one.name)))


def _instigator(row: Mapping[str, Any]) -> Instigator:
    """From the form in which Dagster 1.13 stores them, with its historical names."""
    body = json.loads(row["body"])
    data = body.get("job_specific_data") or {}
    cron = data.get("cron_schedule")
    since = data.get("start_timestamp") if cron else data.get("last_sensor_start_timestamp")
    return Instigator(
        name=body["origin"]["job_name"],
        cron=cron if isinstance(cron, str) else None,
        every=None if cron else timedelta(seconds=data.get("min_interval") or 30),
        since=_moment(since),
        last_good=_moment(row["last_good"]),
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
