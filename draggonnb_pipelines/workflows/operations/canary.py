"""The canary: a post of the agency's own that goes the whole way every hour, and is taken back at once.

A process that lives is not yet one that publishes. So a real post is put on the queue, for an account that is for
nothing else, and then nothing is done but to look: the sensor must see it, the daemon must start a run, the publisher
must send it. What looks at the network's side is the adapter's own `confirm`.

Lives here: the post, the waiting for it, the taking back. Not here: the publishing (`workflows/publishing/`), the check
that shows the verdict (`canary_checks.py`).
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import AGENCY_SLUG, Organization
from draggonnb_pipelines.domain.publishing import Platform, fingerprint
from draggonnb_pipelines.domain.reports import CheckOutcome
from draggonnb_pipelines.errors import DraggonnbError, OperatorError, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.content.scheduling import SCHEDULING
from draggonnb_pipelines.workflows.inbox_batches import organizations_by_slug
from draggonnb_pipelines.workflows.publishing.account_alerts import ACCOUNTS
from draggonnb_pipelines.workflows.publishing.accounts import open_token
from draggonnb_pipelines.workflows.publishing.agenda import announced
from draggonnb_pipelines.workflows.publishing.publish_questions import request_undo

CANARY = load_queries("canary")
NAME = "canary_is_public"
PATIENCE_SECONDS = 300.0
POLL_SECONDS = 1.0
BY = "canary"
# Once it was public, another canary may have had it taken back.
PUBLIC = frozenset({"published", "undo_requested", "undone"})
ENDED = frozenset({*PUBLIC, "refused", "needs_review", "cancelled", "dropped"})


@dataclass(frozen=True)
class Cage:
    """Whose canary it is: the agency, and its account that is for nothing else."""

    agency: Organization
    account: Mapping[str, Any]

    @property
    def platform(self) -> Platform:
        return Platform(self.account["platform_id"])


async def fly_canary(stack: Stack, *, patience_seconds: float = PATIENCE_SECONDS) -> CheckOutcome:
    """Publish a post by way of the daemon, see it at the network, have it deleted; a verdict in any case.

    Args:
        patience_seconds: how long each of the two may take, publishing and deleting.
    """
    account_id = stack.settings.canary_account
    if account_id is None:
        said = "nothing was published: no account is the canary's (DRAGGONNB_CANARY_ACCOUNT)"
        return CheckOutcome(NAME, passed=True, description=said)
    try:
        cage = await _cage(stack, account_id)
        return await _fly(stack, cage, patience_seconds)
    except OperatorError as error:
        return _failed(f"{error.message}; {error.remedy}")
    except DraggonnbError as error:
        return _failed(str(error))


async def _cage(stack: Stack, account_id: UUID) -> Cage:
    agency = (await organizations_by_slug(stack, [AGENCY_SLUG])).get(AGENCY_SLUG)
    if agency is None or not agency.is_active:
        raise OperatorError(f"there is no active organization {AGENCY_SLUG}", remedy="create the agency's own first")
    async with stack.tenants.open(agency) as tenant:
        account = await ACCOUNTS.get_account(tenant.conn, account_id=account_id)
    list_them = f"`draggonnb account list {AGENCY_SLUG}` shows them"
    if account is None:
        raise OperatorError(f"{AGENCY_SLUG} has no account {account_id}", remedy=list_them)
    if account["platform_id"] == Platform.INSTAGRAM:
        raise OperatorError("Instagram lets no program delete a post", remedy="take an account of another network")
    if account["status"] != "connected":
        reason = f": {account['status_reason']}" if account["status_reason"] else ""
        raise OperatorError(f"the canary's account is {account['status']}{reason}", remedy=list_them)
    return Cage(agency, account)


async def _fly(stack: Stack, cage: Cage, patience_seconds: float) -> CheckOutcome:
    began, row_id = time.monotonic(), await _enqueue(stack, cage)
    troubles = await _clear(stack, cage, row_id)
    row = await _wait(stack, cage, row_id, ENDED, patience_seconds)
    public_seconds = time.monotonic() - began
    if row["status"] not in PUBLIC:
        await _withdraw(stack, cage, row_id)
        why = row["question"] or row["last_error"] or "no run has taken it: look at the daemon and the queue of runs"
        return _failed(f"after {public_seconds:.0f} s the post is {row['status']}: {why}")
    if row["status"] == "published":
        if trouble := await _unseen(stack, cage, row):
            troubles.append(trouble)
        await request_undo(stack, cage.agency, row_id, by=BY)
    row = await _wait(stack, cage, row_id, frozenset({"undone", "needs_review"}), patience_seconds)
    if row["status"] != "undone":
        troubles.append(f"it was not taken back: {row['question'] or row['last_error'] or row['status']}")
    if troubles:
        return _failed("; ".join(troubles))
    return CheckOutcome(
        NAME,
        passed=True,
        description=f"public on {cage.platform} after {public_seconds:.0f} s, seen there, and taken back",
        metadata={
            "public after (s)": round(public_seconds, 1),
            "taken back after (s)": round(time.monotonic() - began, 1),
        },
    )


async def _enqueue(stack: Stack, cage: Cage) -> UUID:
    """The post and its one row, in one transaction, due now. It counts against no plan."""
    moment = datetime.now(UTC)
    post_id = uuid5(cage.agency.id, f"canary:{moment.isoformat()}")
    row_id = uuid5(post_id, str(cage.account["account_id"]))
    # Other words each time: networks refuse a repetition.
    text = f"We are testing our own publishing, {moment:%Y-%m-%d %H:%M:%S.%f} UTC. This post removes itself."
    payload = {"text": text, "media": [], "made_with_ai": False}
    async with (
        stack.tenants.open(cage.agency) as tenant,
        announced(stack.master, cage.agency.id, moment),
        tenant.conn.transaction(),
    ):
        await CANARY.add_post(tenant.conn, id=post_id, text=text, platform_id=str(cage.platform))
        post = await CANARY.approve_post(tenant.conn, id=post_id)
        made = SCHEDULING.enqueue(
            tenant.conn,
            post_id=post_id,
            content_hash=post["content_hash"],
            revision=post["revision"],
            publish_at=post["db_now"],
            scheduled_local=None,
            left_out=None,
            ids=[row_id],
            platform_ids=[str(cage.platform)],
            account_ids=[cage.account["account_id"]],
            parts=[0],
            kinds=["post"],
            payloads=[Jsonb(payload)],
            fingerprints=[fingerprint(text)],
        )
        assert [row async for row in made]
    return row_id


async def _clear(stack: Stack, cage: Cage, row_id: UUID) -> list[str]:
    """Take back what canaries left that were killed; a line for each that cannot be."""
    async with stack.tenants.open(cage.agency) as tenant:
        account_id = cage.account["account_id"]
        rows = [row async for row in CANARY.left_behind(tenant.conn, account_id=account_id, id=row_id)]
        for row in rows:
            if row["status"] != "published":
                await CANARY.withdraw_post(tenant.conn, post_id=row["post_id"])
    troubles = []
    for row in rows:
        if row["status"] == "published":
            try:
                await request_undo(stack, cage.agency, row["id"], by=BY)
            except OperatorError as error:
                troubles.append(f"an earlier one is still public ({error.message}): delete it in the network's app")
    return troubles


async def _wait(
    stack: Stack, cage: Cage, row_id: UUID, statuses: frozenset[str], patience_seconds: float
) -> Mapping[str, Any]:
    """The row once it has one of the statuses, or as it is when patience ends."""
    ends = time.monotonic() + patience_seconds
    while True:
        async with stack.tenants.open(cage.agency) as tenant:
            row = await CANARY.row(tenant.conn, id=row_id)
        if row["status"] in statuses or time.monotonic() > ends:
            return row
        await asyncio.sleep(POLL_SECONDS)


async def _unseen(stack: Stack, cage: Cage, row: Mapping[str, Any]) -> str | None:
    """Why the network does not show the post that it said it took; None: it does."""
    async with stack.tenants.open(cage.agency) as tenant:
        account = open_token(tenant, cage.account)
    try:
        found = await stack.platforms[cage.platform].confirm(account, row["platform_post_id"])
    except VendorError as error:
        return f"{cage.platform} could not be asked for the post: {error.message}"
    return None if found else f"{cage.platform} took the post and does not show it"


async def _withdraw(stack: Stack, cage: Cage, row_id: UUID) -> None:
    """Nobody is to send it later: the next run cancels its row."""
    async with stack.tenants.open(cage.agency) as tenant:
        row = await CANARY.row(tenant.conn, id=row_id)
        await CANARY.withdraw_post(tenant.conn, post_id=row["post_id"])


def _failed(description: str) -> CheckOutcome:
    return CheckOutcome(NAME, passed=False, description=description)
