"""How a run in a warm worker shows that it lives: an advisory lock in Dagster's database, named after the run.

As in the master for what publishes (`workflows/publishing/agenda.py`), so here for every run: a process that is killed
loses its connection and with it the lock, whoever else of its worker is left, and no clock is asked. The lock also
makes one execution of a task that the broker delivered twice. Dagster's URL must lead to Postgres itself or to a pooler
in session mode.
"""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from dagster import DagsterInstance, DagsterRunStatus
from sqlalchemy import text

from draggonnb_pipelines.dagster_instance import libpq_url
from draggonnb_pipelines.resources.postgres import KEEPALIVES, SERVER_KEEPALIVES

LOOK_SECONDS = 2.0
CONNECT_SECONDS = 3
_TAKE = "select pg_try_advisory_lock(hashtextextended(%s, 58))"
_STATUS = "select status from runs where run_id = %s"
_HELD = """
select exists (
    select from pg_locks
    where locktype = 'advisory' and granted and objsubid = 1
      and database = (select oid from pg_database where datname = current_database())
      and (classid::bigint << 32) | objid::bigint = hashtextextended(:run_id, 58)
)
"""
# Said by others than this process: a person, or the daemon that took it for dead.
_ENDED_ELSEWHERE = frozenset({DagsterRunStatus.FAILURE.value, DagsterRunStatus.CANCELED.value, None})
log = logging.getLogger(__name__)


def is_alive(instance: DagsterInstance, run_id: str) -> bool:
    """Whether a process holds this run's lock just now."""
    with instance.run_storage.connect() as conn:  # pyright: ignore[reportAttributeAccessIssue]
        return conn.execute(text(_HELD), {"run_id": run_id}).scalar()


@contextmanager
def sole_execution(postgres_url: str, run_id: str) -> Iterator[bool]:
    """Hold the run's lock, and end the run by Dagster's interrupt when its row says that it shall or did end.

    Yields:
        False where another process holds it: then nothing may be done.
    """
    dsn = libpq_url(postgres_url)
    conn = connect(dsn)
    if not _take(conn, run_id):
        conn.close()
        yield False
        return
    is_done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(dsn, conn, run_id, is_done), name="run life", daemon=True)
    keeper.start()
    try:
        yield True
    finally:
        is_done.set()
        keeper.join()


def connect(dsn: str) -> psycopg.Connection:
    """One of whose end both sides know within half a minute, also where the other machine has vanished."""
    return psycopg.connect(
        dsn,
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        options=SERVER_KEEPALIVES,
        **KEEPALIVES,
    )


def _take(conn: psycopg.Connection, run_id: str) -> bool:
    row = conn.execute(_TAKE, (run_id,)).fetchone()
    return bool(row and row[0])


def _keep(dsn: str, conn: psycopg.Connection, run_id: str, is_done: threading.Event) -> None:
    """Look after the lock until the run is done; taken again where the database was restarted meanwhile."""
    said_ended = is_interrupted = False
    while not is_done.wait(LOOK_SECONDS):
        try:
            if conn.closed:
                conn = connect(dsn)
                if not _take(conn, run_id):
                    conn.close()
                    continue
            row = conn.execute(_STATUS, (run_id,)).fetchone()
        except psycopg.Error as error:
            log.warning("the lock of run %s was lost and is taken again: %s", run_id, type(error).__name__)
            with suppress(psycopg.Error):
                conn.close()
            continue
        status = row[0] if row else None
        # Twice, since a run that failed by itself has said so a moment before it is done.
        shall_end = status == DagsterRunStatus.CANCELING.value or (status in _ENDED_ELSEWHERE and said_ended)
        if shall_end and not is_interrupted:
            is_interrupted = True
            log.warning("run %s is %s and ends here", run_id, status)
            os.kill(os.getpid(), signal.SIGINT)
        said_ended = status in _ENDED_ELSEWHERE
    conn.close()
