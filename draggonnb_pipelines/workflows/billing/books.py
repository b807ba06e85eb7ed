"""The books: PayFast's own history read daily, payments found there of which no notice came, and the comparison.

Lives here: reading, storing, reporting. Not here: what a payment that was found does (`payments.py`, as with a notice),
what counts as wrong (`domain/books.py`), invoicing (`invoices.py`).
"""

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from draggonnb_pipelines.domain.books import Entry, Finding, findings_of, gap_finding
from draggonnb_pipelines.domain.invoices import rand
from draggonnb_pipelines.domain.itn import ItnRefused, parse_itn
from draggonnb_pipelines.domain.organizations import AGENCY_SLUG
from draggonnb_pipelines.domain.payfast import SAST, south_african_day
from draggonnb_pipelines.domain.reports import (
    CheckOutcome,
    KeyReport,
    Markdown,
    PartitionKey,
    StepReport,
    markdown_text,
)
from draggonnb_pipelines.resources.payfast_wire import Transaction
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.billing.invoices import SERIES
from draggonnb_pipelines.workflows.billing.payments import RAW
from draggonnb_pipelines.workflows.inbox_batches import organizations_by_slug

BOOKS = load_queries("books")
RECEIVED = "FUNDS_RECEIVED"
OUR_PREFIX = "DRG-"
# PayFast may need a moment until a payment stands in its history.
SETTLE = timedelta(minutes=10)
FINDINGS_SHOWN = 50
_COLUMNS = ("date", "type", "sign", "currency", "gross", "fee", "net", "m payment id", "pf payment id")


@dataclass(frozen=True)
class HistoryRead:
    """How many transactions PayFast told of, and PayFast's ids of payments that no notice had told of."""

    transactions: int
    missed: tuple[str, ...]


async def read_history(stack: Stack, run_id: str, start: date, end: date) -> HistoryRead:
    """Read PayFast's history of these days, both included, days of South Africa; may be repeated at any time.

    A payment of ours without a notice is stored as one that is verified, since PayFast itself tells of it; the next
    `take_notices` gives it its effect. Payments that the same merchant account took for something else are left out.

    Raises:
        VendorError: PayFast did not answer, or not in a form that we understand; nothing was stored.
        ValueError: the end is before the start.
    """
    if end < start:
        raise ValueError(f"no days: {start} to {end}")
    read_at = stack.now()
    lines = await stack.payfast.history(start, end)
    async with stack.master.connection() as conn, conn.transaction():
        await BOOKS.lock_books(conn)
        await _put_transactions(conn, lines)
        last = min(end, south_african_day(read_at))
        await BOOKS.put_days_read(conn, first=start, last=last, read_at=read_at)
        missed = await _missed(stack, conn, lines)
        stored = [line.pf_payment_id for line in missed if await _add(stack, conn, line)]
    return HistoryRead(len(lines), tuple(stored))


async def _put_transactions(conn: Connection, lines: Iterable[Transaction]) -> None:
    """Lines of one payment, kind and day are one entry: of parts that were paid back on one day the sum counts."""
    of_key: dict[tuple[str, str, date], list[Transaction]] = defaultdict(list)
    for line in lines:
        of_key[line.pf_payment_id, _kind(line), south_african_day(line.at)].append(line)
    await BOOKS.put_transactions(
        conn,
        pf_payment_ids=[key[0] for key in of_key],
        kinds=[key[1] for key in of_key],
        days=[key[2] for key in of_key],
        m_payment_ids=[parts[0].m_payment_id for parts in of_key.values()],
        gross=[sum(part.gross_cents for part in parts) for parts in of_key.values()],
        fees=[sum(part.fee_cents for part in parts) for parts in of_key.values()],
        nets=[sum(part.net_cents for part in parts) for parts in of_key.values()],
    )


def _kind(line: Transaction) -> str:
    """FUNDS_RECEIVED is money that came in, in rand; everything else keeps its name, with what sets it apart."""
    kind = "_".join(line.type.upper().split())
    apart = [word for word, usual in ((line.sign, "CREDIT"), (line.currency, "ZAR")) if word != usual]
    return "_".join([kind, *apart]) if kind == RECEIVED else kind


async def _missed(stack: Stack, conn: Connection, lines: Sequence[Transaction]) -> list[Transaction]:
    came = [line for line in lines if _kind(line) == RECEIVED and line.pf_payment_id and line.m_payment_id]
    asked = sorted({line.m_payment_id for line in came})
    ours = {row["m_payment_id"] async for row in BOOKS.our_payment_ids(conn, m_payment_ids=asked)}
    came = [line for line in came if line.m_payment_id in ours or line.m_payment_id.startswith(OUR_PREFIX)]
    ids = [line.pf_payment_id for line in came]
    known = {row["pf_payment_id"] async for row in BOOKS.known_payments(conn, pf_payment_ids=ids)}
    known |= {name async for name in _unread(stack, conn)}
    return [line for line in came if line.pf_payment_id not in known]


async def _unread(stack: Stack, conn: Connection) -> AsyncIterator[str]:
    """PayFast's ids in notices that came and wait for their turn. Forged ones keep a payment out until refused."""
    async for row in BOOKS.unread_notices(conn):
        try:
            itn = parse_itn(stack.vault.open(row["raw_sealed"], RAW))
        except ItnRefused:
            continue
        if itn.pf_payment_id:
            yield itn.pf_payment_id


