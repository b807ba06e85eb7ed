"""PayFast's notices: read, checked four times, and given their effect once.

Lives here: what is due, the checks, what becomes of a notice that fails one. Not here: taking notices in (the API),
what a believed one does (`payment_effects.py`), who is told of the others (`payment_alerts.py`).

A notice is refused only for what it is. Where a check cannot be made, since PayFast or a database is away, it waits.
Several processes may work on the same notices: each step looks at the row again.
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.itn import CANCELLED, COMPLETE, Itn, ItnChecks, ItnRefused, check_itn, parse_itn
from draggonnb_pipelines.errors import DraggonnbError, NeedsReview, VendorError
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.payment_alerts import tell_refused
from draggonnb_pipelines.workflows.billing.payment_effects import PAYMENTS, apply_payment
from draggonnb_pipelines.workflows.billing.subscription_changes import possible_amounts, read_subscription, token_sha256
from draggonnb_pipelines.workflows.inbox_batches import ORGANIZATIONS, reason_of

log = logging.getLogger(__name__)
ROWS_AT_ONCE = 100
CHECKS_AT_ONCE = 8
MAX_WAIT = timedelta(hours=1)
EARLY_WAIT = timedelta(minutes=10)
RAW = "payments:raw"
# Older code of PayFast's knows these; no money has moved.
NO_NEWS = frozenset({"PENDING", "FAILED"})
WORDS = {
    "signature": "the signature is wrong",
    "source": "it came from an address that is none of PayFast's",
    "merchant": "it is for another merchant",
    "amount": "the amount is not what was to be paid, or nothing of ours was",
    "postback": "PayFast says that it did not send this",
}


@dataclass
class _Pass:
    """One look at everything that is due."""

    stack: Stack
    seen: set[UUID] = field(default_factory=set)
    touched: set[UUID] = field(default_factory=set)
    outage: VendorError | None = None

    async def work_through(self) -> None:
        permits = asyncio.Semaphore(CHECKS_AT_ONCE)

        async def check(row: Mapping[str, Any]) -> bool:
            async with permits:
                return await self._guarded(row, self._believed)

        while rows := await self._due():
            self.seen |= {row["id"] for row in rows}
            verdicts = await asyncio.gather(*map(check, rows))
            for row in itertools.compress(rows, verdicts):
                await self._guarded(row, self._applied)

    async def _due(self) -> list[dict[str, Any]]:
        async with self.stack.master.connection() as conn:
            due = PAYMENTS.due_payments(conn, now=self.stack.now(), seen=list(self.seen), row_limit=ROWS_AT_ONCE)
            return [row async for row in due]

    async def _guarded(self, row: Mapping[str, Any], work: Callable[[Mapping[str, Any]], Awaitable[bool]]) -> bool:
        """One notice's trouble is its own: it waits, and the others go on."""
        try:
            return await work(row)
        except (DraggonnbError, psycopg.Error) as error:
            log.warning("payment %s waits: %s", row["id"], reason_of(error))
            await self._put_off(row, reason_of(error))
        except Exception as error:  # what one notice brought about must not keep the others' money waiting
            log.exception("payment %s broke", row["id"])
            await self._put_off(row, reason_of(error))
        return False

    async def _believed(self, row: Mapping[str, Any]) -> bool:
        """Whether it passes the checks; one that was verified by an earlier run has."""
        if row["state"] != "received":
            return True
        source = row["source_ip"] or ""
        try:
            itn = parse_itn(self.stack.vault.open(row["raw_sealed"], RAW))
        except ItnRefused as refused:
            await self._refuse(row, f"no notice of PayFast's: {refused}", {"form": False})
            return False
        if (currency := itn.field("currency")) not in ("", "ZAR"):
            await self._refuse(row, f"foreign currency {currency[:10]!r}", {"currency": False}, itn)
            return False
        checks = await self._checks(itn, source)
        if checks.failed:
            words = "; ".join(WORDS[name] for name in checks.failed)
            await self._refuse(row, words, asdict(checks), itn)
            return False
        if self.outage:
            raise self.outage
        try:
            is_theirs = await self.stack.payfast.validate_postback(itn.param_string)
        except VendorError as error:
            self.outage = error  # the next notices would only wait for the same silence
            raise
        verdicts = asdict(checks) | {"postback": is_theirs}
        if not is_theirs:
            await self._refuse(row, WORDS["postback"], verdicts, itn)
        elif itn.payment_status in NO_NEWS:
            reason = f"{itn.payment_status.lower()} at PayFast: no money has moved"
            await self._refuse(row, reason, verdicts, itn, is_told=True)
        elif itn.payment_status not in (COMPLETE, CANCELLED):
            reason = f"PayFast sent it, with a status that we do not know: {itn.payment_status}"
            await self._refuse(row, reason, verdicts, itn, state="needs_review")
        else:
            return await self._verify(row, itn, verdicts)
        return False

    async def _checks(self, itn: Itn, source_ip: str) -> ItnChecks:
        async with self.stack.master.connection() as conn:
            expected = await _expected(conn, itn)
        merchant_id, _, passphrase = self.stack.settings.payfast_account
        gross = itn.amount_gross_cents
        return check_itn(
            itn,
            passphrase=passphrase,
            merchant_id=merchant_id,
            source_ip=source_ip,
            networks=self.stack.settings.payfast_networks,
            expected_cents=gross if gross in expected else next(iter(expected), None),
        )

    async def _verify(self, row: Mapping[str, Any], itn: Itn, verdicts: Mapping[str, Any]) -> bool:
        columns = {name: getattr(itn, name) for name in ("pf_payment_id", "m_payment_id", "payment_status")}
        columns |= {name: getattr(itn, name) for name in ("billing_date", "amount_gross_cents", "amount_fee_cents")}
        try:
            async with self.stack.master.connection() as conn:
                await PAYMENTS.verify(
                    conn, id=row["id"], checks=Jsonb(verdicts), token_sha256=token_sha256(itn.token),
                    amount_net_cents=itn.amount_net_cents, **columns,
                )  # fmt: skip
        except psycopg.errors.UniqueViolation:
            await self._refuse(row, "a repeat of a notice that was believed before", verdicts, itn, is_told=True)
            return False
        return True

    async def _applied(self, row: Mapping[str, Any]) -> bool:
        """The effect, of a notice that is believed by now."""
        token = None
        if not row["found_in_history"]:
            token = parse_itn(self.stack.vault.open(row["raw_sealed"], RAW)).token
        try:
            effect = await apply_payment(self.stack, row["id"], token)
        except NeedsReview as parked:
            await self._refuse(row, parked.reason, {}, state="needs_review")
            return False
        if effect.waits:
            await self._put_off(row, effect.waits, EARLY_WAIT)
        if effect.organization_id:
            self.touched.add(effect.organization_id)
        self.seen -= set(effect.woken)
        return True

    async def _refuse(
        self,
        row: Mapping[str, Any],
        reason: str,
        verdicts: Mapping[str, Any],
        itn: Itn | None = None,
        *,
        state: str = "rejected",
        is_told: bool = False,
    ) -> None:
        """It changes nothing and stays readable. `is_told`: nobody needs to hear of it."""
        async with self.stack.master.connection() as conn:
            await PAYMENTS.refuse(
                conn,
                id=row["id"],
                state=state,
                reason=reason,
                checks=Jsonb(dict(row["checks"]) | dict(verdicts)),
                m_payment_id=itn.m_payment_id if itn else None,
                pf_payment_id=itn.pf_payment_id if itn else None,
                payment_status=itn.payment_status if itn else None,
                amount_gross_cents=itn.amount_gross_cents if itn else None,
                told_at=self.stack.now() if is_told else None,
            )

    async def _put_off(self, row: Mapping[str, Any], reason: str, wait: timedelta | None = None) -> None:
        seconds = self.stack.settings.retry_base_seconds * 2 ** min(row["attempts"], 16)
        wait = wait or min(timedelta(seconds=seconds), MAX_WAIT)
        async with self.stack.master.connection() as conn:
            await PAYMENTS.put_off(conn, id=row["id"], not_before=self.stack.now() + wait, reason=reason)


