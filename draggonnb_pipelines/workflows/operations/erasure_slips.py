"""A slip beside the backups for each person who was forgotten: what a restored master knows of erasures after its dump.

Lives here: writing the slips and reading them back. Does not live here: the erasure (`person_erasure.py`), and
forgetting again whom a backup brought back (`forgotten.py`). A slip names nobody, and is sealed under the master key:
nobody else can make one.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.vault import SealBroken, Vault
from draggonnb_pipelines.resources.whole_files import whole_file
from draggonnb_pipelines.workflows.operations.backup_sources import folder_of
from draggonnb_pipelines.workflows.operations.person_rows import PERSONS

FOLDER, SUFFIX = "erasures", ".erasure"


@dataclass(frozen=True)
class ReadBack:
    """Erasures that the restored master did not know, and slips that do not open."""

    added: int
    unreadable: int


async def write_slip(
    stack: Stack, row: dict[str, Any], certificate: dict[str, Any], also_known_by: list[str], erased_at: datetime
) -> None:
    """Before the erasure ends, so that none that has ended is without.

    Args:
        row: of `person_erasures`.

    Raises:
        OperatorError: the folder of backups cannot be written to; the erasure stays open.
    """
    slip = {
        "organization_id": certificate["organization"]["id"],
        "fingerprint": certificate["fingerprint"],
        "also_known_by": also_known_by,
        "requested_by": row["requested_by"],
        "created_at": row["created_at"].isoformat(),
        "finished_at": erased_at.isoformat(),
        "certificate": certificate,
    }
    sealed = stack.vault.seal(json.dumps(slip).encode(), _context(row["id"]))
    path = folder_of(stack.settings) / FOLDER / f"{row['id']}{SUFFIX}"
    try:
        await asyncio.to_thread(_write, path, sealed)
    except OSError as error:
        raise OperatorError(
            f"{path} cannot be written: {error.strerror}",
            remedy="without it a lost server would bring the person back: mend the folder of backups and say it again",
        ) from error


async def read_slips_back(master: MasterDb, vault: Vault, backups: Path) -> ReadBack:
    """Into a restored master. An erasure that was under way in its dump is left as it is: it goes on by itself."""
    added = unreadable = 0
    async with master.connection() as conn:
        for path in sorted((backups / FOLDER).glob(f"*{SUFFIX}")):
            try:
                erasure_id = UUID(path.stem)
                slip = json.loads(vault.open(path.read_bytes(), _context(erasure_id)))
            except (OSError, ValueError, SealBroken):
                unreadable += 1
                continue
            certificate = Jsonb(slip.pop("certificate"))
            added += await PERSONS.add_erasure(conn, id=erasure_id, certificate=certificate, **slip)
    return ReadBack(added, unreadable)


def _write(path: Path, sealed: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(sealed)


def _context(erasure_id: UUID) -> str:
    return f"person-erasure:{erasure_id}"
