"""The steps of a move at the databases: what stands in the way, the fence, the copy, the way back.

Lives here: what is done to the old database and to the new one. Does not live here: their order, the master's rows, and
who may end a move (`moves.py`).

Whatever an attempt makes has the attempt's token in its name. So a process that was thought dead, and goes on, finds
that what it was about to rename or drop is not there any more: it can do nothing to a database that serves.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import DraggonnbError, OperatorError, TenantUnavailable
from draggonnb_pipelines.resources.backup_files import matching_program, write_backup
from draggonnb_pipelines.resources.database_names import databases, databases_marked, drop, put_mark, rename
from draggonnb_pipelines.resources.migrations import ensure_tenant_template
from draggonnb_pipelines.resources.postgres import dsn_for, long_connection
from draggonnb_pipelines.resources.sealed_files import new_file_key
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.table_figures import Figures, table_figures
from draggonnb_pipelines.workflows.operations.backups import words
from draggonnb_pipelines.workflows.operations.client_copies import KEPT, Copy, moved_mark
from draggonnb_pipelines.workflows.operations.restores import filled_and_compared
from draggonnb_pipelines.workflows.placement import PLACEMENT, Server, read_server

log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.2
_TOKEN = re.compile(r"_m[0-9a-f]{8}$")
# With a token it is as long as the longest name that an organization's database has from its slug.
_STEM_LENGTH = 37
_LONGEST_NAME = 63 - len("_left_00000000")


class CopyWasUsed(OperatorError):
    """What should be an unfinished copy holds something else than it was made with, such as where the master was
    restored to a moment before the end of a move: it may be newer than the old database. Only a person knows."""

    def __init__(self, copy: Copy) -> None:
        super().__init__(
            f"the database {copy.name} on {copy.server.name} is no unfinished copy: it has been written to",
            remedy="look whether it is the newer one (docs/operations.md, A master from before a move);"
            " rename or drop it, then say it again",
        )


@dataclass(frozen=True)
class Move:
    """A move as this process has taken it up. `tokens`: of every attempt, its own last."""

    id: UUID
    tokens: Sequence[str]
    organization: Organization
    name: str
    source: Server
    target: Server

    @property
    def token(self) -> str:
        return self.tokens[-1]

    @property
    def kept_name(self) -> str:
        """The old database behind the fence."""
        return self.kept_by(self.token)

    @property
    def new_name(self) -> str:
        return self.made_by(self.token)

    def kept_by(self, token: str) -> str:
        return f"{self.name}_left_{token}"

    def made_by(self, token: str) -> str:
        return made_by(self.name, token)


def made_by(name: str, token: str) -> str:
    """What the attempt with this token calls the new database of a client whose old one has this name."""
    return f"{_TOKEN.sub('', name)[:_STEM_LENGTH]}_m{token}"


async def check_ways(organization: Organization, source: Server, target: Server) -> None:
    """Whatever can be known to stand in the way, while the client is still served.

    Raises:
        OperatorError: a server does not answer or is too old, a program or the database is missing, or a restore's old
            database is still there.
    """
    name = str(organization.database_name)
    old, new = await read_server(source.dsn), await read_server(target.dsn)
    if new.version < old.version:
        raise OperatorError(
            f"{target.name} is Postgres {new.version}, and {source.name} is {old.version}",
            remedy="a database goes to the same version or a newer one",
        )
    await matching_program("pg_dump", dsn_for(source.dsn, "postgres"))
    await matching_program("pg_restore", dsn_for(target.dsn, "postgres"))
    await asyncio.to_thread(ensure_tenant_template, target.dsn)  # roles that grants name
    there = await databases(source.dsn)
    if name not in there:
        raise await _not_there(organization, source, target)
    if len(name) > _LONGEST_NAME:
        raise OperatorError(f"the name {name} has more than {_LONGEST_NAME} characters", remedy="rename it by hand")
    if name + KEPT in there:
        raise OperatorError(
            f"{name + KEPT} is still there, from an earlier restore",
            remedy=f"look whether all is well, then: draggonnb backup drop-old {organization.slug}",
        )


async def wait_for_work(stack: Stack, organization: Organization, patience_seconds: float) -> None:
    """Until no run has anything of the client in hand. What still is then is cut off: its ledger says that nobody knows
    what became of it, and it is read back."""
    until = time.monotonic() + patience_seconds
    while time.monotonic() < until:
        async with stack.master.connection() as conn:
            in_hand = await PLACEMENT.in_hand(conn, organization_id=organization.id)
        try:
            async with stack.tenants.open(organization) as tenant:
                in_hand += await PLACEMENT.in_hand_inside(tenant.conn)
        except TenantUnavailable:
            return  # behind the fence already, by an attempt that was cut off
        if not in_hand:
            return
        await asyncio.sleep(_LOOK_SECONDS)


async def fence(move: Move) -> None:
    """Nobody reads or writes the old database any more by the way that everybody knows; whoever was inside is out.

    Raises:
        OperatorError: somebody would not leave, or it is not clear which database is the client's.
    """
    await rename(move.source.dsn, [(await _name_now(move), move.kept_name)])
    await put_mark(move.source.dsn, move.kept_name, moved_mark(move.organization.id))


async def unfence(move: Move) -> None:
    """The old database has its name again; the copy, which is worth nothing from then on, goes where that can be.

    Raises:
        CopyWasUsed: the copy may be newer; the old one stays behind the fence.
        OperatorError: it is not clear which database is the client's, or somebody else is at work on it.
    """
    name = await _name_now(move)
    if name == move.name:
        return
    try:
        await _drop_copies(move)
    except CopyWasUsed:
        raise
    except (DraggonnbError, psycopg.Error) as error:
        log.warning("%s: its copy stays on %s: %s", move.organization.slug, move.target.name, words(error))
    await rename(move.source.dsn, [(name, move.name)])


async def copy(stack: Stack, move: Move, on_bytes: Callable[[int], None] | None) -> Figures:
    """The new database, equal to the old one; by a sealed file whose key nobody keeps, so that what a killed process
    leaves opens to nobody.

    Raises:
        BackupFault: it cannot be read or written, or is not equal; it is dropped again.
        CopyWasUsed: an earlier attempt's copy was written to.
    """
    await drop_files(stack, move)
    path = _folder(stack) / f"{move.id}-{move.token}.move"
    header, key = {"move": str(move.id), "organization_id": str(move.organization.id)}, new_file_key()
    try:
        written = await write_backup(path, dsn_for(move.source.dsn, move.kept_name), header, key, on_bytes=on_bytes)
        await _drop_copies(move)
        mark = moved_mark(move.organization.id, written.figures)
        return await filled_and_compared(move.target.dsn, path, key, move.new_name, mark=mark, on_bytes=on_bytes)
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)


async def drop_files(stack: Stack, move: Move) -> None:
    """What killed attempts have left in this machine's state folder."""
    for left in _folder(stack).glob(f"{move.id}-*"):
        await asyncio.to_thread(left.unlink, missing_ok=True)


