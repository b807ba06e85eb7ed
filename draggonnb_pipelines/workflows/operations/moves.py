"""A client's database goes to another of our servers, and no write is lost on the way.

Lives here: the order of the steps, who may end a move, giving one up, dropping what was left behind. Does not live
here: the steps at the databases (`move_steps.py`), the servers (`workflows/placement.py`).

1. the client is held: runs leave it out, what webhooks bring waits in the master  2. what runs have of it in hand comes
to its end, for a while  3. the fence: its database gets another name, and whoever is connected is sent away  4. copied,
and compared table by table  5. the organization's row names the new database, in one statement.
Killed before 5 the client waits, held, and the same words go on; a fault before 5 is taken back by itself. From 5 on
the new database serves. What was written was committed before 3 and is in the copy, or it was refused.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import DraggonnbError, OperatorError
from draggonnb_pipelines.resources.database_names import drop_tenant_database
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.table_figures import Figures, row_count
from draggonnb_pipelines.workflows.operations.backup_sources import alone
from draggonnb_pipelines.workflows.operations.backups import words
from draggonnb_pipelines.workflows.operations.client_copies import Copy, names_on
from draggonnb_pipelines.workflows.operations.move_steps import (
    CopyWasUsed,
    Move,
    check_ways,
    copy,
    drop_copy,
    drop_files,
    fence,
    made_by,
    unfence,
    wait_for_work,
)
from draggonnb_pipelines.workflows.placement import ORGANIZATIONS, PLACEMENT, Server, all_servers, server_of
from draggonnb_pipelines.workflows.publishing.agenda import note_due

PATIENCE_SECONDS = 60.0
Told = Callable[[str], None]


@dataclass(frozen=True)
class Moved:
    """What a move did. `kept_as` is the old database, on the old server; None where the move was given up."""

    slug: str
    database: str
    server: str
    tables: int = 0
    rows: int = 0
    held_seconds: float = 0.0
    kept_as: Copy | None = None


async def move_tenant(
    stack: Stack,
    slug: str,
    to_server: str,
    *,
    by: str,
    patience_seconds: float = PATIENCE_SECONDS,
    on_step: Told = lambda _: None,
    on_bytes: Callable[[int], None] | None = None,
) -> Moved:
    """Move a client, go on with a move that was cut off, or, to the server on which it is, give such a one up.

    Args:
        patience_seconds: how long work that is in hand may take to end by itself.
        on_step: told the name of each step before it: holding, waiting, fencing, copying, switching, switched.
        on_bytes: told after each piece how many bytes it had; each is counted twice, out of the old and into the new.

    Raises:
        OperatorError: it cannot be moved (the words say why), or was taken back after a fault and serves on where it
            was; or it could not be taken back, and is not served.
        BackupFault, TenantUnavailable: likewise.
        CopyWasUsed: to give it up could serve a database that is older than another one; it is not served.
    """
    async with alone(stack.master, slug):
        organization = await _movable(stack, slug)
        async with stack.master.connection() as conn:
            place = await ORGANIZATIONS.place_of(conn, id=organization.id)
            source = await server_of(conn, stack.vault, place["server"], masters_dsn=stack.master.dsn)
            target = await server_of(conn, stack.vault, to_server, masters_dsn=stack.master.dsn)
            row = await PLACEMENT.open_move(conn, organization_id=organization.id)
        if source.name == target.name:
            return await _given_up(stack, organization, source, row, by=by)
        if row is None:
            await check_ways(organization, source, target)
        began = time.monotonic()
        on_step("holding")
        move = await _begin(stack, organization, source, target, by=by)
        try:
            figures = await _carry_over(stack, move, by, patience_seconds, on_step, on_bytes)
        except BaseException as error:
            await _take_back(stack, move, error, by=by)
            raise
        held_seconds = time.monotonic() - began
        on_step("switched")
        await note_due(stack.master, organization.id, stack.now())
    kept_as = Copy(move.kept_name, source)
    return Moved(slug, move.new_name, target.name, len(figures), row_count(figures), held_seconds, kept_as)


async def drop_left_behind(stack: Stack, slug: str, *, by: str) -> list[str]:
    """Drop the databases that moves of this client have left on other servers; returns their names.

    Raises:
        OperatorError: no such client, nothing was left, or a server does not answer.
        CopyWasUsed: what a move made that was given up has been written to; it stays.
    """
    async with alone(stack.master, slug):
        organization = await _organization(stack, slug)
        left = await _left_behind(stack, organization)
        if not left:
            raise OperatorError(f"no move of {slug} has left a database behind", remedy="there is nothing to drop")
        for kept, move_id in left:
            metadata = {"database": kept.name, "server": kept.server.name}
            async with stack.master.connection() as conn:
                await _audit(conn, by, "organization.old_drop_begun", organization, metadata)
            if move_id is None:
                await drop_copy(kept, organization.id)
            else:
                await drop_tenant_database(kept.server.dsn, kept.name, organization.id)
            async with stack.master.connection() as conn, conn.transaction():
                await PLACEMENT.old_dropped(conn, id=move_id)
                await _audit(conn, by, "organization.old_dropped", organization, metadata)
    return [kept.words for kept, _ in left]


async def _left_behind(stack: Stack, organization: Organization) -> list[tuple[Copy, UUID | None]]:
    """The old database of each move, with the move; and what moves have made that were given up, as far as it is there.
    A server that is not in the list any more has gone with what was on it."""
    async with stack.master.connection() as conn:
        rows = [row async for row in PLACEMENT.left_behind(conn, organization_id=organization.id)]
    servers = {server.name: server for server in await all_servers(stack.master, stack.vault)}
    found: list[tuple[Copy, UUID | None]] = []
    for row in rows:
        server = servers.get(row["server"])
        if server is not None and row["kept_name"] is not None:
            found.append((Copy(row["kept_name"], server), row["id"]))
        elif server is not None:
            made = {made_by(row["database_name"], token) for token in row["tokens"]}
            found += [(Copy(name, server), None) for name in sorted(made & await names_on(server))]
    return found


async def _movable(stack: Stack, slug: str) -> Organization:
    organization = await _organization(stack, slug)
    if organization.is_hosted:
        raise OperatorError(
            f"the database of {slug} is its vendor's", remedy="only databases on our own servers are moved"
        )
    if organization.database_name is None or organization.status in ("provisioning", "closed"):
        raise OperatorError(f"{slug} is {organization.status} and has no database to move", remedy="nothing was done")
    return organization


async def _organization(stack: Stack, slug: str) -> Organization:
    async with stack.master.connection() as conn:
        row = await ORGANIZATIONS.get_organization(conn, slug=slug)
    if row is None:
        raise OperatorError(f"no organization has the slug {slug!r}", remedy="`draggonnb tenant list` shows all")
    return Organization(**row)


async def _begin(stack: Stack, organization: Organization, source: Server, target: Server, *, by: str) -> Move:
    """From its commit on the client is held."""
    async with stack.master.connection() as conn, conn.transaction():
        # Nobody takes it out of the list before the move is known.
        await server_of(conn, stack.vault, target.name, masters_dsn=stack.master.dsn, until_commit=True)
        row = await PLACEMENT.begin_move(
            conn, organization_id=organization.id, to_server=target.name, token=_token(), requested_by=by
        )
        if row is None:
            raise OperatorError(
                f"{organization.slug} is on its way to another server",
                remedy=f"go on with that, or give it up: draggonnb tenant move {organization.slug} --to {source.name}",
            )
        await PLACEMENT.hold(conn, id=organization.id)
        metadata = {"from": source.name, "to": target.name, "attempt": len(row["tokens"])}
        await _audit(conn, by, "organization.move_begun", organization, metadata)
    return Move(row["id"], row["tokens"], organization, row["database_name"], source, target)


async def _carry_over(
    stack: Stack,
    move: Move,
    by: str,
    patience_seconds: float,
    on_step: Told,
    on_bytes: Callable[[int], None] | None,
) -> Figures:
    on_step("waiting")
    await wait_for_work(stack, move.organization, patience_seconds)
    on_step("fencing")
    await fence(move)
    on_step("copying")
    figures = await copy(stack, move, on_bytes)
    on_step("switching")
    async with stack.master.connection() as conn, conn.transaction():
        # Its DSN as it is now. Who changes it from here on waits, and then finds this client there.
        target = await server_of(conn, stack.vault, move.target.name, masters_dsn=stack.master.dsn, until_commit=True)
        if move.new_name not in await names_on(target):
            raise OperatorError(
                f"{target.name} has no {move.new_name}: it is another cluster now", remedy="say it again"
            )
        switched = await PLACEMENT.switch(
            conn,
            id=move.id,
            token=move.token,
            kept_name=move.kept_name,
            database_name=move.new_name,
            dsn_sealed=target.sealed_for(move.organization.id, stack.vault),
            row_count=row_count(figures),
        )
        if switched is None:
            raise _taken_up(move)
        metadata = {"from": move.source.name, "to": move.target.name, "rows": row_count(figures)}
        await _audit(conn, by, "organization.moved", move.organization, metadata)
    return figures


async def _given_up(
    stack: Stack, organization: Organization, source: Server, row: dict[str, Any] | None, *, by: str
) -> Moved:
    if row is None:
        raise OperatorError(f"{organization.slug} is on {source.name} already", remedy="nothing was done")
    async with stack.master.connection() as conn:
        target = await server_of(conn, stack.vault, row["to_server"], masters_dsn=stack.master.dsn)
    move = Move(row["id"], row["tokens"], organization, row["database_name"], source, target)
    if not await _go_back(stack, move, "given up by an operator", by=by):
        raise _taken_up(move)
    return Moved(organization.slug, move.name, source.name)


async def _take_back(stack: Stack, move: Move, error: BaseException, *, by: str) -> None:
    why = words(error) if isinstance(error, Exception) else "it was interrupted"
    try:
        await _go_back(stack, move, why, by=by)
    except (DraggonnbError, psycopg.Error) as fault:
        slug = move.organization.slug
        again = f"say it again, or give it up: draggonnb tenant move {slug} --to {move.source.name}"
        said = fault.message if isinstance(fault, CopyWasUsed) else words(fault)
        raise OperatorError(
            f"the move of {slug} failed ({why}) and could not be taken back ({said}): it is held and not served",
            remedy=fault.remedy if isinstance(fault, CopyWasUsed) else again,
        ) from error


async def _go_back(stack: Stack, move: Move, why: str, *, by: str) -> bool:
    """The client serves on where it was; False where somebody else has ended or taken up the move meanwhile."""
    async with stack.master.connection() as conn:
        tokens = await PLACEMENT.take_move_up(conn, id=move.id, last_token=move.token, token=_token())
    if tokens is None:
        return False
    move = replace(move, tokens=tokens)
    await drop_files(stack, move)
    await unfence(move)
    async with stack.master.connection() as conn, conn.transaction():
        if await PLACEMENT.abandon(conn, id=move.id, token=move.token, error=why) is None:
            return False
        metadata = {"from": move.source.name, "to": move.target.name, "why": why}
        await _audit(conn, by, "organization.move_abandoned", move.organization, metadata)
    return True


def _taken_up(move: Move) -> OperatorError:
    return OperatorError(
        "another process has taken this move up",
        remedy=f"look how it ended: draggonnb tenant show {move.organization.slug}",
    )


def _token() -> str:
    return uuid4().hex[:8]


async def _audit(conn: Connection, by: str, action: str, organization: Organization, metadata: dict[str, Any]) -> None:
    resource = f"organization:{organization.slug}"
    await ORGANIZATIONS.audit(conn, actor=by, action=action, resource=resource, metadata=json.dumps(metadata))
