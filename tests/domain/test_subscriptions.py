"""A subscription's decisions, by the day and by the cent."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest

from draggonnb_pipelines.domain.payfast import cents_of
from draggonnb_pipelines.domain.subscriptions import (
    GRACE,
    Charge,
    Seen,
    Status,
    Subscription,
    after_cancellation,
    after_pause,
    after_payment,
    after_plan_change,
    after_trial_start,
    amount_due,
    change_of_plan,
    month_after,
    on_day,
    unnamed_period,
)

START, END = date(2026, 11, 1), date(2026, 12, 1)
NEW = Subscription(UUID(int=1), UUID(int=2), "starter", "pending", 150000)
PAID = after_payment(NEW, START, START)


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def look(now: Subscription, seen: Seen, day: date) -> tuple[Subscription, list[str]]:
    after, steps = on_day(now, seen, noon(day), day)
    return after, [step.kind for step in steps]


@pytest.mark.parametrize(
    ("day", "following"),
    [
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2028, 1, 31), date(2028, 2, 29)),
        (date(2026, 2, 28), date(2026, 3, 28)),
        (date(2026, 12, 15), date(2027, 1, 15)),
        (date(2026, 10, 31), date(2026, 11, 30)),
    ],
)
def test_a_month_after_is_the_same_day_or_the_last(day: date, following: date) -> None:
    assert month_after(day) == following


def test_payments_come_to_the_same_in_any_order() -> None:
    days = [START, END, date(2027, 1, 1)]
    ends = set()
    for order in permutations(days):
        now = NEW
        for day in order:
            now = after_payment(now, day, START)
        ends.add(now)

    assert len(ends) == 1
    [end] = ends
    assert (end.status, end.started_on, end.paid_until) == ("active", START, date(2027, 2, 1))


def test_a_trial_and_its_first_month_come_to_the_same_in_either_order() -> None:
    ends = date(2026, 11, 15)
    one = after_payment(after_trial_start(NEW, ends, 14), ends, START, 14)
    other = after_trial_start(after_payment(NEW, ends, START, 14), ends, 14)

    assert one == other
    assert (one.status, one.started_on, one.trial_ends_on) == ("active", START, ends)
    assert one.paid_until == date(2026, 12, 15)


def test_an_old_payment_does_not_make_good_what_is_late() -> None:
    late = replace(PAID, status="past_due", grace_until=noon(END) + GRACE)

    assert after_payment(late, date(2026, 10, 1), date(2026, 12, 3)).status == "past_due"
    assert after_payment(late, END, date(2026, 12, 3)).status == "active"


def test_a_payment_after_the_cancellation_prolongs_and_does_not_revive() -> None:
    ended = after_cancellation(PAID, noon(START))
    expired, _ = look(ended, Seen("CANCELLED", None), date(2026, 12, 2))

    assert expired.status == "expired"
    assert after_payment(ended, END, START).status == "cancelled"
    prolonged = after_payment(expired, END, date(2026, 12, 2))
    assert (prolonged.status, prolonged.suspended_at, prolonged.paid_until) == ("cancelled", None, date(2027, 1, 1))


def test_days_of_grace_bring_each_step_once() -> None:
    now, kinds = PAID, []
    for passed in range(12):
        now, steps = look(now, Seen("ACTIVE", END), END + timedelta(days=passed))
        kinds.append((now.status, steps))

    # The reminders come again with each look: only the history, by their keys, keeps them to one.
    assert kinds[0] == ("active", [])
    assert kinds[1] == ("past_due", ["past_due"])
    assert kinds[3] == ("past_due", [])
    assert kinds[4] == ("past_due", ["payment_reminder"])
    assert kinds[7] == ("past_due", ["payment_reminder", "payment_last_warning"])
    assert kinds[8] == ("suspended", ["suspended"])
    assert kinds[9:] == [("suspended", [])] * 3


def test_a_date_that_moved_on_is_not_late_even_without_a_notice() -> None:
    assert look(PAID, Seen("ACTIVE", date(2027, 1, 1)), date(2026, 12, 5)) == (PAID, [])


@pytest.mark.parametrize("status", ["trial", "active", "past_due", "suspended", "paused"])
def test_what_ended_at_payfast_has_ended_here(status: Status) -> None:
    for words in ("CANCELLED", "COMPLETE"):
        after, kinds = look(replace(PAID, status=status), Seen(words, None), date(2026, 11, 9))
        assert (after.status, kinds) == ("cancelled", ["cancelled"])


def test_a_pause_leaves_out_months_and_ends_the_service_when_what_is_paid_is_used_up() -> None:
    paused = after_pause(PAID, 2)

    assert paused.paused_until == date(2027, 2, 1)
    assert look(paused, Seen("PAUSED", END), date(2026, 11, 30)) == (paused, [])
    off, kinds = look(paused, Seen("PAUSED", END), END)
    assert (off.status, off.suspended_at, kinds) == ("paused", noon(END), ["pause_began"])
    assert look(off, Seen("PAUSED", END), date(2026, 12, 2)) == (off, [])
    back = after_payment(off, date(2027, 2, 1), date(2027, 2, 1))
    assert (back.status, back.suspended_at, back.paused_until) == ("active", None, None)


def test_the_latest_plan_says_what_a_day_costs() -> None:
    planned = [Charge(END, 283333), Charge(date(2027, 1, 1), 350000), Charge(END, 150000)]

    assert amount_due(150000, [], START) == 150000
    assert amount_due(150000, planned[:2], START) == 150000
    assert amount_due(150000, planned[:2], END) == 283333
    assert amount_due(150000, planned[:2], date(2027, 3, 1)) == 350000
    assert amount_due(150000, planned, date(2027, 3, 1)) == 150000


def test_up_and_down_again_within_a_month_keeps_what_is_owed() -> None:
    today = date(2026, 11, 11)
    month = {"period_start": START, "next_charge": END, "today": today}
    up = change_of_plan(PAID, 350000, planned_cents=150000, **month)
    larger = after_plan_change(PAID, "growth", 350000, up)
    down = change_of_plan(larger, 150000, planned_cents=up.charges[0].amount_cents, **month)
    noted = after_plan_change(larger, "starter", 150000, down)
    again = change_of_plan(noted, 350000, planned_cents=down.charges[0].amount_cents, **month)
    kept = after_plan_change(noted, "growth", 350000, again)

    assert (up.difference_cents, up.begins) == (133333, None)
    assert [charge.amount_cents for charge in up.charges] == [483333, 350000]
    assert (down.difference_cents, down.begins) == (0, END)
    assert [charge.amount_cents for charge in down.charges] == [283333, 150000]
    assert (noted.plan_key, noted.next_plan_key, noted.next_from) == ("growth", "starter", END)
    # Back to the larger one, which runs and is paid by the difference of before: nothing more.
    assert [charge.amount_cents for charge in again.charges] == [483333, 350000]
    assert (kept.plan_key, kept.amount_cents, kept.next_plan_key) == ("growth", 350000, None)


def test_in_a_trial_a_change_costs_nothing_before_its_end() -> None:
    trial = after_trial_start(NEW, date(2026, 11, 15), 14)
    month = {"period_start": START, "next_charge": date(2026, 11, 15), "today": date(2026, 11, 3)}
    change = change_of_plan(trial, 350000, planned_cents=150000, **month)

    assert (change.difference_cents, change.begins, change.charges[0].amount_cents) == (0, None, 350000)


def test_a_charge_without_a_date_pays_the_period_that_had_begun() -> None:
    paid = [START, date(2027, 1, 1)]

    assert unnamed_period(START, paid, date(2026, 12, 3)) == END  # the gap
    assert unnamed_period(START, [START], date(2026, 11, 2)) == END  # charged ahead: the earliest that is not paid
    assert unnamed_period(START, [START], date(2027, 2, 2)) == date(2027, 2, 1)  # after a pause: the latest
    assert unnamed_period(START, [], START) == START


@pytest.mark.parametrize(
    ("text", "cents"),
    [("150", 15000), ("150.5", 15050), (" R150.00 ", 15000), ("ZAR 7.05", 705), ("0.99", 99), ("R 12", 1200)],
)
def test_an_amount_in_rand_is_read(text: str, cents: int) -> None:
    assert cents_of(text) == cents


@pytest.mark.parametrize("text", ["", "USD 150", "$150", "-150", "1,500.00", "1.505", "١٥٠", "1e3", "150 ZAR", "R"])
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is no amount in rand"):
        cents_of(text)
