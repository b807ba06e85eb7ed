"""`draggonnb server add | list | show | open | close | remove`, `draggonnb tenant move | drop-old`.

Lives here: reading a DSN from a file or stdin, and the output, which never shows a password. Does not live here: what
a server and a move are (`workflows/placement.py`, `workflows/server_list.py`, `workflows/operations/moves.py`), the
surface (`server_verbs.py`).
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from draggonnb_pipelines.cli.inbox import operator
from draggonnb_pipelines.cli.screen import cell, confirm, console, table
from draggonnb_pipelines.cli.session import installation, run_on_stack, session
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.database_names import databases
from draggonnb_pipelines.resources.postgres import redact_dsn
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.placement import PLACEMENT, read_server, server_of
from draggonnb_pipelines.workflows.server_list import open_server, put_server, remove_server

CLIENTS_SHOWN = 500


def add(name: str, *, dsn_file: Path, note: str, is_open: bool, is_replaced: bool) -> None:
    """Take a server into the list, or change what its name stands for.

    Raises:
        OperatorError: the DSN cannot be read or used, or the server does not answer; nothing was stored.
    """
    dsn = _read_dsn(dsn_file)

    async def put(settings: Settings) -> bool:
        async with session(settings) as opened:
            return await put_server(
                opened.master, opened.vault, name, dsn, by=_by(), note=note, is_open=is_open, is_replaced=is_replaced
            )

    with installation() as settings:
        is_new = asyncio.run(put(settings))
    closed = "" if is_open else "; it takes no new clients"
    console().print(cell(f"{name} {'is in the list' if is_new else 'has its new DSN'}{closed}", "green"))
    if is_replaced:
        console().print(cell(f"whose database it does not have: draggonnb server show {name}"))


def show_all() -> None:
    """A table of the servers."""

    async def rows(settings: Settings) -> list[dict[str, Any]]:
        async with session(settings) as opened, opened.master.connection() as conn:
            return [row async for row in PLACEMENT.servers(conn)]

    with installation() as settings:
        found = asyncio.run(rows(settings))
    columns = ("name", "clients", "new clients", "since (UTC)", "note")
    shown = table(*columns, unbroken=columns[:4])
    for row in found:
        shown.add_row(
            cell(row["name"]), cell(row["clients"]), cell("yes" if row["is_open"] else "no"), cell(row["created_at"]),
            cell(row["note"]),
        )  # fmt: skip
    console().print(shown)


def show_one(name: str) -> None:
    """One server: where it is, whether it answers, and its clients.

    Raises:
        OperatorError: no server has this name.
    """

    async def look(settings: Settings) -> tuple[str, str, set[str] | None, list[dict[str, Any]]]:
        async with session(settings) as opened, opened.master.connection() as conn:
            server = await server_of(conn, opened.vault, name, masters_dsn=settings.dsn)
            clients = [row async for row in PLACEMENT.clients_shown(conn, name=name, row_limit=CLIENTS_SHOWN)]
        try:
            says, there = f"Postgres {(await read_server(server.dsn)).version}", await databases(server.dsn)
        except OperatorError as error:
            says, there = error.message, None
        return redact_dsn(server.dsn), says, there, clients

    with installation() as settings:
        where, says, there, clients = asyncio.run(look(settings))
    for line in (f"{name}  {where}", f"says  {says}"):
        console().print(cell(line), soft_wrap=True)
    shown = table("client", "status", "database", "held since (UTC)", unbroken=("client", "status"))
    for row in clients:
        name_there = row["database_name"]
        missing = "" if there is None or name_there in there else " is not there"
        shown.add_row(
            cell(row["slug"]), cell(row["status"]), cell(name_there + missing), cell(row["held_since"] or "-")
        )
    console().print(shown)


def set_open(name: str, *, is_open: bool) -> None:
    """Place new clients there, or no more."""

    async def put(settings: Settings) -> bool:
        async with session(settings) as opened:
            return await open_server(opened.master, name, is_open=is_open, by=_by())

    with installation() as settings:
        changed = asyncio.run(put(settings))
    words = f"{name} takes new clients" if is_open else f"{name} takes no new clients"
    console().print(cell(words if changed else f"{words}, as before", "green"))


def remove(name: str, *, is_lost: bool) -> None:
    """Take a server out of the list.

    Raises:
        OperatorError: something of a client may be there; nothing changed.
    """

    async def take_out(settings: Settings) -> None:
        async with session(settings) as opened:
            await remove_server(opened.master, opened.vault, name, by=_by(), is_lost=is_lost)

    with installation() as settings:
        asyncio.run(take_out(settings))
    console().print(cell(f"{name} is in the list no more", "green"))


def move(slug: str, to: str, *, yes: bool) -> None:
    """Move a client, or go on with a move."""
    from draggonnb_pipelines.workflows.operations.moves import move_tenant

    confirm(slug, "it is held while its database is copied: what comes for it waits, its pages say so", yes=yes)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console()) as progress:
        task = progress.add_task(slug, total=None)
        done = run_on_stack(
            lambda stack: move_tenant(
                stack,
                slug,
                to,
                by=_by(),
                on_step=lambda step: progress.update(task, description=f"{slug}: {step}"),
                on_bytes=lambda size: progress.advance(task, size),
            )
        )
    if done.kept_as is None:
        lines = [f"the move of {slug} is given up: it is served on {done.server}, in {done.database}"]
    else:
        lines = [
            f"{slug} is on {done.server} now, in {done.database}",
            f"{done.tables} tables with {done.rows} rows, all equal; it was held for {done.held_seconds:.1f} s",
            f"the old database is {done.kept_as.words}; once all is well: draggonnb tenant drop-old {slug}",
            f"the backups know it by its old place until the next: draggonnb backup create --master --tenant {slug}",
        ]
    for line in lines:
        console().print(cell(line), soft_wrap=True)


def drop_old(slug: str, *, yes: bool) -> None:
    """Drop what moves have left behind."""
    from draggonnb_pipelines.workflows.operations.moves import drop_left_behind

    confirm(slug, "the databases that its moves have left on other servers are dropped for ever", yes=yes)
    for name in run_on_stack(lambda stack: drop_left_behind(stack, slug, by=_by())):
        console().print(cell(f"{name} is dropped", "green"))


def _read_dsn(path: Path) -> str:
    try:
        dsn = (sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"{path} cannot be read ({type(error).__name__})", remedy="give a text file") from error
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        parts = {}
    if "host" not in parts:
        raise OperatorError(
            f"{path} holds no DSN with a host", remedy="such as postgresql://user:password@pg-2.internal:5432/postgres"
        )
    return dsn


def _by() -> str:
    return f"operator:{operator()}"
