"""Restoring one client: a fresh database beside the old one, compared with what the backup says, then the change of
names.

Lives here: the order of the steps, and what keeps a restored client from doing things twice. Does not live here: the
file (`backup_files.py`), the names (`database_names.py`), a server that is lost (`server_restores.py`).

1. a fresh database, filled and compared  2. migrations that came since  3. what may have gone out since is held
4. leads that came since wait to be worked off again  5. old and new change names, in one transaction.
Killed before 5 the old one serves on, and the next restore begins anew; after 5 the new one serves.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import LiteralString, cast
from uuid import UUID

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.backup_files import BackupFault, long_connection, restore_file
from draggonnb_pipelines.resources.database_names import create_empty, databases, drop, rename
from draggonnb_pipelines.resources.migrations import ensure_tenant_template, migrate
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.table_figures import Figures, differences, row_count, table_figures
from draggonnb_pipelines.sql import TENANT_LOCAL_SUPABASE, TENANT_MIGRATIONS, load_queries
from draggonnb_pipelines.workflows.operations.backup_sources import (
    HOSTED_SCHEMAS,
    Taken,
    alone,
    file_key,
    folder_of,
    newest,
    sound_file,
    sources,
)
from draggonnb_pipelines.workflows.publishing.agenda import note_due

RESTORES = load_queries("restores")
ORGANIZATIONS = load_queries("organizations")
KEPT, FRESH = "_before_restore", "_restoring"
# Leads that are to be worked off again wait this long, so that no run takes them while the old database still serves.
REPLAY_WAIT_SECONDS = 900
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_QUESTION = (
    "This client was restored from a backup of {at:%Y-%m-%d %H:%M} UTC. The post may have gone out since: is it public?"
)


@dataclass(frozen=True)
class Restored:
    """What a restore did. `kept_as` is the old database; None where there was none, or the restore went elsewhere.

    `other_deliveries`: what webhooks brought since the backup besides leads, which is not repeated by itself.
    """

    slug: str
    database: str
    taken_at: datetime
    tables: int
    rows: int
    seconds: float
    kept_as: str | None = None
    held_posts: int = 0
    replayed_leads: int = 0
    other_deliveries: int = 0


async def restore_tenant(
    stack: Stack,
    slug: str,
    *,
    by: str,
    at: datetime | None = None,
    into: str | None = None,
    on_bytes: Callable[[int], None] | None = None,
) -> Restored:
    """Put a client back to its newest backup, or to the newest one not after `at`; with `into` only make a database
    of that name out of it, and leave the client alone.

    Raises:
        OperatorError: no such client or backup, a name that cannot be used, an old database of an earlier restore is
            still there, or the client's database is a vendor's (only `into` can be had).
        BackupFault: the file is not as it was written, or what it gave is not what it says; the client serves on.
        SealBroken: its keys are not here.
    """
    began = time.monotonic()
    [source] = await sources(stack, [slug], with_master=False)
    organization = source.organization
    assert organization is not None
    target = await _checked_target(stack, organization, into)
    taken = (await newest(stack, at=at)).get(slug)
    if taken is None:
        when = f" from {at:%Y-%m-%d %H:%M} UTC or before" if at else ""
        raise OperatorError(f"there is no good backup of {slug}{when}", remedy=f"draggonnb backup list --tenant {slug}")
    async with alone(stack, slug):
        fresh = into or target + FRESH
        figures = await fill(stack, organization, taken, fresh, on_bytes=on_bytes)
        done = Restored(slug, target, taken.started_at, len(figures), row_count(figures), 0.0)
        if into is None:
            done = await _put_in_place(stack, organization, taken, done, fresh, by=by)
        await _audit_master(stack, by, "backup.restored", slug, {"from": taken.file_name, "database": target})
    return replace(done, seconds=time.monotonic() - began)


async def fill(
    stack: Stack,
    organization: Organization | None,
    taken: Taken,
    name: str,
    *,
    on_bytes: Callable[[int], None] | None = None,
) -> Figures:
    """Make a database out of a backup (one of that name is dropped first) and compare it with what the backup says;
    returns its figures.

    Raises:
        BackupFault: as `restore_tenant`; the database is dropped again.
        SealBroken: likewise.
    """
    path = await asyncio.to_thread(sound_file, folder_of(stack.settings), taken)
    key = file_key(stack.vault, organization, path)
    is_hosted = organization is not None and organization.dsn_sealed is not None
    if organization is not None:
        await asyncio.to_thread(ensure_tenant_template, stack.master.dsn)  # roles that the file's grants name
    return await filled_and_compared(stack.master.dsn, path, key, name, is_hosted=is_hosted, on_bytes=on_bytes)


async def filled_and_compared(
    server_dsn: str,
    path: Path,
    key: bytes,
    name: str,
    *,
    is_hosted: bool = False,
    on_bytes: Callable[[int], None] | None = None,
) -> Figures:
    """As `fill`, from a file that was found sound."""
    await create_empty(server_dsn, name)
    dsn = dsn_for(server_dsn, name)
    try:
        if is_hosted:
            await _prepare_like_supabase(dsn)
        recorded = await restore_file(path, key, dsn, on_bytes=on_bytes)
        async with long_connection(dsn) as conn, conn.transaction():
            found = await table_figures(conn, HOSTED_SCHEMAS if is_hosted else None)
        if said := differences(recorded, found):
            raise BackupFault(f"{path.name} gave something else than it says: {'; '.join(said[:5])}")
    except BaseException:
        with suppress(psycopg.Error):
            await drop(server_dsn, name)
        raise
    return found


async def make_ready(
    stack: Stack, organization: Organization, taken: Taken, name: str, *, by: str, old: str | None
) -> int:
    """Before a restored database serves: migrations that came since, and what may have gone out since is held.
    Returns how many posts a person is asked about.

    Args:
        old: the database that it replaces, whose ledger is read; None where there is none.

    Raises:
        OperatorError: the backup is older than the schema's history, or a migration fails.
    """
    dsn = dsn_for(stack.master.dsn, name)
    await asyncio.to_thread(migrate, dsn, TENANT_MIGRATIONS)
    untouched = await _untouched(dsn_for(stack.master.dsn, old)) if old else None
    question = _QUESTION.format(at=taken.started_at)
    async with long_connection(dsn) as conn, conn.transaction():
        held = [row async for row in RESTORES.hold_posts(conn, untouched=untouched, question=question)]
        await RESTORES.read_back_calls(conn)
        await RESTORES.hold_approved(
            conn, reason="restored from a backup: look whether it is public, then approve it anew"
        )
        await RESTORES.hold_messages(conn)
        metadata = json.dumps({"from": taken.file_name, "held_posts": len(held)})
        await ORGANIZATIONS.audit(
            conn, actor=by, action="backup.restored", resource=f"organization:{organization.slug}", metadata=metadata
        )
    return len(held)


async def drop_old(stack: Stack, slug: str, *, by: str) -> str:
    """Drop the database that a restore put aside; returns its name.

    Raises:
        OperatorError: no such client, or nothing was put aside.
    """
    [source] = await sources(stack, [slug], with_master=False)
    kept_as = source.database + KEPT
    async with alone(stack, slug):
        if source.schemas or not await drop(stack.master.dsn, kept_as):
            raise OperatorError(f"there is no database {kept_as}", remedy="no restore has put one aside")
        await _audit_master(stack, by, "backup.old_dropped", slug, {"database": kept_as})
    return kept_as


async def _put_in_place(
    stack: Stack, organization: Organization, taken: Taken, done: Restored, fresh: str, *, by: str
) -> Restored:
    name, there = done.database, await databases(stack.master.dsn)
    old = name if name in there else None
    held = await make_ready(stack, organization, taken, fresh, by=by, old=old)
    replayed = await _replay_leads(stack, organization, taken.started_at)
    kept_as = name + KEPT if old else None
    await rename(stack.master.dsn, [*([(name, name + KEPT)] if old else []), (fresh, name)])
    await note_due(stack.master, organization.id, stack.now())
    async with stack.master.connection() as conn:
        await RESTORES.let_replayed_go(conn, ids=replayed)
        others = await RESTORES.other_deliveries(conn, organization_id=organization.id, since=taken.started_at)
    return replace(done, kept_as=kept_as, held_posts=held, replayed_leads=len(replayed), other_deliveries=others)


async def _checked_target(stack: Stack, organization: Organization, into: str | None) -> str:
    """The name under which the restored database is to be found in the end."""
    there = await databases(stack.master.dsn)
    if into is not None:
        if not _NAME.fullmatch(into) or into in there:
            fault = "is there already" if into in there else "is not a database's name"
            raise OperatorError(f"{into!r} {fault}", remedy="give one of a-z, 0-9 and _ that no database has")
        return into
    if organization.database_name is None:
        raise OperatorError(
            f"the database of {organization.slug} is its vendor's",
            remedy="restore it there (Supabase: Database, Backups); --into NAME makes a copy here, to take from",
        )
    if organization.database_name + KEPT in there:
        raise OperatorError(
            f"{organization.database_name + KEPT} is still there, from an earlier restore",
            remedy=f"look whether all is well, then: draggonnb backup drop-old {organization.slug}",
        )
    return organization.database_name


async def _untouched(old_dsn: str) -> list[UUID] | None:
    """What the replaced ledger has not begun; None where it cannot be read any more."""
    try:
        async with long_connection(old_dsn) as conn:
            return [row["id"] async for row in RESTORES.untouched_rows(conn)]
    except psycopg.Error:
        return None


async def _replay_leads(stack: Stack, organization: Organization, since: datetime) -> list[UUID]:
    async with stack.master.connection() as conn:
        rows = RESTORES.leads_to_replay(
            conn, organization_id=organization.id, since=since, wait_seconds=REPLAY_WAIT_SECONDS
        )
        return [row["id"] async for row in rows]


async def _prepare_like_supabase(dsn: str) -> None:
    """What a hosted project has and our schemas rest on; `public` comes with the file."""
    async with long_connection(dsn) as conn:
        # Our own file, and no parameters.
        await conn.execute(cast(LiteralString, TENANT_LOCAL_SUPABASE.read_text(encoding="utf-8")))
        await conn.execute("drop schema public cascade")


async def _audit_master(stack: Stack, by: str, action: str, slug: str, metadata: dict[str, str]) -> None:
    async with stack.master.connection() as conn:
        await ORGANIZATIONS.audit(
            conn, actor=by, action=action, resource=f"organization:{slug}", metadata=json.dumps(metadata)
        )
