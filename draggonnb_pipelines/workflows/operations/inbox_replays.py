"""Deliveries put back to the start of the queue by hand, with who did it.

Not here: what replaying does to a row (`sql/queries/inbox.sql`), who asks for it (`cli/inbox.py`,
`mcp_server/writing.py`).
"""

import json
from collections.abc import Sequence
from uuid import UUID

from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.workflows.inbox_batches import INBOX, ORGANIZATIONS

IDS_IN_AUDIT = 100


async def replay_rows(
    master: MasterDb, ids: Sequence[UUID], *, dead_of: str | None = None, resource: str, by: str
) -> set[UUID]:
    """Replay these rows, as far as they are finished, and all dead ones of an organization; which they were.

    Args:
        dead_of: the organization's slug.
        resource, by: for the audit log, which gets an entry if there was anything to replay.
    """
    async with master.connection() as conn, conn.transaction():
        replayed = {row["id"] async for row in INBOX.replay_rows(conn, ids=list(ids), slug=dead_of)}
        if replayed:
            shown = sorted(map(str, replayed))[:IDS_IN_AUDIT]
            metadata = json.dumps({"rows": len(replayed), "ids": shown})
            await ORGANIZATIONS.audit(conn, actor=by, action="inbox.replayed", resource=resource, metadata=metadata)
    return replayed
