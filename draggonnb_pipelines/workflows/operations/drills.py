"""The restore drill: backups are restored beside everything else, compared, timed and dropped again.

Lives here: which ones, and what each gave. Does not live here: how one is restored (`restores.py`), the verdict
(`assets/backups.py`).
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg

from draggonnb_pipelines.errors import DraggonnbError, OperatorError
from draggonnb_pipelines.resources.database_names import databases, drop
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.table_figures import row_count
from draggonnb_pipelines.workflows.operations.backup_sources import (
    BACKUPS,
    MASTER,
    Source,
    Taken,
    alone,
    newest,
    sources,
)
from draggonnb_pipelines.workflows.operations.backups import words
from draggonnb_pipelines.workflows.operations.restores import fill
from draggonnb_pipelines.workflows.placement import all_servers

PREFIX = "draggonnb_drill_"
# A nightly backup that is older than this did not happen.
FRESH_WITHIN = timedelta(hours=26)


@dataclass(frozen=True)
class Drilled:
    """One restored backup: `age` is what would be lost now, `seconds` what it took. `fault`: why it is of no use."""

    name: str
    age: timedelta = timedelta(0)
    tables: int = 0
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0
    fault: str | None = None


def drawn(names: list[str], week: str, clients: int) -> list[str]:
    """The master, and as many clients as are drilled in this week: others in each, so that everybody comes up."""
    others = sorted(
        (name for name in names if name != MASTER), key=lambda name: hashlib.sha256(f"{week}/{name}".encode()).digest()
    )
    return [name for name in names if name == MASTER] + others[:clients]


async def drill(
    stack: Stack,
    slugs: list[str] | None = None,
    *,
    clients: int | None = None,
    on_start: Callable[[int], None] | None = None,
    on_done: Callable[[Drilled], None] | None = None,
) -> list[Drilled]:
    """Restore the newest backup of the master and of clients, each into a database of its own on its server, one after
    another.

    Args:
        slugs: whose; None is the master and everybody, or as many as `clients` says, drawn by the week.
        on_start: told how many there are.
        on_done: told each outcome as it comes.

    Raises:
        OperatorError: another drill is at work, or one of `slugs` has no database.
    """
    async with alone(stack.master, "drill"):
        for server in await all_servers(stack.master, stack.vault):
            with suppress(OperatorError, psycopg.Error):  # who is on a server that is away is named below
                await _drop_left(server.dsn)
        by_name = {source.name: source for source in await sources(stack, slugs, with_master=slugs is None)}
        names = list(by_name)
        if clients is not None:
            names = drawn(names, f"{stack.now():%G-%V}", clients)
        if on_start:
            on_start(len(names))
        taken, done = await newest(stack), []
        for name in names:
            done.append(await _drill(stack, by_name[name], taken.get(name)))
            if on_done:
                on_done(done[-1])
    return done


async def stale(stack: Stack) -> dict[str, datetime | None]:
    """Databases without a good backup within a day, with the time of their newest one."""
    async with stack.master.connection() as conn:
        rows = [row async for row in BACKUPS.newest_of_each(conn)]
    return {row["slug"]: row["newest"] for row in rows if is_stale(row, stack.now())}


def is_stale(row: Mapping[str, Any], now: datetime) -> bool:
    """Whether a night's backup did not happen: a row of `newest_of_each`. What is younger than a night has none yet."""
    is_new = row["since"] is None or row["since"] >= now - FRESH_WITHIN
    return row["newest"] < now - FRESH_WITHIN if row["newest"] else not is_new


async def _drill(stack: Stack, source: Source, taken: Taken | None) -> Drilled:
    if taken is None:
        return Drilled(source.name, fault="it was never backed up")
    name, began = PREFIX + uuid4().hex[:12], time.monotonic()
    age = max(stack.now() - taken.started_at, timedelta(0))
    try:
        # Where a restore would be: the master's server may be older than the file.
        its_server = stack.tenants.server_dsn(source.organization) if source.organization else stack.master.dsn
        figures = await fill(stack, source.organization, taken, name, server_dsn=its_server)
        seconds = time.monotonic() - began
        await drop(its_server, name)
    except (DraggonnbError, psycopg.Error) as error:
        return Drilled(source.name, age, bytes=taken.size_bytes, fault=words(error))
    return Drilled(source.name, age, len(figures), row_count(figures), taken.size_bytes, seconds)


async def _drop_left(server_dsn: str) -> None:
    for left in await databases(server_dsn):
        if left.startswith(PREFIX):
            await drop(server_dsn, left)
