"""What is backed up, and by whose key: the master, and each organization's database.

Lives here: the databases, the key of each file, where files are, and that one thing at a time happens to a database.
Does not live here: taking (`backups.py`), restoring (`restores.py`, `server_restores.py`).

Each file has a key of its own. The master's is wrapped by the master key; a client's by the client's data key, so that
whoever is erased is unreadable in every copy of every file, wherever it is.
"""

import base64
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg.conninfo import conninfo_to_dict

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.backup_files import BackupFault
from draggonnb_pipelines.resources.postgres import MasterDb, long_connection
from draggonnb_pipelines.resources.sealed_files import SealedReader, sha256_of
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.vault import SealBroken, Vault, key_id_of
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries

BACKUPS = load_queries("backups")
MASTER, HOSTED = "master", "hosted by its vendor"
# Of a database that a vendor hosts, ours; the rest is the vendor's to keep and to restore.
HOSTED_SCHEMAS = ("app", "public", "supabase_migrations")


@dataclass(frozen=True)
class Source:
    """One database that is backed up. `organization` is None for the master."""

    organization: Organization | None
    database: str

    @property
    def name(self) -> str:
        return self.organization.slug if self.organization else MASTER

    @property
    def organization_id(self) -> UUID | None:
        return self.organization.id if self.organization else None

    @property
    def schemas(self) -> tuple[str, ...] | None:
        return HOSTED_SCHEMAS if self.organization and self.organization.is_hosted else None

    def dsn(self, stack: Stack) -> str:
        """Raises TenantUnavailable or SealBroken, as `Tenants.dsn`."""
        return stack.tenants.dsn(self.organization) if self.organization else stack.master.dsn


@dataclass(frozen=True)
class Taken:
    """A good backup, as its row or the manifest has it."""

    id: UUID
    organization_id: UUID | None
    slug: str
    database: str
    started_at: datetime
    file_name: str
    size_bytes: int
    sha256: bytes
    tables: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Taken":
        return cls(
            row["id"], row["organization_id"], row["slug"] or MASTER, row["database_name"], row["started_at"],
            row["file_name"], row["bytes"], bytes(row["sha256"]), row["tables"],
        )  # fmt: skip


def database_of(dsn: str) -> str:
    return str(conninfo_to_dict(dsn)["dbname"])


async def sources(stack: Stack, slugs: list[str] | None = None, *, with_master: bool = True) -> list[Source]:
    """The master first: what a client's database has and the master does not know yet is worked off again, and does not
    repeat; the other way round it would be lost.

    Raises:
        OperatorError: no such organization, or it has no database.
    """
    async with stack.master.connection() as conn:
        found = [Organization(**row) async for row in BACKUPS.organizations_to_back_up(conn, slugs=slugs)]
    if unknown := sorted(set(slugs or ()) - {one.slug for one in found}):
        raise OperatorError(f"no database to back up: {', '.join(unknown)}", remedy="`draggonnb tenant list` shows all")
    master = [Source(None, database_of(stack.master.dsn))] if with_master else []
    return master + [Source(one, one.database_name or HOSTED) for one in found]


async def newest(stack: Stack, *, at: datetime | None = None) -> dict[str, Taken]:
    """The newest good backup of each database, by slug or `master`; with `at`, the newest not after it."""
    async with stack.master.connection() as conn:
        taken = [Taken.of(row) async for row in BACKUPS.newest_done(conn, at=at)]
    return {one.slug: one for one in taken}


def folder_of(settings: Settings) -> Path:
    return settings.backup_dir or settings.state_dir / "backups"


def wrap_file_key(vault: Vault, organization: Organization | None, backup_id: UUID, key: bytes) -> str:
    """The file's key as its header carries it."""
    context = _context(backup_id)
    if organization is None:
        return base64.b64encode(vault.seal(key, context)).decode()
    assert organization.data_key_wrapped is not None
    tenant = vault.tenant_key(organization.id, organization.data_key_wrapped)
    return base64.b64encode(tenant.seal(key, context)).decode()


def file_key(vault: Vault, organization: Organization | None, path: Path) -> bytes:
    """The key of a file, from its header.

    Raises:
        SealBroken: it is another one's file, or was sealed under keys that are not here.
        FileNotFoundError: there is none.
    """
    with SealedReader(path) as reader:
        header = reader.header
    owner = str(organization.id) if organization else None
    if header.get("organization_id") != owner:
        raise SealBroken(f"{path.name} is not a backup of {organization.slug if organization else MASTER}")
    wrapped, context = base64.b64decode(header["key"]), _context(UUID(header["backup"]))
    if organization is None:
        return vault.open(wrapped, context)
    if organization.data_key_wrapped is None:
        raise SealBroken(f"the data key of {organization.slug} was erased: nothing of it can be read any more")
    return vault.tenant_key(organization.id, organization.data_key_wrapped).open(wrapped, context)


def key_of_file(path: Path) -> str:
    """The id of the key that seals a file: of a master key, or of a client's data key.

    Raises:
        SealBroken: it is no sealed file.
        FileNotFoundError: there is none.
    """
    with SealedReader(path) as reader:
        return key_id_of(base64.b64decode(reader.header["key"]))


def sound_file(folder: Path, taken: Taken) -> Path:
    """The file of a backup, if its digest is the recorded one. Reads all of it.

    Raises:
        BackupFault: it is not there, or not as it was written.
    """
    path = folder / taken.file_name
    try:
        is_sound = sha256_of(path) == taken.sha256
    except OSError as error:
        raise BackupFault(f"{path} cannot be read: {error.strerror}") from error
    if not is_sound:
        raise BackupFault(f"{path} is not as it was written: its sha256 is another one")
    return path


@contextlib.asynccontextmanager
async def alone(master: MasterDb, name: str) -> AsyncIterator[None]:
    """Hold a database (by its slug, or `master`) for one backup, restore or move; a killed holder lets go by itself.

    Raises:
        OperatorError: another one is at work on it.
    """
    async with long_connection(master.dsn) as conn:
        if not await BACKUPS.try_lock(conn, name=f"backup:{name}"):
            raise OperatorError(
                f"a backup, restore or move of {name} is at work",
                remedy="wait for its end: `draggonnb backup list`, `draggonnb tenant show SLUG`",
            )
        try:
            yield
        finally:
            with contextlib.suppress(psycopg.Error):  # else it is free as soon as the server sees that we are gone
                await BACKUPS.unlock(conn, name=f"backup:{name}")


def _context(backup_id: UUID) -> str:
    return f"backup:{backup_id}:file-key"
