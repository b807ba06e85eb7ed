"""What we hold of a person, as one zip file to be given to them (POPIA s 23, GDPR Art. 15 and 20).

Lives here: writing it, and deleting old ones. Not here: whose rows they are (`person_rows.py`), the export of a whole
client (`workflows/provisioning/export_bundle.py`).

A folder for each organization, a JSON file for each place with its rows, a manifest with counts and digests.
"""

import asyncio
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.persons import Identity
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.person_inbox import NAME as INBOX
from draggonnb_pipelines.workflows.operations.person_inbox import deliveries_of
from draggonnb_pipelines.workflows.operations.person_places_master import MASTER_PLACES
from draggonnb_pipelines.workflows.operations.person_places_tenant import TENANT_PLACES
from draggonnb_pipelines.workflows.operations.person_rows import places_here, read_rows, search_longer, subject_of

# A file with somebody's data is not to lie about; it can be written again.
KEPT_FOR = timedelta(days=30)
SUFFIX = "-person.zip"


@dataclass
class Exported:
    """The file, its digest, and what is in it; organizations whose database did not answer are missing in it."""

    path: Path
    sha256: str
    files: list[dict[str, Any]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


async def export_person(stack: Stack, organizations: Sequence[Organization], identity: Identity) -> Exported:
    """Write everything that these organizations hold of a person; nothing is changed.

    Only we may read the file. Cut off, it leaves a `.part` file that the nightly `keep_retention` deletes.
    """
    folder = persons_folder(stack)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    taken_at = stack.now()
    handle, name = tempfile.mkstemp(".part", f"{taken_at:%Y%m%dT%H%M%SZ}-", folder)
    exported = Exported(Path(name), "")
    with os.fdopen(handle, "wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
            for organization in organizations:
                await _write_organization(stack, organization, identity, bundle, exported)
            manifest = {"taken_at": taken_at.isoformat(), "files": exported.files, "missing": exported.missing}
            bundle.writestr("manifest.json", _json(manifest))
        file.flush()
        os.fsync(file.fileno())
    exported.sha256 = await asyncio.to_thread(_digest, exported.path)
    exported.path = exported.path.rename(exported.path.with_name(exported.path.stem + SUFFIX))
    return exported


def persons_folder(stack: Stack) -> Path:
    """Where exports and certificates of persons are."""
    return stack.settings.state_dir / "exports" / "persons"


def drop_old_exports(stack: Stack, now: datetime) -> int:
    """Delete exports that are older than `KEPT_FOR`, and what was cut off; certificates stay. Returns how many."""
    folder, dropped = persons_folder(stack), 0
    oldest = (now - KEPT_FOR).timestamp()
    for path in (*folder.glob(f"*{SUFFIX}"), *folder.glob("*.part")):
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
            dropped += 1
    return dropped


async def _write_organization(
    stack: Stack, organization: Organization, identity: Identity, bundle: zipfile.ZipFile, exported: Exported
) -> None:
    try:
        async for place, rows in _read_all(stack, organization, identity):
            text, name = _json(rows).encode(), f"{organization.slug}/{place}.json"
            await asyncio.to_thread(bundle.writestr, name, text)
            digest = hashlib.sha256(text).hexdigest()
            exported.files.append({"file": name, "rows": len(rows), "sha256": digest})
    except TenantUnavailable as error:
        exported.missing[organization.slug] = error.reason


async def _read_all(
    stack: Stack, organization: Organization, identity: Identity
) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """The rows of each place that has any, then the inbox."""
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        await search_longer(tenant.conn)
        subject = await subject_of(tenant.conn, identity)
        parameters = subject.parameters(organization.id, stack.now())
        for place in await places_here(tenant.conn, TENANT_PLACES):
            if rows := await read_rows(tenant.conn, place, parameters):
                yield place.name, rows
        key = tenant.key
    async with stack.master.connection() as conn:
        for place in MASTER_PLACES:
            if rows := await read_rows(conn, place, parameters):
                yield place.name, rows
        deliveries = await deliveries_of(conn, organization, key, subject, with_bodies=True)
    if deliveries.rows:
        yield INBOX, deliveries.rows


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
