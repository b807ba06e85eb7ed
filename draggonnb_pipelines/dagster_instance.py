"""Dagster's own storage: its tables in Postgres, over pooled connections.

Lives here: the storage class that `dagster.yaml` names, and the form of its URL.
Does not live here: our own databases (`resources/postgres.py`), the choice where Dagster's database is (the CLI), and
what keeps it small (`event_retention.py`).
"""

import re
from collections.abc import Mapping
from typing import Any, Self

import psycopg2
from dagster import Field, IntSource, StringSource
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from sqlalchemy.event import listen
from sqlalchemy.exc import DisconnectionError

from draggonnb_pipelines.errors import OperatorError

PG_URL_VARIABLE = "DRAGGONNB_DAGSTER_PG_URL"
LOGS_VARIABLE = "DRAGGONNB_DAGSTER_LOGS"
# Which places of `dagster.yaml` a run takes: there are few for what may take minutes, and few for what came in, so that
# one is left whenever a post is due. The tag's value says what it is.
LONG = "draggonnb/long"
INCOMING = "draggonnb/incoming"
_SCHEME = re.compile(r"^postgres(?:ql)?(?:\+\w+)?://")


def dagster_url(dsn: str) -> str:
    """The URL in the only form with which Dagster works.

    SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg 3, and then every event write fails on its NOTIFY.
    """
    if not _SCHEME.match(dsn):
        raise OperatorError(
            "The address of Dagster's database is not a postgresql:// URL.",
            remedy=f"Set {PG_URL_VARIABLE} to postgresql+psycopg2://user:password@host:5432/database",
        )
    return _SCHEME.sub("postgresql+psycopg2://", dsn)


def libpq_url(url: str) -> str:
    """The same address in the form that psycopg and psql take."""
    return _SCHEME.sub("postgresql://", dagster_url(url))


class PooledPostgresStorage(DagsterPostgresStorage):
    """Dagster's Postgres storage, whose connections stay open: an event costs 1.7 ms instead of 7.

    Dagster opens a connection per statement and pools only in its web server; its daemon, its code server and its
    runs gain the same. Each process holds up to three connections when idle (one per storage).
    """

    def __init__(self, url: str, *, statement_timeout_seconds: int, inst_data: ConfigurableClassData | None) -> None:
        super().__init__(dagster_url(url), inst_data=inst_data)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage.optimize_for_webserver(
                statement_timeout=statement_timeout_seconds * 1000, pool_recycle=3600, max_overflow=10
            )
            listen(storage._engine, "checkout", _refuse_dead_connection)

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        return {
            "postgres_url": Field(StringSource),
            "statement_timeout_seconds": Field(IntSource, default_value=60, is_required=False),
        }

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        return cls(
            config_value["postgres_url"],
            statement_timeout_seconds=config_value["statement_timeout_seconds"],
            inst_data=inst_data,
        )


def _refuse_dead_connection(connection: Any, _record: Any, _proxy: Any) -> None:
    """A pooled connection that died (Postgres restarted, a firewall forgot it) is replaced before it is used.

    Without this the first statement of every storage fails after a restart of the database, in a run too.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as dead:
        raise DisconnectionError from dead