async def _add(stack: Stack, conn: Connection, line: Transaction) -> bool:
    text = io.StringIO()
    values = (line.at.astimezone(SAST).isoformat(), line.type, line.sign, line.currency)
    amounts = (line.gross_cents, line.fee_cents, line.net_cents)
    csv.writer(text).writerows((_COLUMNS, (*values, *amounts, line.m_payment_id, line.pf_payment_id)))
    raw = text.getvalue().encode()
    return bool(
        await BOOKS.add_missed(
            conn,
            received_at=line.at,
            raw_sealed=stack.vault.seal(raw, RAW),
            raw_sha256=hashlib.sha256(raw).digest(),
            pf_payment_id=line.pf_payment_id,
            m_payment_id=line.m_payment_id,
            gross_cents=line.gross_cents,
            fee_cents=line.fee_cents,
            net_cents=line.net_cents,
        )
    )


async def compare_books(stack: Stack, run_id: str, keys: Sequence[PartitionKey]) -> StepReport:
    """Compare notices, invoices and PayFast's history, payment by payment; keep what differs until it does no more.

    All payments of the keys' organizations are compared, of whatever day, so that findings settle by themselves. A
    key's check says whether the organization's books agree up to its day. What belongs to nobody, and the row of
    numbers, are the agency's. A day whose history was not read to its end waits.
    """
    slugs = list(dict.fromkeys(key.slug for key in keys))
    organizations = await organizations_by_slug(stack, slugs)
    ids = [organization.id for organization in organizations.values()]
    now, with_unowned = stack.now(), AGENCY_SLUG in organizations
    async with stack.master.connection() as conn, conn.transaction():
        await BOOKS.lock_books(conn)
        entries = await _entries(conn, ids, with_unowned)
        findings = [finding for entry in entries for finding in findings_of(entry)]
        if with_unowned:
            findings += await _gaps(conn, south_african_day(now))
        await _keep(conn, findings, ids, with_unowned, now)
        read = {row["day"]: row["read_at"] async for row in BOOKS.days_read(conn, days=[key.day for key in keys])}
    of_day: dict[tuple[Any, date], list[Entry]] = defaultdict(list)
    for entry in entries:
        of_day[entry.organization_id, entry.day].append(entry)
    done: dict[PartitionKey, KeyReport] = {}
    failed, waiting = {}, {}
    for key in keys:
        organization = organizations.get(key.slug)
        if organization is None:
            failed[key] = "there is no such organization"
        elif reason := _unread_day(key.day, read.get(key.day), now):
            waiting[key] = reason
        else:
            owners = {organization.id, None} if key.slug == AGENCY_SLUG else {organization.id}
            mine = [entry for owner in owners for entry in of_day[owner, key.day]]
            last = _last_day(key.day, now)
            open_ones = [one for one in findings if one.organization_id in owners and one.day <= last]
            done[key] = _report(mine, open_ones)
    return StepReport(done=done, failed=failed, waiting=waiting)


def _last_day(day: date, now: datetime) -> date:
    """South Africa's last day in a partition: two hours before the end of a day in UTC it has the next one already."""
    return max(day, south_african_day(now)) if day == now.date() else day


def _unread_day(day: date, read_at: datetime | None, now: datetime) -> str | None:
    ends = datetime.combine(day + timedelta(days=1), time(), SAST)
    if read_at is None:
        return f"PayFast's history of {day} was not read yet"
    return f"PayFast's history of {day} was not read after its end yet" if read_at < ends <= now else None


async def _entries(conn: Connection, ids: Sequence[Any], with_unowned: bool) -> list[Entry]:
    rows = BOOKS.entries(
        conn,
        organization_ids=list(ids),
        with_unowned=with_unowned,
        received=RECEIVED,
        prefix=OUR_PREFIX,
        zone="Africa/Johannesburg",
        settle_seconds=SETTLE.total_seconds(),
    )
    return [Entry(**row) async for row in rows]


async def _gaps(conn: Connection, today: date) -> list[Finding]:
    series = await BOOKS.numbers_given(conn, series=SERIES)
    finding = gap_finding(today, series["last_number"], series["numbers"])
    return [finding] if finding else []


async def _keep(
    conn: Connection, findings: Sequence[Finding], ids: Sequence[Any], with_unowned: bool, now: datetime
) -> None:
    await BOOKS.put_findings(
        conn,
        keys=[finding.key for finding in findings],
        organization_ids=[finding.organization_id for finding in findings],
        kinds=[finding.kind for finding in findings],
        days=[finding.day for finding in findings],
        differences=[finding.difference_cents for finding in findings],
        whats=[finding.what for finding in findings],
        now=now,
    )
    found = [finding.key for finding in findings]
    await BOOKS.settle_findings(conn, keys=found, organization_ids=list(ids), with_unowned=with_unowned, now=now)


def _report(entries: Sequence[Entry], findings: Sequence[Finding]) -> KeyReport:
    sums: Mapping[str, int] = {
        "notices": sum(entry.notice_cents or 0 for entry in entries),
        "invoices": sum(entry.invoice_cents or 0 for entry in entries),
        "PayFast's history": sum(entry.history_cents or 0 for entry in entries),
    }
    table = [
        "| books | total of the day |",
        "|---|---|",
        *(f"| {name} | {rand(cents)} |" for name, cents in sums.items()),
    ]
    metadata: dict[str, Any] = {"books": Markdown("\n".join(table)), "payments": len(entries)}
    if findings:
        lines = ["| day | difference | what |", "|---|---|---|"]
        lines += [
            f"| {finding.day} | {rand(finding.difference_cents)} | {markdown_text(finding.what)} |"
            for finding in findings[:FINDINGS_SHOWN]
        ]
        metadata["findings"] = Markdown("\n".join(lines))
    words = f"{len(findings)} differences, the first: {findings[0].what}" if findings else "they agree to the cent"
    check = CheckOutcome("books_agree", not findings, words, metadata={"differences": len(findings)})
    return KeyReport(rows=len(entries), metadata=metadata, checks=(check,))
