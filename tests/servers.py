"""Servers for tests: the embedded Postgres, in memory where the machine has room.

ext4 gives no inode number again for seconds after its file is gone, and searches for another one meanwhile. Tests make
and drop some hundred thousand files: on such a disk two thirds of a run were that search.

Each run has servers of its own: two runs at once, even of two containers that share their memory, do not meet.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
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
    """The DSN of a server of this process's own, without a database name; its files go when it ends."""
    with _folder(f"draggonnb-{name}-{os.getuid()}") as folder, embedded_server(folder) as dsn:
        with psycopg.connect(dsn, autocommit=True) as conn:
            for setting, value in HASTE.items():
                conn.execute(f"alter system set {setting} = '{value}'".encode())
            conn.execute("select pg_reload_conf()")
        yield dsn


@contextlib.contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    """A new folder, locked while it is used; those of killed runs are removed first: nobody holds their locks.

    A server that such a run left behind ends by itself within a minute: Postgres looks whether its files still exist.
    """
    root = MEMORY if _has_room() else DISK
    with contextlib.ExitStack() as holding:
        with _locked(root / f"{prefix}.lock"):
            for left in root.glob(f"{prefix}-*"):
                with contextlib.suppress(BlockingIOError), _locked(left / "held", fcntl.LOCK_NB):
                    shutil.rmtree(left, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=root))
            folder.chmod(0o755)  # run by root, the server has a user of its own
            holding.enter_context(_locked(folder / "held"))
        holding.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


@contextlib.contextmanager
def _locked(path: Path, flags: int = 0) -> Iterator[None]:
    """Raises BlockingIOError: somebody else has it, and `flags` say not to wait."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | flags)
        yield


@contextlib.contextmanager
def database_down(server_dsn: str, dsn: str) -> Iterator[None]:
    """Nobody can connect to the database of this DSN, and whoever was connected no longer is."""
    name = str(conninfo_to_dict(dsn)["dbname"])
    allow = SQL("alter database {} with allow_connections {}")
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        conn.execute(allow.format(Identifier(name), SQL("false")))
        conn.execute("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", (name,))
        try:
            yield
        finally:
            conn.execute(allow.format(Identifier(name), SQL("true")))


@contextlib.contextmanager
def clock_behind(dsn: str, *, seconds: int) -> Iterator[None]:
    """New sessions in the database of this DSN are told an earlier time by whatever asks for it."""
    name = Identifier(str(conninfo_to_dict(dsn)["dbname"]))
    earlier = "create function behind.clock_timestamp() returns timestamptz language sql as $$ select {} $$"
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("create schema behind")
        conn.execute(SQL(earlier.format(f"pg_catalog.clock_timestamp() - interval '{seconds} s'")))  # pyright: ignore[reportArgumentType]
        conn.execute(SQL("alter database {} set search_path = behind, pg_catalog, public").format(name))
        try:
            yield
        finally:
            conn.execute(SQL("alter database {} reset search_path").format(name))
            conn.execute("drop schema behind cascade")


def _has_room() -> bool:
    return os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES
