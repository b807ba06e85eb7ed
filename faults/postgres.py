"""The scene's Postgres server: its own process, its start after a crash, a client's database on a disk of its own.

Not here: who cannot reach it (`database.py`).
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg.sql import SQL, Identifier, Literal

from draggonnb_pipelines.resources.postgres import dsn_for
from tests.servers import database_down

START_SECONDS = 60
START = """
import pathlib, sys
from draggonnb_pipelines.resources.embedded_postgres import embedded_server
with embedded_server(pathlib.Path(sys.argv[1]), keep_running=True):
    pass
"""


@dataclass(frozen=True)
class Postgres:
    """The embedded server in `folder`; `dsn` leads to a database that is none of ours."""

    folder: Path
    dsn: str

    def process(self) -> psutil.Process:
        """Its first process, which the others are children of."""
        return psutil.Process(int((self.folder / "pg" / "postmaster.pid").read_text().split()[0]))

    def start(self) -> None:
        """As an operator does it after a crash; it waits until the server answers."""
        # By another process: whoever joins a server in this one and leaves it, stops it. Processes of the dead server
        # may still be ending, and it does not start beside them.
        deadline = time.monotonic() + START_SECONDS
        while (
            ended := subprocess.run([sys.executable, "-c", START, str(self.folder)], capture_output=True)
        ).returncode:
            assert time.monotonic() < deadline, ended.stderr.decode()[-1500:]
            time.sleep(1)

    @contextlib.contextmanager
    def moved(self, database: str, folder: Path) -> Iterator[None]:
        """A database lies in an empty folder until the end of this."""
        owner = self.process().uids().real
        os.chown(folder, owner, owner)
        with contextlib.closing(psycopg.connect(self.dsn, autocommit=True)) as conn:

            def move(place: str) -> None:
                with database_down(self.dsn, dsn_for(self.dsn, database)):
                    conn.execute(
                        SQL("alter database {} set tablespace {}").format(Identifier(database), Identifier(place))
                    )

            conn.execute(SQL("create tablespace faults location {}").format(Literal(str(folder))))
            try:
                move("faults")
                yield
            finally:
                move("pg_default")
                conn.execute("drop tablespace faults")
