"""What clients' stacks need from time to time: entries that follow a status, exports, returns and removals that
stopped, erasures that are due.

Lives here: the order, and that one client's trouble is its own. Not here: the verbs themselves (`standing.py`,
`removal.py`, `erasure.py`).
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import psycopg

from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.standing import align_standings
from draggonnb_pipelines.workflows.inbox_batches import reason_of
from draggonnb_pipelines.workflows.provisioning.erasure import OFFBOARDING, erase
from draggonnb_pipelines.workflows.provisioning.offboarding import end_withdrawal, offboard
from draggonnb_pipelines.workflows.provisioning.removal import abort
from draggonnb_pipelines.workflows.provisioning.stack_ledger import PROVISIONING

BY = "care"
log = logging.getLogger(__name__)


@dataclass
class Cared:
    """What was brought to its end, and what was not, by client."""

    done: list[str] = field(default_factory=list)
    troubles: dict[str, str] = field(default_factory=dict)


async def care_for_stacks(stack: Stack) -> Cared:
    """Bring to its end what was begun and stopped. May be repeated, and killed, at any time."""
    cared = Cared(troubles=await align_standings(stack))
    async with stack.master.connection() as conn:
        stopped = [row["slug"] async for row in PROVISIONING.stopped_aborts(conn)]
        exports = [row["slug"] async for row in OFFBOARDING.open_exports(conn)]
        staying = [row["slug"] async for row in OFFBOARDING.open_withdrawals(conn)]
        due = [row["slug"] async for row in OFFBOARDING.due_erasures(conn, now=stack.now())]
    for slug in stopped:
        await _try(cared, slug, "aborted", lambda slug=slug: abort(stack, slug, by=BY))
    for slug in exports:
        await _try(cared, slug, "exported", lambda slug=slug: offboard(stack, slug, by=BY))
    for slug in staying:
        await _try(cared, slug, "stays", lambda slug=slug: end_withdrawal(stack, slug, by=BY))
    for slug in due:
        await _try(cared, slug, "erased", lambda slug=slug: erase(stack, slug, by=BY))
    return cared


async def _try(cared: Cared, slug: str, what: str, work: Callable[[], Awaitable[object]]) -> None:
    try:
        await work()
        cared.done.append(f"{slug}: {what}")
    except Exception as error:  # one client's trouble, of whatever kind, is its own; it comes again with the next run
        if not isinstance(error, DraggonnbError | psycopg.Error):
            log.exception("%s broke before it was %s", slug, what)
        cared.troubles[slug] = reason_of(error)
        log.warning("%s is not %s yet: %s", slug, what, reason_of(error))
