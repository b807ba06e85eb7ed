"""A subscription's life as decisions: what a payment, a cancellation or a day makes of it.

Lives here: the states, the periods, what the next charge is, whose turn it is to be reminded. Pure: the rows, the
calls and the mails are the workflows'. Not here: what a change of plan costs (`proration.py`), notices (`itn.py`).

Payments are applied in any order: whatever depends on them is a minimum or a maximum over them.
"""

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from draggonnb_pipelines.domain.payfast import south_african_day
from draggonnb_pipelines.domain.proration import difference_for_the_rest

Status = Literal["pending", "trial", "active", "past_due", "suspended", "paused", "cancelled", "expired"]
LIVE: frozenset[str] = frozenset({"trial", "active", "past_due", "suspended", "paused"})
GRACE = timedelta(days=7)
# How many days before the end of the grace each reminder goes out.
REMINDERS = {"payment_reminder": 4, "payment_last_warning": 1}
TRIAL_ENDING = timedelta(days=3)
_ENDED = frozenset({"CANCELLED", "COMPLETE"})


@dataclass(frozen=True, slots=True)
class Subscription:
    """A row of `subscriptions`, without its token. Days are days of South Africa, PayFast's own.

    Args:
        amount_cents: the price of the plan a month, VAT included.
        paid_until: the first day that is not paid for (of a trial: its end).
        paused_until: the day of the first charge after a pause, where it is known.
        suspended_at: since when the client is not served; None while it is.
        next_from: from this day on the next plan counts.
    """

    id: UUID
    organization_id: UUID
    plan_key: str
    status: Status
    amount_cents: int
    started_on: date | None = None
    trial_ends_on: date | None = None
    paid_until: date | None = None
    paused_until: date | None = None
    grace_until: datetime | None = None
    cancelled_at: datetime | None = None
    suspended_at: datetime | None = None
    next_plan_key: str | None = None
    next_amount_cents: int | None = None
    next_from: date | None = None
    version: int = 1

    @property
    def is_live(self) -> bool:
        return self.status in LIVE


@dataclass(frozen=True, slots=True)
class Seen:
    """What PayFast says today. `run_date` is the next charge; it moves on only after a successful one."""

    status_text: str
    run_date: date | None


@dataclass(frozen=True, slots=True)
class Step:
    """One change, for the history. Its key is made of kind and suffix: the same change is noted once."""

    kind: str
    suffix: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Charge:
    """From this day on a charge is so much."""

    from_day: date
    amount_cents: int


