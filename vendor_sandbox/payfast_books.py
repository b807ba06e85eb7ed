"""What the sandbox's PayFast remembers: checkouts that are open, subscriptions, transactions, notices that it sent.

Lives here: the charge, which moves a subscription on and writes the transaction. Does not live here: pages
(`payfast.py`), the API (`payfast_api.py`), the sending of notices (`payfast_itn.py`).
"""

import calendar
import itertools
import time
import uuid
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

SAST = timezone(timedelta(hours=2))
# PayFast tries a few times and then locks the subscription, without a word.
LOCKED_AFTER_FAILURES = 3
_MONTHS = {3: 1, 4: 3, 5: 6, 6: 12}
_STATUS = {"ACTIVE": 1, "CANCELLED": 2, "PAUSED": 3, "COMPLETE": 4, "LOCKED": 5}
# From the clock, so that a sandbox that is started again gives no id a second time.
_payments = itertools.count(int(time.time()) - 1_700_000_000)


def today() -> date:
    return datetime.now(SAST).date()


@dataclass
class Order:
    """What a checkout asked for: its fields as sent, blank ones too."""

    id: str
    fields: dict[str, str]
    is_paid: bool = False

    def get(self, name: str) -> str:
        return self.fields.get(name, "").strip()


@dataclass
class SandboxSubscription:
    """A token: of a subscription (type 1), or of a card that is kept (type 2)."""

    token: str
    order: Order
    amount_cents: int
    cycles: int
    frequency: int
    run_date: date | None
    cycles_complete: int = 0
    status_text: str = "ACTIVE"
    status_reason: str = ""
    paused_cycles: int = 0
    failures: int = 0

    @property
    def is_recurring(self) -> bool:
        return self.order.get("subscription_type") == "1"

    def described(self) -> dict[str, Any]:
        """As the API tells it."""
        return {
            "token": self.token,
            "amount": self.amount_cents,
            "cycles": self.cycles,
            "cycles_complete": self.cycles_complete,
            "frequency": self.frequency,
            "run_date": self.run_date.isoformat() if self.run_date else None,
            "status": _STATUS[self.status_text],
            "status_reason": self.status_reason,
            "status_text": self.status_text,
        }

    def move_on(self) -> None:
        """To the next charge."""
        if self.run_date:
            self.run_date = after(self.run_date, self.frequency)


@dataclass
class Payment:
    """Money that moved."""

    pf_payment_id: str
    order: Order
    gross_cents: int
    at: datetime
    token: str = ""
    billing_date: date | None = None
    m_payment_id: str = ""

    @property
    def fee_cents(self) -> int:
        """About what PayFast takes of a card: 3.5 percent and R2.00; negative."""
        percent = (Decimal(self.gross_cents) * Decimal("0.035")).quantize(Decimal(1), ROUND_HALF_UP)
        return -(int(percent) + 200) if self.gross_cents else 0

    def public(self) -> dict[str, Any]:
        """As /_sandbox/public shows it."""
        return {
            "kind": "payfast",
            "pf_payment_id": self.pf_payment_id,
            "m_payment_id": self.m_payment_id or self.order.get("m_payment_id"),
            "amount_cents": self.gross_cents,
            "token": self.token,
            "billing_date": self.billing_date.isoformat() if self.billing_date else None,
            "at": self.at.isoformat(),
        }


@dataclass
class PayFastBooks:
    """Everything of one merchant. `notices` are the strings that a postback may ask about; `bodies` by payment."""

    orders: dict[str, Order] = field(default_factory=dict)
    subscriptions: dict[str, SandboxSubscription] = field(default_factory=dict)
    payments: list[Payment] = field(default_factory=list)
    notices: set[str] = field(default_factory=set)
    bodies: dict[str, tuple[str, str]] = field(default_factory=dict)

    def clear(self) -> None:
        for part in (self.orders, self.subscriptions, self.payments, self.notices, self.bodies):
            part.clear()

    def pay(self, order: Order) -> Payment:
        """The first payment of a checkout; a subscription begins with it."""
        order.is_paid = True
        subscription = self._subscribe(order)
        payment = self._book(order, cents(order.get("amount")), subscription)
        if subscription and subscription.is_recurring and subscription.run_date and subscription.run_date <= today():
            subscription.cycles_complete += 1
            subscription.move_on()
        return payment

    def charge(self, subscription: SandboxSubscription) -> Payment:
        """A recurring charge that succeeds."""
        payment = self._book(subscription.order, subscription.amount_cents, subscription)
        subscription.cycles_complete += 1
        subscription.failures, subscription.status_text, subscription.status_reason = 0, "ACTIVE", ""
        subscription.move_on()
        if subscription.cycles and subscription.cycles_complete >= subscription.cycles:
            subscription.status_text = "COMPLETE"
        return payment

    def adhoc(self, subscription: SandboxSubscription, amount_cents: int, m_payment_id: str) -> Payment:
        payment = self._book(subscription.order, amount_cents, subscription)
        payment.m_payment_id = m_payment_id
        return payment

    def fail(self, subscription: SandboxSubscription) -> None:
        """A recurring charge that fails: no notice, the next date stands still, and at last the token is locked."""
        subscription.failures += 1
        subscription.status_reason = "Insufficient funds"
        if subscription.failures >= LOCKED_AFTER_FAILURES:
            subscription.status_text = "LOCKED"

    def _subscribe(self, order: Order) -> SandboxSubscription | None:
        if order.get("subscription_type") not in ("1", "2"):
            return None
        is_recurring = order.get("subscription_type") == "1"
        begins = date.fromisoformat(order.get("billing_date")) if order.get("billing_date") else today()
        subscription = SandboxSubscription(
            token=str(uuid.uuid4()),
            order=order,
            amount_cents=cents(order.get("recurring_amount") or order.get("amount")),
            cycles=int(order.get("cycles") or 0),
            frequency=int(order.get("frequency") or 0),
            run_date=begins if is_recurring else None,
        )
        self.subscriptions[subscription.token] = subscription
        return subscription

    def _book(self, order: Order, gross_cents: int, subscription: SandboxSubscription | None) -> Payment:
        due = subscription.run_date if subscription else None
        payment = Payment(str(next(_payments)), order, gross_cents, datetime.now(SAST), billing_date=due)
        payment.token = subscription.token if subscription else ""
        self.payments.append(payment)
        return payment


def after(day: date, frequency: int) -> date:
    """One period later; the 31st becomes the last day of a shorter month."""
    if frequency in (1, 2):
        return day + timedelta(days=1 if frequency == 1 else 7)
    months = day.year * 12 + day.month - 1 + _MONTHS[frequency]
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def cents(amount: str) -> int:
    return int(Decimal(amount) * 100)


def rand(amount_cents: int) -> str:
    return f"{Decimal(amount_cents) / 100:.2f}"
