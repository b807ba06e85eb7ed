"""Whether a client is served: suspended when it does not pay, served again when it does.

Lives here: the organization's status, and its entries in n8n following it. Not here: who has not paid
(`subscriptions.py`), leaving for good (`offboarding.py`).

The status alone stops what is new: the webhooks refuse (`api/webhooks.py`), no delivery is taken from the inbox
(`inbox.sql`), nothing is published (`agenda.sql`). What a run has in hand goes on to its end, and all that waits is
still there when the client is served again.
"""

import json
from collections.abc import Collection

import psycopg

from draggonnb_pipelines.errors import DraggonnbError, OperatorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.inbox_batches import reason_of
from draggonnb_pipelines.workflows.organizations import ORGANIZATIONS
from draggonnb_pipelines.workflows.provisioning.stack_clients import ledger_of
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger

REMOVAL = load_queries("removal")


async def suspend(stack: Stack, slug: str, *, by: str, reason: str) -> bool:
    """Stop serving a client; False where it was stopped already, whose entries are then only looked after.

    Raises:
        OperatorError: it is neither active nor suspended.
        VendorError: n8n does not answer. The status stands; `align_standings` finishes it.
    """
    return await _change(stack, slug, "active", "suspended", by=by, reason=reason)


async def resume(stack: Stack, slug: str, *, by: str, reason: str) -> bool:
    """Serve a suspended client again; False where it was served already.

    Raises:
        OperatorError, VendorError: as `suspend`.
    """
    return await _change(stack, slug, "suspended", "active", by=by, reason=reason)


async def align_standings(stack: Stack) -> dict[str, str]:
    """Let the entries in n8n follow the status of every client where they do not yet: whoever set it, and whatever was
    killed in between. By slug, what is left to do and why; empty if all agree."""
    async with stack.master.connection() as conn:
        slugs = [row["slug"] async for row in REMOVAL.out_of_step(conn)]
    troubles = {}
    for slug in slugs:
        try:
            await follow_status(await ledger_of(stack, slug))
        except (DraggonnbError, psycopg.Error) as error:
            troubles[slug] = reason_of(error)
    return troubles


async def follow_status(ledger: Ledger) -> None:
    """Publish the client's entries if it is active, and unpublish them if not. Repeatable at any time.

    Raises:
        VendorError: sorted.
    """
    n8n, master, organization = ledger.stack.n8n, ledger.stack.master, ledger.client.organization
    wanted, call = ("running", n8n.publish) if organization.is_active else ("stopped", n8n.unpublish)
    async with master.connection() as conn:
        entries = [row async for row in REMOVAL.entries_of(conn, organization_id=organization.id)]
    for entry in entries:
        if entry["standing"] == wanted:
            continue
        async with master.connection() as conn:
            await REMOVAL.note_standing(conn, id=entry["id"], standing="changing")
        await call(entry["vendor_id"])
        async with master.connection() as conn:
            await REMOVAL.note_standing(conn, id=entry["id"], standing=wanted)


async def set_status(
    stack: Stack, ledger: Ledger, from_statuses: Collection[str], to_status: str, *, by: str, reason: str
) -> bool:
    """Change the status, once, and write down who did it; False if it was not one of `from_statuses`."""
    organization = ledger.client.organization
    async with stack.master.connection() as conn, conn.transaction():
        changed = await REMOVAL.change_standing(
            conn, id=organization.id, from_statuses=list(from_statuses), to_status=to_status
        )
        if changed:
            await ORGANIZATIONS.audit(
                conn,
                actor=by,
                action=f"organization.{to_status}",
                resource=f"organization:{organization.slug}",
                metadata=json.dumps({"reason": reason}),
            )
    return bool(changed)


async def _change(stack: Stack, slug: str, before: str, after: str, *, by: str, reason: str) -> bool:
    ledger = await ledger_of(stack, slug)
    is_new = await set_status(stack, ledger, [before], after, by=by, reason=reason)
    ledger = await ledger_of(stack, slug)
    status = ledger.client.organization.status
    if status != after:
        raise OperatorError(f"{slug} is {status}, not {before}", remedy="`draggonnb tenant show` tells more")
    await follow_status(ledger)
    return is_new
