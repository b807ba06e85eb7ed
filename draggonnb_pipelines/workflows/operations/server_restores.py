"""The whole server is lost: everything again from the folder of files and the master keys, on an empty server.

Lives here: the master, then every client, by the manifest. Does not live here: how one database is filled and made
ready (`restores.py`). Killed at any point it is said again and goes on: what is there already is left alone.
"""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import DraggonnbError, OperatorError
from draggonnb_pipelines.resources.database_names import databases, drop, rename
from draggonnb_pipelines.resources.migrations import migrate
from draggonnb_pipelines.resources.postgres import Connection, MasterDb, dsn_for, long_connection
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.resources.table_figures import row_count
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import MASTER_MIGRATIONS
from draggonnb_pipelines.workflows.billing.subscription_orders import ORDERS, SETTLE_AFTER
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
    key_of_file,
    sound_file,
)
from draggonnb_pipelines.workflows.operations.backups import BackedUp, words
from draggonnb_pipelines.workflows.operations.client_copies import FRESH, KEPT
from draggonnb_pipelines.workflows.operations.erasure_slips import ReadBack, read_slips_back
from draggonnb_pipelines.workflows.operations.key_rotation import keys_in_use
from draggonnb_pipelines.workflows.operations.restored_work import ORGANIZATIONS, RESTORES, put_in_place
from draggonnb_pipelines.workflows.operations.restores import fill, filled_and_compared

ACTION = "backup.server_restored"
AT_ONCE = 2


async def restore_server(
    settings: Settings,
    *,
    by: str,
    on_start: Callable[[int], None] | None = None,
    on_done: Callable[[BackedUp], None] | None = None,
    on_erasures: Callable[[datetime, ReadBack], None] | None = None,
) -> list[BackedUp]:
    """Restore the master and every client of it from the newest backups. One client's failure never stops another's.

    Args:
        settings: `dsn` names the master's database, which is there, migrated, and without any organization.
        on_start: told how many databases there are.
        on_done: told each outcome as it comes.
        on_erasures: told when the master's backup was taken, and which erasures of persons since then were read back.

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
        erasures = await read_slips_back(stack.master, vault, folder)
        if on_erasures:
            on_erasures(manifest[MASTER].started_at, erasures)
        await _adopt_clients(stack, [taken for taken in manifest.values() if taken.organization_id is not None])
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
    async with MasterDb(fresh, max_connections=1) as filled:
        dump_key_ids = await keys_in_use(filled)
    async with long_connection(fresh) as conn, conn.transaction():
        await BACKUPS.lost_running(conn)
        await _adopt(conn, taken, key_of_file(path), dump_key_ids)
        await ORDERS.doubt_open_orders(conn, charge_wait=SETTLE_AFTER["charge"])
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
    places = asyncio.Semaphore(AT_ONCE)

    async def one(organization: Organization) -> BackedUp:
        async with places:
            done = await _restore_client(stack, organization, manifest.get(organization.slug), by=by)
        if on_done:
            on_done(done)
        return done

    return list(await asyncio.gather(*(one(organization) for organization in organizations)))


async def _restore_client(stack: Stack, organization: Organization, taken: Taken | None, *, by: str) -> BackedUp:
    name, began = organization.database_name, time.monotonic()
    assert name is not None
    if taken is None:
        return BackedUp(organization.slug, fault="the manifest has no backup of it")
    try:
        its_server = stack.tenants.server_dsn(organization)
        if name in await databases(its_server):
            return BackedUp(organization.slug, taken.file_name, taken.size_bytes, row_count(taken.tables))
        async with alone(stack.master, organization.slug):
            figures = await fill(stack, organization, taken, name + FRESH, server_dsn=its_server)
            await put_in_place(stack, organization, taken, by=by, replaces_old=False)
    except (DraggonnbError, psycopg.Error) as error:
        return BackedUp(organization.slug, taken.file_name, taken.size_bytes, fault=words(error))
    return BackedUp(organization.slug, taken.file_name, taken.size_bytes, row_count(figures), time.monotonic() - began)


async def _adopt_clients(stack: Stack, manifest: list[Taken]) -> None:
    async with stack.master.connection() as conn:
        known = {row["id"] async for row in await conn.execute("select id from organizations")}
        for taken in manifest:
            if taken.organization_id in known:
                await _adopt(conn, taken, None, [])


async def _adopt(conn: Connection, taken: Taken, master_key_id: str | None, dump_key_ids: list[str]) -> None:
    """A file that the restored master does not know, since it is newer than it."""
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
        master_key_id=master_key_id,
        dump_key_ids=dump_key_ids,
        tables=json.dumps(taken.tables),
    )


def _mark(taken: Taken) -> str:
    return f"backup:{taken.id}"
