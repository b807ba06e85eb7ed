"""Backups: every database as a sealed file of one snapshot, with what it held, and what of them is kept.

Lives here: taking them, deleting those that are not kept any more. Does not live here: the file (`backup_files.py`),
the days that are kept (`domain/backup_retention.py`), restoring (`restores.py`, `server_restores.py`, `drills.py`).
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg

from draggonnb_pipelines.domain.backup_retention import kept
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.backup_files import BackupFault, check_file, write_backup
from draggonnb_pipelines.resources.redaction import redact
from draggonnb_pipelines.resources.sealed_files import SealedReader, new_file_key
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.table_figures import row_count
from draggonnb_pipelines.resources.vault import SealBroken
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.operations.backup_manifest import write_manifest
from draggonnb_pipelines.workflows.operations.backup_sources import (
    BACKUPS,
    MASTER,
    Source,
    Taken,
    alone,
    file_key,
    folder_of,
    newest,
    sound_file,
    sources,
    wrap_file_key,
)
from draggonnb_pipelines.workflows.operations.key_rotation import keys_in_use

ORGANIZATIONS = load_queries("organizations")
_FAILURES = (DraggonnbError, psycopg.Error, OSError)
# pg_dump compresses on a core of its own; more at once would take the cores of what serves clients.
AT_ONCE = 2
# What a killed backup left, half or whole, is nobody's after this.
LEFT_AGE = timedelta(days=1)
ROWS_KEPT = timedelta(days=400)


@dataclass(frozen=True)
class BackedUp:
    """What became of one database: a file, or why not."""

    name: str
    file_name: str | None = None
    bytes: int = 0
    rows: int = 0
    seconds: float = 0.0
    fault: str | None = None


async def back_up_all(
    stack: Stack,
    slugs: list[str] | None = None,
    *,
    with_master: bool = True,
    by: str,
    on_start: Callable[[int], None] | None = None,
    on_done: Callable[[BackedUp], None] | None = None,
) -> list[BackedUp]:
    """Back up the master, then the organizations (None: all), two at once; then write the manifest, and delete what is
    not kept. One database's failure never stops another's.

    Args:
        on_start: told how many there are.
        on_done: told each outcome as it comes.

    Raises:
        OperatorError: one of `slugs` has no database.
        OSError: the manifest cannot be written.
    """
    found = await sources(stack, slugs, with_master=with_master)
    places = asyncio.Semaphore(AT_ONCE)
    if on_start:
        on_start(len(found))

    async def one(source: Source) -> BackedUp:
        async with places:
            done = await back_up(stack, source)
        if on_done:
            on_done(done)
        return done

    done = [await one(source) for source in found if source.organization is None]
    done += await asyncio.gather(*(one(source) for source in found if source.organization is not None))
    await renew_manifest(stack)  # first: it never names a file that is deleted
    await delete_expired(stack)
    good = sum(one.fault is None for one in done)
    await _audit(stack, by, "backup.created", {"databases": good, "failed": len(done) - good})
    return done


async def back_up(stack: Stack, source: Source) -> BackedUp:
    """Back up one database. A failure is recorded, if the master answers, and returned; it is not raised."""
    began = time.monotonic()
    try:
        async with alone(stack.master, source.name):
            if source.organization is not None:  # it may have been moved since the run began
                [source] = await sources(stack, [source.name], with_master=False)
            return await _back_up(stack, source, began)
    except _FAILURES as error:
        return BackedUp(source.name, seconds=time.monotonic() - began, fault=words(error))


async def _back_up(stack: Stack, source: Source, began: float) -> BackedUp:
    backup_id, started = uuid4(), stack.now()
    dump_key_ids = await keys_in_use(stack.master) if source.organization is None else []
    async with stack.master.connection() as conn, conn.transaction():
        await BACKUPS.cut_off(conn, organization_id=source.organization_id)
        await BACKUPS.begin_backup(
            conn,
            id=backup_id,
            kind="tenant" if source.organization else "master",
            organization_id=source.organization_id,
            database_name=source.database,
            started_at=started,
            master_key_id=stack.vault.current_key_id,
            dump_key_ids=dump_key_ids,
        )
    key = new_file_key()
    path = folder_of(stack.settings) / f"{source.name}-{started:%Y%m%dT%H%M%SZ}-{backup_id.hex[:8]}.backup"
    try:
        header = {
            "backup": str(backup_id),
            "organization_id": str(source.organization_id) if source.organization_id else None,
            "name": source.name,
            "database": source.database,
            "started_at": started.isoformat(),
            "key": wrap_file_key(stack.vault, source.organization, backup_id, key),
        }
        written = await write_backup(path, source.dsn(stack), header, key, schemas=source.schemas)
    except _FAILURES as error:
        async with stack.master.connection() as conn:
            await BACKUPS.fail_backup(conn, id=backup_id, error=words(error))
        return BackedUp(source.name, seconds=time.monotonic() - began, fault=words(error))
    async with stack.master.connection() as conn:
        is_ours = await BACKUPS.finish_backup(
            conn,
            id=backup_id,
            file_name=path.name,
            bytes=written.size_bytes,
            sha256=written.sha256,
            tables=json.dumps(written.figures),
        )
    if not is_ours:
        raise BackupFault(f"{path.name} is of a backup that another one has called cut off; it goes after a day")
    return BackedUp(source.name, path.name, written.size_bytes, row_count(written.figures), time.monotonic() - began)


async def delete_expired(stack: Stack) -> int:
    """Delete the files that are not kept any more, all of organizations that are erased, and what killed backups left;
    returns how many backups expired. Safe to repeat."""
    folder = folder_of(stack.settings)
    times: dict[UUID | None, list[datetime]] = defaultdict(list)
    async with stack.master.connection() as conn:
        rows = [row async for row in BACKUPS.files_of_all(conn)]
    for row in rows:
        times[row["organization_id"]].append(row["started_at"])
    stays = {owner: kept(moments) for owner, moments in times.items()}
    doomed: dict[UUID, str] = {
        row["id"]: row["file_name"]
        for row in rows
        if row["is_erased"] or row["started_at"] not in stays[row["organization_id"]]
    }
    for name in doomed.values():
        await asyncio.to_thread((folder / name).unlink, missing_ok=True)
    async with stack.master.connection() as conn:
        await BACKUPS.expire_backups(conn, ids=list(doomed))
        await BACKUPS.forget_old(conn, before=stack.now() - ROWS_KEPT)
    await _delete_left(stack, folder, {row["file_name"] for row in rows})
    return len(doomed)


async def _delete_left(stack: Stack, folder: Path, named: set[str]) -> None:
    """Half files, and whole ones whose backup was cut off before its row could say so. What this master does not know
    stays: the folder may have been copied here to restore a lost server."""
    oldest = (stack.now() - LEFT_AGE).timestamp()
    halves, wholes = await asyncio.to_thread(_left_since, folder, named, oldest)
    async with stack.master.connection() as conn:
        lost = {row["id"] async for row in BACKUPS.lost_files(conn, ids=list(wholes))}
    for path in [*halves, *(path for backup_id, path in wholes.items() if backup_id in lost)]:
        await asyncio.to_thread(path.unlink, missing_ok=True)


def _left_since(folder: Path, named: set[str], oldest: float) -> tuple[list[Path], dict[UUID, Path]]:
    """Files from before that moment, and that no good backup names: half ones, and whole ones by their backup."""
    halves, wholes = [], {}
    for path in [*folder.glob("*.part"), *folder.glob("*.backup")]:
        with suppress(FileNotFoundError, SealBroken, KeyError, ValueError):
            if path.name in named or path.stat().st_mtime >= oldest:
                continue
            if path.suffix == ".part":
                halves.append(path)
                continue
            with SealedReader(path) as reader:
                wholes[UUID(reader.header["backup"])] = path
    return halves, wholes


async def renew_manifest(stack: Stack) -> None:
    """Write down which file is the newest of each database.

    Raises:
        OSError: the disk is full.
    """
    found = (await newest(stack)).values()
    await asyncio.to_thread(write_manifest, folder_of(stack.settings), stack.vault, found, now=stack.now())


async def verify(
    stack: Stack, slugs: Sequence[str] | None = None, *, on_done: Callable[[BackedUp], None] | None = None
) -> list[BackedUp]:
    """Read the newest file of each database (or of these) to its end: digest, seal of every chunk, its own figures
    against the recorded ones. Changes nothing."""
    wanted = set(slugs or ())
    by_name = {source.name: source for source in await sources(stack, sorted(wanted - {MASTER}) if slugs else None)}
    taken = await newest(stack)
    outcomes = []
    for name, source in by_name.items():
        if wanted and name not in wanted:
            continue
        outcome = await _verify(stack, source, taken.get(name))
        outcomes.append(outcome)
        if on_done:
            on_done(outcome)
    return outcomes


async def _verify(stack: Stack, source: Source, taken: Taken | None) -> BackedUp:
    if taken is None:
        return BackedUp(source.name, fault="it was never backed up")
    began = time.monotonic()
    try:
        path = await asyncio.to_thread(sound_file, folder_of(stack.settings), taken)
        key = file_key(stack.vault, source.organization, path)
        if await asyncio.to_thread(check_file, path, key) != taken.tables:
            raise BackupFault(f"{path.name} says other figures than its row")
    except (BackupFault, SealBroken) as error:
        return BackedUp(source.name, taken.file_name, taken.size_bytes, fault=words(error))
    return BackedUp(source.name, taken.file_name, taken.size_bytes, row_count(taken.tables), time.monotonic() - began)


async def _audit(stack: Stack, by: str, action: str, metadata: dict[str, int]) -> None:
    async with stack.master.connection() as conn:
        await ORGANIZATIONS.audit(conn, actor=by, action=action, resource="backups", metadata=json.dumps(metadata))


def words(error: Exception) -> str:
    """Why, on one line and without secrets."""
    return redact(" ".join(str(error).split()))[:500] or type(error).__name__
