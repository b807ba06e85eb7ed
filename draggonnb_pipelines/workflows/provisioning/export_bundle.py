"""The export bundle: everything in a client's database, as one zip file that the client takes along.

Lives here: writing and deleting it. Not here: when (`offboarding.py`, `erasure.py`).

A CSV file for each table (as Postgres writes it: an empty field is null, "" is an empty text) and a manifest with
counts and digests. All tables are read in one snapshot. Rows stream from the database into the file: neither a table
nor the bundle is ever in memory.
"""

import asyncio
import hashlib
import json
import os
import re
import tempfile
import zipfile
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from psycopg import AsyncCopy, sql

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries

OFFBOARDING = load_queries("offboarding")
MANIFEST = "manifest.json"
CHUNK_BYTES = 1024 * 1024
# A table that takes longer than this to read is stuck.
TABLE_TIMEOUT = "15min"


@dataclass(frozen=True)
class ExportedTable:
    """One table as it is in the bundle; digest and size are of its file before compression."""

    name: str
    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Bundle:
    """The file, and the digest by which its receiver can check it."""

    path: Path
    sha256: bytes
    tables: tuple[ExportedTable, ...]


async def write_bundle(stack: Stack, organization: Organization, taken_at: datetime) -> Bundle:
    """Write a bundle of this moment. Its name ends with its digest: two that are written at once never mix.

    Args:
        taken_at: aware; part of the file's name.

    Raises:
        TenantUnavailable: the database does not answer, or broke off; no file of a final name is left.
        FileNotFoundError: the client stays meanwhile, and what was written is gone.
    """
    folder = exports_folder(stack)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stem = _stem(organization, taken_at)
    # Only we may read it: it holds what the database holds.
    handle, name = tempfile.mkstemp(".part", stem, folder)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            tables = await _write_zip(stack, organization, taken_at, file)
        digest = await asyncio.to_thread(_digest, partial)
        path = await asyncio.to_thread(partial.replace, folder / f"{stem}{digest.hex()[:16]}.zip")
    except BaseException:
        partial.unlink(missing_ok=True)  # noqa: ASYNC240 - also where the run is being cancelled
        raise
    return Bundle(path, digest, tuple(tables))


async def _write_zip(
    stack: Stack, organization: Organization, taken_at: datetime, file: IO[bytes]
) -> list[ExportedTable]:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        tables = await _write_tables(stack, organization, bundle)
        manifest = {
            "organization": organization.slug,
            "name": organization.name,
            "taken_at": taken_at.isoformat(),
            "format": 'CSV (RFC 4180), UTF-8, first line is the header; an empty field is null, "" an empty text',
            "tables": [asdict(table) for table in tables],
        }
        bundle.writestr(MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False))
    file.flush()
    os.fsync(file.fileno())
    return tables


def keep_one_bundle(stack: Stack, organization: Organization, taken_at: datetime, path: Path) -> None:
    """Delete other bundles of the same leave-taking, such as one that a killed run had finished."""
    for other in exports_folder(stack).glob(f"{_stem(organization, taken_at)}*.zip"):
        if other != path:
            other.unlink(missing_ok=True)


def drop_bundles(stack: Stack, organization: Organization) -> None:
    """Delete every copy of this client's data that we have, also what a killed run left half written."""
    folder = exports_folder(stack)
    ours = re.compile(rf"{re.escape(organization.slug)}-\d{{8}}T\d{{6}}Z-.+\.(zip|part)")
    for path in folder.iterdir() if folder.is_dir() else ():
        if ours.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _stem(organization: Organization, taken_at: datetime) -> str:
    return f"{organization.slug}-{taken_at:%Y%m%dT%H%M%SZ}-"


def exports_folder(stack: Stack) -> Path:
    return stack.settings.state_dir / "exports"


async def _write_tables(stack: Stack, organization: Organization, bundle: zipfile.ZipFile) -> list[ExportedTable]:
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        await tenant.conn.execute("set transaction isolation level repeatable read, read only")
        # With row security a role that may not see all would get a part of it without a word: then rather an error.
        await tenant.conn.execute("set local row_security = off")
        await tenant.conn.execute(sql.SQL("set local statement_timeout = {}").format(sql.Literal(TABLE_TIMEOUT)))
        names = [row["name"] async for row in OFFBOARDING.tables_to_export(tenant.conn)]
        return [await _write_table(tenant.conn, name, bundle) for name in names]


async def _write_table(conn: Connection, name: str, bundle: zipfile.ZipFile) -> ExportedTable:
    file, digest, size = f"{name}.csv", hashlib.sha256(), 0
    query = sql.SQL("copy (select * from public.{}) to stdout with (format csv, header)").format(sql.Identifier(name))
    async with conn.cursor() as cursor:
        with bundle.open(file, "w", force_zip64=True) as member:
            async with cursor.copy(query) as rows:
                async for chunk in _chunks(rows):
                    digest.update(chunk)
                    size += len(chunk)
                    await asyncio.to_thread(member.write, chunk)  # compressing takes the time
        return ExportedTable(name, file, cursor.rowcount, size, digest.hexdigest())


async def _chunks(rows: AsyncCopy) -> AsyncIterator[bytes]:
    """The rows, which come one by one, some thousands together."""
    collected = bytearray()
    async for row in rows:
        collected += row
        if len(collected) >= CHUNK_BYTES:
            yield bytes(collected)
            collected.clear()
    if collected:
        yield bytes(collected)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