async def drop_copy(copy: Copy, organization_id: UUID) -> None:
    """A database that a move made and that never served: without tables, or a whole copy.

    Raises:
        CopyWasUsed: it was written to; it stays.
        OperatorError: somebody would not leave; likewise.
    """
    async with long_connection(dsn_for(copy.server.dsn, copy.name)) as conn, conn.transaction():
        found = await table_figures(conn)
    if found and copy.name not in await databases_marked(copy.server.dsn, moved_mark(organization_id, found)):
        raise CopyWasUsed(copy)
    await drop(copy.server.dsn, copy.name)


def _folder(stack: Stack) -> Path:
    return stack.settings.state_dir / "moves"


async def _not_there(organization: Organization, source: Server, target: Server) -> OperatorError:
    mark = moved_mark(organization.id)
    marked = [
        Copy(name, server).words for server in (source, target) for name in await databases_marked(server.dsn, mark)
    ]
    said = f", but {' and '.join(sorted(marked))}" if marked else ""
    return OperatorError(
        f"there is no database {organization.database_name} on {source.name}{said}",
        remedy="is the master from before a move? docs/operations.md, A master from before a move",
    )


async def _name_now(move: Move) -> str:
    """Of the old database: its own, or the one that an attempt gave it."""
    there = await databases(move.source.dsn)
    found = [name for name in (move.name, *map(move.kept_by, move.tokens)) if name in there]
    if len(found) != 1:
        what = " and ".join(found) or f"no {move.name}"
        raise OperatorError(
            f"{move.source.name} has {what}, of {move.organization.slug}",
            remedy=f"look which database is the client's and call it {move.name}, by hand; then say it again",
        )
    return found[0]


async def _drop_copies(move: Move) -> None:
    """What attempts have left on the target."""
    for name in sorted(set(map(move.made_by, move.tokens)) & await databases(move.target.dsn)):
        await drop_copy(Copy(name, move.target), move.organization.id)
