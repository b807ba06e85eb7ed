"""The agenda: which client has something to publish next, and whether the run that has it in hand still lives.

A thousand clients have a thousand databases, and nobody can ask them all every few seconds. So whoever writes
something that becomes due notes its time in the master database first; a sensor looks there. A note too many costs one
look; a note that was lost is found by the quarter-hourly sweep.

A run shows that it lives by an advisory lock on a connection of its own. Unlike a lease this needs no clock: a process
that is killed loses its connection and with it the lock, and no jump of a clock takes a lock away. (It needs a session
of its own at the server: a pooler in transaction mode between us and the master would break it.)
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import psycopg

from draggonnb_pipelines.resources.postgres import CONNECT_TIMEOUT_SECONDS, KEEPALIVES, SERVER_KEEPALIVES, MasterDb
from draggonnb_pipelines.sql import load_queries

AGENDA = load_queries("agenda")
LIFE_CHECK_SECONDS = 5.0
log = logging.getLogger(__name__)


async def note_due(master: MasterDb, organization_id: UUID, at: datetime) -> None:
    """Say that something of this client becomes due at `at`."""
    async with master.connection() as conn:
        await AGENDA.note_due(conn, organization_id=organization_id, at=at)


@asynccontextmanager
async def announced(master: MasterDb, organization_id: UUID, at: datetime) -> AsyncIterator[None]:
    """Note what becomes due around the commit that makes it so: before it, so that a crash loses nothing, and after
    it, since a look in between saw nothing and may have put the client off."""
    await note_due(master, organization_id, at)
    yield
    await note_due(master, organization_id, at)


async def dead_runs(master: MasterDb, run_ids: Iterable[str]) -> set[str]:
    """Those of the runs that no living process holds."""
    asked = set(run_ids)
    if not asked:
        return set()
    async with master.connection() as conn:
        live = {row["run_id"] async for row in AGENDA.live_runs(conn, run_ids=sorted(asked))}
    return asked - live


@asynccontextmanager
async def showing_life(master: MasterDb, run_id: str) -> AsyncIterator[None]:
    """Hold the lock that says that this run lives; taken again where the database was restarted meanwhile."""
    conn = await _locked(master, run_id)
    keeper = asyncio.create_task(_keep(master, run_id, conn))
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def _locked(master: MasterDb, run_id: str) -> psycopg.AsyncConnection:
    conn = await psycopg.AsyncConnection.connect(
        master.dsn,
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        options=SERVER_KEEPALIVES,
        **KEEPALIVES,
    )
    try:
        await conn.execute("select pg_advisory_lock_shared(hashtextextended(%s, 17))", (run_id,))
    except BaseException:  # cut off in between, it would go on to say that this run lives
        await conn.close()
        raise
    return conn


async def _keep(master: MasterDb, run_id: str, conn: psycopg.AsyncConnection) -> None:
    """Look after the lock's connection until cancelled, and close it then."""
    try:
        while True:
            await asyncio.sleep(LIFE_CHECK_SECONDS)
            try:
                await conn.execute("select")
            except psycopg.Error as error:
                log.warning("the lock of run %s was lost and is taken again: %s", run_id, type(error).__name__)
                await conn.close()
                try:
                    conn = await _locked(master, run_id)
                except psycopg.Error:
                    continue
    finally:
        await conn.close()
