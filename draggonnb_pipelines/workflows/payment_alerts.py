"""Who hears of notices that were refused, and of money for which there is no place: the agency's owners, once each.

Lives here: the words, and how many mails a flood of forgeries is worth. Not here: why a notice is refused
(`payments.py`), sending (`notices.py`).
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from draggonnb_pipelines.domain.organizations import AGENCY_SLUG, Organization
from draggonnb_pipelines.domain.payfast import rand
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.inbox_batches import ORGANIZATIONS
from draggonnb_pipelines.workflows.notices import Notice, tell
from draggonnb_pipelines.workflows.payment_effects import PAYMENTS

log = logging.getLogger(__name__)
OWNERS = ("owner",)
ROWS_AT_ONCE = 500
# Anybody may send forgeries to a public address: beyond so many at a time one mail names them all.
MAILS_AT_ONCE = 10


async def agency_of(stack: Stack) -> Organization | None:
    """The agency's own organization, whose outbox carries what no client's database can."""
    async with stack.master.connection() as conn:
        row = await ORGANIZATIONS.get_organization(conn, slug=AGENCY_SLUG)
    return Organization(**row) if row else None


async def tell_refused(stack: Stack) -> None:
    """Tell of every notice that nobody has heard of yet; what is told while a run is killed is not told again.

    Raises:
        TenantUnavailable: the agency's database is away; they wait.
    """
    while True:
        async with stack.master.connection() as conn:
            rows = [row async for row in PAYMENTS.untold(conn, row_limit=ROWS_AT_ONCE)]
        if not rows:
            return
        agency = await agency_of(stack)
        if agency is None:
            log.warning("%d notices of payments were refused, and there is no agency to tell", len(rows))
            return
        await tell(stack, agency, _notices(rows))
        async with stack.master.connection() as conn:
            await PAYMENTS.told(conn, ids=[row["id"] for row in rows], now=stack.now())


def _notices(rows: Sequence[Mapping[str, Any]]) -> list[Notice]:
    parked = [row for row in rows if row["state"] == "needs_review"]
    refused = [row for row in rows if row["state"] == "rejected"]
    notices = [_of_one(row) for row in [*parked, *refused[:MAILS_AT_ONCE]]]
    if rest := refused[MAILS_AT_ONCE:]:
        notices.append(_of_many(rest))
    return notices


def _of_one(row: Mapping[str, Any]) -> Notice:
    is_parked = row["state"] == "needs_review"
    subject = "A payment needs you" if is_parked else "A payment notice was refused"
    lines = (
        f"Why: {row['reason']}.",
        f"What it says: {described(row)}. It came at {row['received_at']:%Y-%m-%d %H:%M} UTC from "
        f"{row['source_ip'] or 'PayFast’s history'}.",
        "Nothing was changed by it."
        if is_parked
        else "Nothing was changed by it, and nothing is to be done if you "
        "expected no such payment. If a client says that it has paid, look at PayFast under Transaction History.",
        f"Its record is {row['id']}.",
    )
    return Notice(f"payment:{row['id']}:{row['state']}", "payment_refused", subject, lines, roles=OWNERS)


def _of_many(rows: Sequence[Mapping[str, Any]]) -> Notice:
    names = hashlib.sha256("".join(str(row["id"]) for row in rows).encode()).hexdigest()[:32]
    lines = ["Somebody may be trying out forgeries. Nothing was changed by any of them."]
    lines += [f"{row['received_at']:%Y-%m-%d %H:%M} UTC, {row['source_ip']}: {row['reason']}" for row in rows]
    subject = f"{len(rows)} more payment notices were refused"
    return Notice(f"payments:{names}", "payment_refused", subject, tuple(lines), roles=OWNERS)


def described(row: Mapping[str, Any]) -> str:
    """A notice in a few words: its ids and its amount as far as they could be read."""
    amount = "" if row["amount_gross_cents"] is None else f"R{rand(row['amount_gross_cents'])}"
    parts = (row["payment_status"], amount, row["m_payment_id"], row["pf_payment_id"])
    return ", ".join(part for part in parts if part) or "nothing that could be read"
