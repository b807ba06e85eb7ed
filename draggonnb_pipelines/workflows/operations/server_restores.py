"""The whole server is lost: everything again from the folder of files and the master keys, on an empty server.

Lives here: the master, then every client, by the manifest. Does not live here: how one database is filled and made
ready (`restores.py`). Killed at any point it is said again and goes on: what is there already is left alone.
"""

import asyncio
import json
import time
from collections.abc import Callable

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import DraggonnbError, OperatorError
from draggonnb_pipelines.resources.backup_files import long_connection
from draggonnb_pipelines.resources.database_names import databases, drop, rename
from draggonnb_pipelines.resources.migrations import migrate
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.resources.table_figures import row_count
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import MASTER_MIGRATIONS
from draggonnb_pipelines.workflows.operations.backup_manifest import read_manifest
from draggonnb_pipelines.workflows.operations.backup_sources import (
    BACKUPS,
    HOSTED,
    MASTER,
    Taken,
    alone,
    database_of,
    file_key,
    folder_of,
    sound_file,
)
from draggonnb_pipelines.workflows.operations.backups import BackedUp, words
from draggonnb_pipelines.workflows.operations.restores import (
    FRESH,
    KEPT,
    ORGANIZATIONS,
    RESTORES,
    fill,
    filled_and_compared,
    make_ready,
)
from draggonnb_pipelines.workflows.publishing.agenda import note_due

ACTION = "backup.server_restored"
AT_ONCE = 2


async def restore_server(
    settings: Settings,
    *,
    by: str,
    on_start: Callable[[int], None] | None = None,
    on_done: Callable[[BackedUp], None] | None = None,
) -> list[BackedUp]:
    """Restore the master and every client of it from the newest backups. One client's failure never stops another's.

    Args:
        settings: `dsn` names the master's database, which is there, migrated, and without any organization.
        on_start: told how many databases there are.
        on_done: told each outcome as it comes.

    Raises:
        OperatorError: the manifest does not prove itself, or the master has organizations that did not come from it.
        BackupFault, SealBroken: the master's file.
    """
    vault, folder = Vault(settings.keys), folder_of(settings)
    manifest = {taken.slug: taken for taken in await asyncio.to_thread(read_manifest, folder, vault)}
    if MASTER not in manifest:
        raise OperatorError("the manifest has no backup of the master", remedy="without it no client can be opened")
    if on_start:
        on_start(sum(taken.database != HOSTED for taken in manifest.values()))
    done = [await _restore_master(settings, vault, manifest[MASTER])]
    if on_done:
        on_done(done[0])
    async with open_stack(settings) as stack:
        await _adopt(stack, list(manifest.values()))
        outcomes = await _restore_clients(stack, manifest, by=by, on_done=on_done)
        async with stack.master.connection() as conn:
            failed = sum(one.fault is not None for one in outcomes)
            metadata = json.dumps({"clients": len(outcomes) - failed, "failed": failed})
            await ORGANIZATIONS.audit(
                conn, actor=by, action=ACTION, resource=_mark(manifest[MASTER]), metadata=metadata
            )
    return done + outcomes


async def _restore_master(settings: Settings, vault: Vault, taken: Taken) -> BackedUp:
    """Into a fresh database, which then takes the place of the empty one."""
    began, name = time.monotonic(), database_of(settings.dsn)
    async with long_connection(settings.dsn) as conn:
        if await RESTORES.has_audit(conn, action=f"{ACTION}.master", resource=_mark(taken)):
            return BackedUp(MASTER, taken.file_name, taken.size_bytes, row_count(taken.tables))
        if await RESTORES.count_organizations(conn):
            raise OperatorError(
                f"the master database {name} is not empty",
                remedy="a lost server is restored onto an empty one: name another database in DRAGGONNB_MASTER_DSN",
            )
    path = await asyncio.to_thread(sound_file, folder_of(settings), taken)
    key = file_key(vault, None, path)
    figures = await filled_and_compared(settings.dsn, path, key, name + FRESH)
    fresh = dsn_for(settings.dsn, name + FRESH)
    await asyncio.to_thread(migrate, fresh, MASTER_MIGRATIONS)
    async with long_connection(fresh) as conn, conn.transaction():
        await BACKUPS.lost_running(conn)
        await ORGANIZATIONS.audit(
            conn, actor="restore", action=f"{ACTION}.master", resource=_mark(taken), metadata="{}"
        )
    await drop(settings.dsn, name + KEPT)
    await rename(settings.dsn, [(name, name + KEPT), (name + FRESH, name)])
    await drop(settings.dsn, name + KEPT)  # it was empty
    return BackedUp(MASTER, taken.file_name, taken.size_bytes, row_count(figures), time.monotonic() - began)


async def _restore_clients(
    stack: Stack, manifest: dict[str, Taken], *, by: str, on_done: Callable[[BackedUp], None] | None
) -> list[BackedUp]:
    async with stack.master.connection() as conn:
        organizations = [Organization(**row) async for row in RESTORES.databases_to_restore(conn)]
    there = await databases(stack.master.dsn)
    places = asyncio.Semaphore(AT_ONCE)

    async def one(organization: Organization) -> BackedUp:
        async with places:
            done = await _restore_client(stack, organization, manifest.get(organization.slug), there, by=by)
        if on_done:
            on_done(done)
        return done

    return list(await asyncio.gather(*(one(organization) for organization in organizations)))


async def _restore_client(
    stack: Stack, organization: Organization, taken: Taken | None, there: set[str], *, by: str
) -> BackedUp:
    name, began = organization.database_name, time.monotonic()
    assert name is not None
    if taken is None:
        return BackedUp(organization.slug, fault="the manifest has no backup of it")
    if name in there:
        return BackedUp(organization.slug, taken.file_name, taken.size_bytes, row_count(taken.tables))
    try:
        async with alone(stack, organization.slug):
            figures = await fill(stack, organization, taken, name + FRESH)
            await make_ready(stack, organization, taken, name + FRESH, by=by, old=None)
            await rename(stack.master.dsn, [(name + FRESH, name)])
            await note_due(stack.master, organization.id, stack.now())
    except (DraggonnbError, psycopg.Error) as error:
        return BackedUp(organization.slug, taken.file_name, taken.size_bytes, fault=words(error))
    return BackedUp(organization.slug, taken.file_name, taken.size_bytes, row_count(figures), time.monotonic() - began)


async def _adopt(stack: Stack, manifest: list[Taken]) -> None:
    """The files that the restored master does not know, since they are newer than it."""
    async with stack.master.connection() as conn:
        known = {row["id"] async for row in await conn.execute("select id from organizations")}
        for taken in manifest:
            if taken.organization_id is None or taken.organization_id in known:
                await BACKUPS.adopt_backup(
                    conn,
                    id=taken.id,
                    kind="tenant" if taken.organization_id else "master",
                    organization_id=taken.organization_id,
                    database_name=taken.database,
                    started_at=taken.started_at,
                    file_name=taken.file_name,
                    bytes=taken.size_bytes,
                    sha256=taken.sha256,
                    master_key_id=stack.vault.current_key_id,
                    tables=json.dumps(taken.tables),
                )


def _mark(taken: Taken) -> str:
    return f"backup:{taken.id}"
