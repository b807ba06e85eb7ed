"""Servers for tests: the embedded Postgres, in memory where the machine has room.

ext4 gives no inode number again for seconds after its file is gone, and searches for another one meanwhile. Tests make
and drop some hundred thousand files: on such a disk two thirds of a run were that search.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.resources.embedded_postgres import embedded_server

MEMORY, DISK = Path("/dev/shm"), Path("/var/tmp")
ROOM_BYTES = 6 * 2**30
# Databases come and go by the hundred here, and none needs to survive the machine's power.
HASTE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_wal_size": "256MB"}


@contextlib.contextmanager
def hasty_server(name: str) -> Iterator[str]:
    """The DSN of a server for this worker, without a database name; in memory its files go when nobody uses it."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    root = MEMORY if _has_room() else DISK
    folder = root / f"draggonnb-{name}-{os.getuid()}-{worker}"
    with embedded_server(folder) as dsn:
        with psycopg.connect(dsn, autocommit=True) as conn:
            for setting, value in HASTE.items():
                conn.execute(f"alter system set {setting} = '{value}'".encode())
            conn.execute("select pg_reload_conf()")
        yield dsn
    if root == MEMORY and not (folder / "pg" / "postmaster.pid").exists():
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def database_down(server_dsn: str, dsn: str) -> Iterator[None]:
    """Nobody can connect to the database of this DSN, and whoever was connected no longer is."""
    name = str(conninfo_to_dict(dsn)["dbname"])
    allow = SQL("alter database {} with allow_connections {}")
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        conn.execute(allow.format(Identifier(name), SQL("false")))
        conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
        try:
            yield
        finally:
            conn.execute(allow.format(Identifier(name), SQL("true")))


def _has_room() -> bool:
    return os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES
