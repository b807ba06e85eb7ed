"""Who hears of notices that were refused, and of money for which there is no place: the agency's owners, once each.

Lives here: the words, and how many mails a flood of forgeries is worth. Not here: why a notice is refused
(`payments.py`), sending (`notices.py`).
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from draggonnb_pipelines.domain.organizations import AGENCY_SLUG, Organization
from draggonnb_pipelines.domain.payfast import rand
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.payment_effects import PAYMENTS
from draggonnb_pipelines.workflows.inbox_batches import ORGANIZATIONS
from draggonnb_pipelines.workflows.messages.notices import Notice, tell

log = logging.getLogger(__name__)
OWNERS = ("owner",)
ROWS_AT_ONCE = 500
# Anybody may send forgeries to a public address: beyond so many a day one mail names those of the moment, and no other
# comes that day. What PayFast's own address signed is told of always.
MAILS_A_DAY = 10
NAMED_AT_ONCE = 50


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
        now = stack.now()
        async with stack.master.connection() as conn:
            rows = [row async for row in PAYMENTS.untold(conn, row_limit=ROWS_AT_ONCE)]
            told = await PAYMENTS.told_lately(conn, since=now - timedelta(days=1)) if rows else 0
        if not rows:
            return
        agency = await agency_of(stack)
        if agency is None:
            log.warning("%d notices of payments were refused, and there is no agency to tell", len(rows))
            return
        await tell(stack, agency, _notices(rows, max(MAILS_A_DAY - told, 0), now.date()))
        async with stack.master.connection() as conn:
            await PAYMENTS.told(conn, ids=[row["id"] for row in rows], now=now)


def _notices(rows: Sequence[Mapping[str, Any]], mails_left: int, day: date) -> list[Notice]:
    strangers = [row for row in rows if row["state"] == "rejected" and not _is_payfasts(row)]
    others = [row for row in rows if row["state"] == "needs_review" or _is_payfasts(row)]
    notices = [_of_one(row) for row in [*others, *strangers[:mails_left]]]
    if rest := strangers[mails_left:]:
        notices.append(_of_many(rest, day))
    return notices


def _is_payfasts(row: Mapping[str, Any]) -> bool:
    return bool(row["checks"].get("signature") and row["checks"].get("source"))


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


def _of_many(rows: Sequence[Mapping[str, Any]], day: date) -> Notice:
    lines = [
        "Somebody may be trying out forgeries. Nothing was changed by any of them. No mail comes of more of them "
        "today: `draggonnb billing payments --refused` shows them."
    ]
    named = rows[:NAMED_AT_ONCE]
    lines += [f"{row['received_at']:%Y-%m-%d %H:%M} UTC, {row['source_ip']}: {row['reason']}" for row in named]
    subject = f"{len(rows)} more payment notices were refused"
    return Notice(f"payments:refused:{day}", "payment_refused", subject, tuple(lines), roles=OWNERS)


def described(row: Mapping[str, Any]) -> str:
    """A notice in a few words: its ids and its amount as far as they could be read."""
    amount = "" if row["amount_gross_cents"] is None else f"R{rand(row['amount_gross_cents'])}"
    parts = (row["payment_status"], amount, row["m_payment_id"], row["pf_payment_id"])
    return ", ".join(part for part in parts if part) or "nothing that could be read"
