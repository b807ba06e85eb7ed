"""A PostgREST process for each Supabase project that is asked for its Data API: started on demand, ended with it.

Lives here: starting, waiting, ending; the settings that Supabase runs it with. Does not live here: the program, which
is named by `VENDOR_SANDBOX_POSTGREST` (`scripts/postgrest.py` fetches one), and requests (`supabase_rest.py`).
"""

import asyncio
import contextlib
import ctypes
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from vendor_sandbox import supabase_databases
from vendor_sandbox.supabase_projects import Project

START_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1


class NotRunning(Exception):
    """There is no PostgREST to ask, and why."""


@dataclass
class _Server:
    process: asyncio.subprocess.Process
    session: aiohttp.ClientSession


class PostgrestServers:
    """The running ones, by project. `program` is None where nobody named one."""

    def __init__(self, program: Path | None = None) -> None:
        self.program = program
        self._running: dict[str, _Server] = {}
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._folder: Path | None = None

    async def server(self, project: Project, dsn: str) -> aiohttp.ClientSession:
        """What asks the project's PostgREST, which is started if it does not run.

        Raises:
            NotRunning: there is no program, or it does not start.
        """
        if self.program is None:
            raise NotRunning("no PostgREST: name the program in VENDOR_SANDBOX_POSTGREST")
        async with self._locks[project.ref]:
            known = self._running.get(project.ref)
            if known and known.process.returncode is None:
                return known.session
            if known:
                await self._end(project.ref)
            return (await self._start(self.program, project, dsn)).session

    async def stop(self, ref: str) -> None:
        """End a project's, before its database is closed or dropped."""
        async with self._locks[ref]:
            await self._end(ref)

    async def stop_all(self) -> None:
        for ref in list(self._running):
            await self.stop(ref)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    async def _start(self, program: Path, project: Project, dsn: str) -> _Server:
        # Sockets have short names: a path of more than about 100 bytes is refused.
        self._folder = self._folder or Path(tempfile.mkdtemp(prefix="postgrest-"))
        socket = self._folder / project.ref
        password = secrets.token_urlsafe(24)
        await supabase_databases.let_in_authenticator(dsn, project.ref, password)
        try:
            process = await asyncio.create_subprocess_exec(
                program,
                env=_environment(project, _dsn(dsn, project.ref, password), socket),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                # A killed sandbox must not leave them: they would look for their databases for ever.
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        except OSError as error:
            raise NotRunning(f"{program} does not start: {error}") from error
        connector = aiohttp.UnixConnector(path=str(socket))
        server = _Server(process, aiohttp.ClientSession(connector=connector, auto_decompress=False))
        self._running[project.ref] = server
        try:
            async with asyncio.timeout(START_SECONDS):
                await _wait_until_it_answers(server)
        except TimeoutError:
            await self._end(project.ref)
            raise NotRunning(f"PostgREST does not answer within {START_SECONDS:.0f} s") from None
        return server

    async def _end(self, ref: str) -> None:
        server = self._running.pop(ref, None)
        if server is None:
            return
        await server.session.close()
        with contextlib.suppress(ProcessLookupError):
            server.process.kill()  # it holds nothing: an open transaction is rolled back
        await server.process.wait()


async def _wait_until_it_answers(server: _Server) -> None:
    """Until the tables are read: before that it answers 503.

    Raises:
        NotRunning: it ended.
    """
    while True:
        with contextlib.suppress(aiohttp.ClientError):
            async with server.session.head("http://postgrest/") as answer:
                if answer.status != 503:
                    return
        if server.process.returncode is not None:
            raise NotRunning(f"PostgREST ended with {server.process.returncode}")
        await asyncio.sleep(0.02)


def _environment(project: Project, dsn: str, socket: Path) -> dict[str, str]:
    """As the vendor sets it. `commit-allow-override`: whoever sends `Prefer: tx=rollback` tries a write without it."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "PGRST_DB_URI": dsn,
        "PGRST_DB_SCHEMAS": "public",
        "PGRST_DB_EXTRA_SEARCH_PATH": "public, extensions",
        "PGRST_DB_ANON_ROLE": "anon",
        "PGRST_DB_MAX_ROWS": "1000",
        "PGRST_DB_POOL": "6",
        "PGRST_DB_TX_END": "commit-allow-override",
        "PGRST_DB_CONFIG": "false",
        "PGRST_JWT_SECRET": json.dumps(project.signer.jwks()),
        "PGRST_SERVER_UNIX_SOCKET": str(socket),
        "PGRST_LOG_LEVEL": "crit",
    }


def _dsn(server_dsn: str, ref: str, password: str) -> str:
    parts = conninfo_to_dict(server_dsn)
    place = {name: value for name, value in parts.items() if name in ("host", "port", "sslmode", "sslrootcert")}
    user, database = supabase_databases.authenticator_of(ref), supabase_databases.database_of(ref)
    return make_conninfo(**{**place, "user": user, "password": password, "dbname": database})


def _die_with_parent() -> None:
    """Between fork and exec."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
