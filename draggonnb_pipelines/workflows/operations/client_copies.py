"""Databases on our server that hold a client's data besides the one that serves.

Lives here: what a restore calls them, and finding them all, so that an erasure forgets none. Does not live here: making
them (`restores.py`), dropping them (`workflows/provisioning/erasure.py`, and `drop_old`).
"""

from uuid import UUID

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.database_names import databases, databases_marked
from draggonnb_pipelines.resources.stack import Stack

KEPT, FRESH = "_before_restore", "_restoring"


def mark_of(organization_id: UUID) -> str:
    """The comment on a database that was made out of a client's backup, whatever its name is."""
    return f"draggonnb: restored from a backup of organization {organization_id}"


async def copies_of(stack: Stack, organization: Organization) -> list[str]:
    """Their names, the one that serves left out: put aside by a restore, half restored, or restored `--into`."""
    marked, name = await databases_marked(stack.master.dsn, mark_of(organization.id)), organization.database_name
    if name is None:
        return sorted(marked)
    return sorted(({name + KEPT, name + FRESH} & await databases(stack.master.dsn)) | (marked - {name}))
