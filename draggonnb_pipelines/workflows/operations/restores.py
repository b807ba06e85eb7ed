"""Restoring one client: a fresh database beside the old one, compared with what the backup says, then the change of
names.

Lives here: the order of the steps, and the fresh database. Does not live here: what keeps a restored client from doing
things twice (`restored_work.py`), the file (`backup_files.py`), a server that is lost (`server_restores.py`).

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
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import LiteralString, cast

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.backup_files import BackupFault, restore_file
from draggonnb_pipelines.resources.database_names import create_empty, databases, drop
from draggonnb_pipelines.resources.migrations import ensure_tenant_template
from draggonnb_pipelines.resources.postgres import dsn_for, long_connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.table_figures import Figures, differences, row_count, table_figures
from draggonnb_pipelines.sql import TENANT_LOCAL_SUPABASE, load_queries
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
from draggonnb_pipelines.workflows.operations.client_copies import FRESH, KEPT, mark_of
from draggonnb_pipelines.workflows.operations.restored_work import put_in_place
from draggonnb_pipelines.workflows.placement import refuse_moving

ORGANIZATIONS = load_queries("organizations")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


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
            still there, the client is being moved, or its database is a vendor's (only `into` can be had).
        BackupFault: the file is not as it was written, or what it gave is not what it says; the client serves on.
        SealBroken: its keys are not here.
    """
    began = time.monotonic()
    async with alone(stack.master, slug):
        [source] = await sources(stack, [slug], with_master=False)
        organization = source.organization
        assert organization is not None
        await refuse_moving(stack.master, organization)
        target = await _checked_target(stack, organization, into)
        taken = (await newest(stack, at=at)).get(slug)
        if taken is None:
            when = f" from {at:%Y-%m-%d %H:%M} UTC or before" if at else ""
            raise OperatorError(
                f"there is no good backup of {slug}{when}", remedy=f"draggonnb backup list --tenant {slug}"
            )
        metadata = {"from": taken.file_name, "database": target}
        # Ahead of everything: whoever is killed right after the change of names has said in the master what he did.
        await _audit_master(stack, by, "backup.restore_begun", slug, metadata)
        fresh = into or target + FRESH
        its_server = stack.tenants.server_dsn(organization)
        figures = await fill(stack, organization, taken, fresh, server_dsn=its_server, on_bytes=on_bytes)
        done = Restored(slug, target, taken.started_at, len(figures), row_count(figures), 0.0)
        if into is None:
            has_old = target in await databases(its_server)
            work = await put_in_place(stack, organization, taken, by=by, replaces_old=has_old)
            done = replace(done, kept_as=target + KEPT if has_old else None, **asdict(work))
        await _audit_master(stack, by, "backup.restored", slug, metadata)
    return replace(done, seconds=time.monotonic() - began)


async def fill(
    stack: Stack,
    organization: Organization | None,
    taken: Taken,
    name: str,
    *,
    server_dsn: str,
    on_bytes: Callable[[int], None] | None = None,
) -> Figures:
    """Make a database on that server out of a backup (one of that name is dropped first) and compare it with what the
    backup says; returns its figures.

    Raises:
        BackupFault: as `restore_tenant`; the database is dropped again.
        SealBroken: likewise.
    """
    path = await asyncio.to_thread(sound_file, folder_of(stack.settings), taken)
    key = file_key(stack.vault, organization, path)
    is_hosted = organization is not None and organization.is_hosted
    if organization is not None:
        await asyncio.to_thread(ensure_tenant_template, server_dsn)  # roles that the file's grants name
    mark = mark_of(organization.id) if organization else None
    return await filled_and_compared(server_dsn, path, key, name, is_hosted=is_hosted, mark=mark, on_bytes=on_bytes)


async def filled_and_compared(
    server_dsn: str,
    path: Path,
    key: bytes,
    name: str,
    *,
    is_hosted: bool = False,
    mark: str | None = None,
    on_bytes: Callable[[int], None] | None = None,
) -> Figures:
    """As `fill`, from a file that was found sound; `mark` becomes the database's comment."""
    await create_empty(server_dsn, name, mark=mark)
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


async def drop_old(stack: Stack, slug: str, *, by: str) -> str:
    """Drop the database that a restore put aside; returns its name.

    Raises:
        OperatorError: no such client, or nothing was put aside.
    """
    async with alone(stack.master, slug):
        [source] = await sources(stack, [slug], with_master=False)
        assert source.organization is not None
        kept_as, its_server = source.database + KEPT, stack.tenants.server_dsn(source.organization)
        if source.schemas or kept_as not in await databases(its_server):
            raise OperatorError(f"there is no database {kept_as}", remedy="no restore has put one aside")
        await _audit_master(stack, by, "backup.old_drop_begun", slug, {"database": kept_as})
        await drop(its_server, kept_as)
        await _audit_master(stack, by, "backup.old_dropped", slug, {"database": kept_as})
    return kept_as


async def _checked_target(stack: Stack, organization: Organization, into: str | None) -> str:
    """The name under which the restored database is to be found in the end."""
    there = await databases(stack.tenants.server_dsn(organization))
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
