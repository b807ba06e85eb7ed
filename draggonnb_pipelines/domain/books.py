"""Do the books agree? One payment's three entries, and what is wrong where they differ.

Lives here: the comparison, to the cent. Pure. Not here: reading the entries and keeping the findings
(`workflows/billing/books.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from draggonnb_pipelines.domain.invoices import rand


@dataclass(frozen=True, slots=True)
class Entry:
    """One payment by PayFast's id, as notices, invoices and PayFast's history have it. Amounts in cents, VAT included.

    Args:
        day: when PayFast took the money, a day of South Africa; of what its history does not have, when we heard of it.
        notice_cents: what was applied; None where nothing was.
        notice_fee_cents: PayFast's fee by the notice, negative.
        needs_invoice: it was for a month or a charge.
        invoice_cents: what was invoiced; None where nothing was, or the invoice is void.
        history_cents: what PayFast's history has as received; None where it has nothing.
        paid_back_cents: what the history has as taken back, negative.
        was_read: the history of its day was read after we heard of it.
    """

    pf_payment_id: str
    organization_id: UUID | None
    day: date
    notice_cents: int | None
    notice_fee_cents: int | None
    needs_invoice: bool
    invoice_cents: int | None
    history_cents: int | None
    history_fee_cents: int | None
    paid_back_cents: int
    was_read: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """Where the books do not agree. `difference_cents` is ours less theirs; the key is the same while it lasts."""

    key: str
    organization_id: UUID | None
    kind: str
    day: date
    difference_cents: int
    what: str


def findings_of(entry: Entry) -> list[Finding]:
    """Everything that is wrong with one payment; nothing where the three agree."""
    ours, theirs, invoiced = entry.notice_cents, entry.history_cents, entry.invoice_cents
    found: list[Finding] = []

    def note(kind: str, difference_cents: int, what: str) -> None:
        name = f"PayFast's payment {entry.pf_payment_id}"
        key = f"{kind}:{entry.pf_payment_id}"
        found.append(Finding(key, entry.organization_id, kind, entry.day, difference_cents, f"{name}: {what}"))

    if ours is None:
        if left := max((theirs or 0) + entry.paid_back_cents, 0):
            note("not_applied", -left, f"{rand(left)} came in, but no notice of it was applied")
    elif theirs is None:
        if entry.was_read and ours:
            note("not_in_history", ours, f"{rand(ours)} was applied, but PayFast's history does not have it")
    elif ours != theirs:
        note("amount_differs", ours - theirs, f"applied are {rand(ours)}, PayFast's history has {rand(theirs)}")
    elif None not in (fees := (entry.notice_fee_cents, entry.history_fee_cents)) and fees[0] != fees[1]:
        difference = (fees[0] or 0) - (fees[1] or 0)
        note("fee_differs", difference, f"the fee differs by {rand(difference)} from PayFast's history")
    if ours and entry.needs_invoice and invoiced is None and not entry.paid_back_cents:
        note("not_invoiced", -ours, f"{rand(ours)} was applied, but there is no invoice")
    if invoiced is not None and invoiced != (ours or 0):
        note("invoice_differs", invoiced - (ours or 0), f"invoiced are {rand(invoiced)}, applied {rand(ours or 0)}")
    if entry.paid_back_cents and invoiced is not None:
        back = entry.paid_back_cents
        note("paid_back", -back, f"{rand(-back)} was paid back, but the invoice still stands")
    return found


def gap_finding(day: date, given: int, numbers: Sequence[int]) -> Finding | None:
    """Whether the numbers of a series are 1, 2, 3 … up to the last that was given."""
    missing = sorted(set(range(1, given + 1)) ^ set(numbers))
    if not missing:
        return None
    shown = ", ".join(map(str, missing[:10]))
    return Finding("number_gap", None, "number_gap", day, 0, f"{len(missing)} numbers are missing or too many: {shown}")