def month_after(day: date) -> date:
    """The same day of the next month, the last one of a shorter month; PayFast goes on from there."""
    year, month = divmod(day.year * 12 + day.month, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def amount_due(base_cents: int, planned: Iterable[Charge], day: date) -> int:
    """What is charged on a day: the price of the beginning, or what the latest plan says of this day.

    Args:
        planned: in the order in which it was planned; later plans count from their first day on.
    """
    due = base_cents
    for charge in planned:
        if charge.from_day <= day:
            due = charge.amount_cents
    return due


@dataclass(frozen=True, slots=True)
class PlanChange:
    """A change of plan: when it begins, what the next charges are, and what it costs for the rest of the month.

    Args:
        begins: None for at once.
        difference_cents: for the days that are left of the period.
    """

    begins: date | None
    charges: tuple[Charge, ...]
    difference_cents: int


def change_of_plan(
    now: Subscription, price_cents: int, *, period_start: date, next_charge: date, planned_cents: int, today: date
) -> PlanChange:
    """A larger plan begins at once and its difference for the rest of the period comes with the next charge; a smaller
    one begins with the next period. In a trial either begins at once and costs nothing before its end.

    Args:
        planned_cents: what the next charge is as things are; what it holds beyond the price is still owed.
    """
    usual = now.amount_cents if now.next_amount_cents is None else now.next_amount_cents
    owed, is_trial = max(planned_cents - usual, 0), now.status == "trial"
    difference = 0
    if not is_trial:
        difference = difference_for_the_rest(
            now.amount_cents, price_cents, period_start=period_start, period_end=next_charge, today=today
        )
    charges = (
        Charge(next_charge, price_cents + owed + difference),
        Charge(month_after(next_charge), price_cents),
    )
    begins = None if is_trial or price_cents >= now.amount_cents else next_charge
    return PlanChange(begins, charges, difference)


def after_plan_change(now: Subscription, plan_key: str, price_cents: int, change: PlanChange) -> Subscription:
    """The larger plan now, or the smaller one noted for its day; an earlier note is void."""
    if change.begins is None:
        return replace(now, plan_key=plan_key, amount_cents=price_cents, next_plan_key=None,
                       next_amount_cents=None, next_from=None)  # fmt: skip
    return replace(now, next_plan_key=plan_key, next_amount_cents=price_cents, next_from=change.begins)


def unnamed_period(first_day: date, paid_days: Iterable[date], charged_on: date) -> date:
    """The period that a charge without a billing date paid for: of those that are not paid the latest that had begun
    on the day of the charge, else the earliest."""
    paid = set(paid_days)
    periods, day = [], first_day
    while len(periods) < 2 or day <= charged_on:
        if day not in paid:
            periods.append(day)
        day = month_after(day)
    begun = [period for period in periods if period <= charged_on]
    return begun[-1] if begun else periods[0]


def after_payment(now: Subscription, billing_date: date, today: date, trial_days: int = 0) -> Subscription:
    """A period was paid. An end that was ordered stays; what was late is made good if the period reaches today."""
    until, first = month_after(billing_date), billing_date - timedelta(days=trial_days)
    paid = replace(now, paid_until=max(now.paid_until or until, until))
    if now.started_on is None or first < now.started_on:
        paid = replace(paid, started_on=first, trial_ends_on=billing_date if trial_days else None)
    if paid.next_from and billing_date >= paid.next_from:
        paid = _next_plan(paid)
    if paid.cancelled_at:
        is_served = paid.paid_until is not None and paid.paid_until > today
        return replace(paid, status="cancelled", suspended_at=None) if is_served else paid
    if until <= today:
        return replace(paid, status="active") if paid.status == "pending" else paid
    if paid.status == "paused" and (paid.paused_until is None or billing_date < paid.paused_until):
        return replace(paid, suspended_at=None)
    return replace(paid, status="active", paused_until=None, grace_until=None, suspended_at=None)


def after_trial_start(now: Subscription, trial_ends_on: date, trial_days: int) -> Subscription:
    """The card was taken for nothing until the trial ends; a period that was paid before counts more."""
    begun = replace(
        now,
        started_on=min(filter(None, (now.started_on, trial_ends_on - timedelta(days=trial_days)))),
        trial_ends_on=min(filter(None, (now.trial_ends_on, trial_ends_on))),
        paid_until=max(filter(None, (now.paid_until, trial_ends_on))),
    )
    return replace(begun, status="trial") if now.status == "pending" else begun


def after_cancellation(now: Subscription, at: datetime) -> Subscription:
    """No more charges; what is paid for is served to its end."""
    status = now.status if now.status == "expired" else "cancelled"
    return replace(now, status=status, cancelled_at=now.cancelled_at or at, next_plan_key=None,
                   next_amount_cents=None, next_from=None, paused_until=None, grace_until=None)  # fmt: skip


def after_pause(now: Subscription, cycles: int) -> Subscription:
    """The next charges are left out; what is paid for is served to its end."""
    until = now.paid_until
    for _ in range(cycles):
        until = month_after(until) if until else None
    return replace(now, status="paused", paused_until=until)


def after_unpause(now: Subscription) -> Subscription:
    """Charged again. Who was not served because of the pause is served when the next charge has come in."""
    return replace(now, status="active" if now.suspended_at is None else "suspended", paused_until=None)


def on_day(now: Subscription, seen: Seen, at: datetime, today: date) -> tuple[Subscription, Sequence[Step]]:
    """What a day makes of a subscription, given what PayFast says about it; repeating it changes nothing more.

    1. what ended at PayFast has ended here, and is served as long as it is paid for
    2. a plan that was to begin begins
    3. pauses begin and end
    4. a charge that did not come in: grace, reminders, suspension
    """
    steps: list[Step] = []
    if now.cancelled_at is None and seen.status_text in _ENDED:
        now = after_cancellation(now, at)
        steps.append(Step("cancelled"))
    if now.cancelled_at is not None:
        if now.status == "cancelled" and (now.paid_until is None or now.paid_until <= today):
            now = replace(now, status="expired", suspended_at=now.suspended_at or at)
            steps.append(Step("expired", f"{now.paid_until}"))
        return now, steps
    if now.next_from and today >= now.next_from:
        steps += [Step("plan_began", f"{now.next_from}")] if now.next_plan_key else []
        now = _next_plan(now)
    now, of_pause = _pause_on_day(now, seen, at, today)
    now, of_money = _money_on_day(now, seen, at, today) if now.status != "paused" else (now, [])
    return now, [*steps, *of_pause, *of_money]


def _next_plan(now: Subscription) -> Subscription:
    if now.next_plan_key:
        amount = now.amount_cents if now.next_amount_cents is None else now.next_amount_cents
        now = replace(now, plan_key=now.next_plan_key, amount_cents=amount)
    return replace(now, next_plan_key=None, next_amount_cents=None, next_from=None)


def _pause_on_day(now: Subscription, seen: Seen, at: datetime, today: date) -> tuple[Subscription, list[Step]]:
    if now.status != "paused":
        if seen.status_text != "PAUSED":
            return now, []
        now = replace(now, status="paused", paused_until=None, grace_until=None)
        return now, [Step("paused", f"{now.paid_until}")]
    is_paid = now.paid_until is not None and now.paid_until > today
    if seen.status_text != "PAUSED" and (is_paid or seen.run_date is None or seen.run_date <= today):
        back = after_unpause(now)
        return back, [Step("unpaused", f"{now.paused_until}", {"by": "the end of the pause"})]
    if seen.status_text != "PAUSED":
        now = replace(now, paused_until=seen.run_date)
    if not is_paid and now.suspended_at is None:
        return replace(now, suspended_at=at), [Step("pause_began", f"{now.paid_until}")]
    return now, []


def _money_on_day(now: Subscription, seen: Seen, at: datetime, today: date) -> tuple[Subscription, list[Step]]:
    is_late = seen.run_date is not None and seen.run_date < today
    if not is_late and seen.status_text != "LOCKED":
        is_paid = now.paid_until is not None and now.paid_until > today
        if now.status in ("past_due", "suspended") and is_paid:
            now = replace(now, status="active", grace_until=None, suspended_at=None)
            return now, [Step("recovered", f"{seen.run_date}:{now.version}")]
        ends = now.trial_ends_on if now.status == "trial" else None
        return now, [Step("trial_ending", f"{ends}")] if ends and ends - today <= TRIAL_ENDING else []
    steps: list[Step] = []
    is_new = now.status in ("trial", "active")
    if is_new:
        now = replace(now, status="past_due", grace_until=now.grace_until or at + GRACE)
    if now.status != "past_due" or now.grace_until is None:
        return now, steps
    # By days, since looks come at any hour. Each time of grace has its own reminders, also for the same charge.
    ends = south_african_day(now.grace_until)
    if is_new:
        steps.append(Step("past_due", f"{ends}", {"locked": seen.status_text == "LOCKED"}))
    left = (ends - today).days
    if left <= 0:
        return replace(now, status="suspended", suspended_at=at), [*steps, Step("suspended", f"{ends}")]
    return now, [*steps, *(Step(kind, f"{ends}") for kind, before in REMINDERS.items() if left <= before)]