async def take_notices(stack: Stack, run_id: str) -> list[str]:
    """Check and apply every notice that is due; the slugs of the organizations that were touched, in order.

    May be repeated, killed and run by several processes at any time: each notice has its effect once. The agency's
    owners are told once of each that was refused or needs a person.

    Raises:
        psycopg.Error: the master database is away; everything waits.
    """
    looked = _Pass(stack)
    await looked.work_through()
    try:
        await tell_refused(stack)
    except (DraggonnbError, psycopg.Error) as error:
        log.warning("run %s: the agency is told of refused notices later: %s", run_id, reason_of(error))
    log.info("run %s: %d notices, %d organizations touched", run_id, len(looked.seen), len(looked.touched))
    async with stack.master.connection() as conn:
        rows = ORGANIZATIONS.organizations_by_id(conn, ids=list(looked.touched))
        return [row["slug"] async for row in rows]


async def _expected(conn: Connection, itn: Itn) -> frozenset[int]:
    """The amounts that may come with this notice; none where it means nothing of ours."""
    meant = await PAYMENTS.meant(conn, m_payment_id=itn.m_payment_id, token_sha256=token_sha256(itn.token))
    if meant["order_id"]:
        return frozenset({meant["order_cents"]})
    if meant["subscription_id"] is None:
        # Before the first payment a later one may come: PayFast sends each notice until it is taken.
        return frozenset({meant["first_cents"], meant["recurring_cents"]}) if meant["checkout_id"] else frozenset()
    subscription = await read_subscription(conn, meant["subscription_id"])
    # The day that it names, or the next that is due: which of them it is for is told by what was paid before.
    days = {day for day in (itn.billing_date, subscription.paid_until) if day}
    return frozenset().union(*[await possible_amounts(conn, subscription, day) for day in days])
