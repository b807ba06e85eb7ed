"""The manifest beside the files: which file is the newest of each database, for the day on which nothing else is left.

Lives here: writing, reading and proving it. Does not live here: what is done with it (`server_restores.py`).

Its seal is its digest, sealed under the master key: who does not have that key cannot make one, and cannot change one.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.vault import SealBroken, Vault
from draggonnb_pipelines.resources.whole_files import write_whole
from draggonnb_pipelines.workflows.operations.backup_sources import MASTER, Taken

NAME = "manifest.json"
_CONTEXT = "backup-manifest"


def write_manifest(folder: Path, vault: Vault, newest: Iterable[Taken], *, now: datetime) -> Path:
    """Replace the manifest, in one step.

    Raises:
        OSError: the disk is full; the one before stays.
    """
    entries = [_entry(taken) for taken in sorted(newest, key=lambda taken: (taken.slug != MASTER, taken.slug))]
    body: dict[str, Any] = {"version": 1, "written_at": now.isoformat(), "databases": entries}
    body["seal"] = base64.b64encode(vault.seal(_digest(body), _CONTEXT)).decode()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(folder / NAME, json.dumps(body, indent=1))
    return folder / NAME


def read_manifest(folder: Path, vault: Vault) -> list[Taken]:
    """The newest backup of each database, the master first.

    Raises:
        OperatorError: there is none, it is not as it was written, or it was sealed under keys that are not here.
    """
    path = folder / NAME
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        digest = vault.open(base64.b64decode(body.pop("seal")), _CONTEXT)
        is_sound = hmac.compare_digest(digest, _digest(body))
    except FileNotFoundError as error:
        raise OperatorError(
            f"there is no {path}", remedy="copy the whole folder of backups here, or set DRAGGONNB_BACKUP_DIR"
        ) from error
    except (ValueError, KeyError, AttributeError, SealBroken) as error:
        raise OperatorError(
            f"{path} does not prove itself: {error}",
            remedy="are DRAGGONNB_MASTER_KEYS those of that time? Else copy it anew",
        ) from error
    if not is_sound:
        raise OperatorError(
            f"{path} was changed after it was written", remedy="copy it from where the backups are kept"
        )
    return [_taken(entry) for entry in body["databases"]]


def _digest(body: dict[str, Any]) -> bytes:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()


def _entry(taken: Taken) -> dict[str, Any]:
    return {
        "backup": str(taken.id),
        "organization_id": str(taken.organization_id) if taken.organization_id else None,
        "slug": taken.slug,
        "database": taken.database,
        "started_at": taken.started_at.isoformat(),
        "file": taken.file_name,
        "bytes": taken.size_bytes,
        "sha256": taken.sha256.hex(),
        "tables": dict(taken.tables),
    }


def _taken(entry: dict[str, Any]) -> Taken:
    return Taken(
        id=UUID(entry["backup"]),
        organization_id=UUID(entry["organization_id"]) if entry["organization_id"] else None,
        slug=entry["slug"],
        database=entry["database"],
        started_at=datetime.fromisoformat(entry["started_at"]),
        file_name=entry["file"],
        size_bytes=entry["bytes"],
        sha256=bytes.fromhex(entry["sha256"]),
        tables=entry["tables"],
    )
