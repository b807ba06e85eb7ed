"""What the rest of a period is worth: exact shares of whole cents by whole days.

Lives here: the arithmetic. Not here: when it is charged and how (`workflows/billing/subscription_orders.py`).
"""

from datetime import date


def share_of(amount_cents: int, *, days: int, of_days: int) -> int:
    """So many days' part of an amount, rounded half up to the cent; the other days' part may differ by that cent.

    Raises:
        ValueError: a negative amount, no days at all, or more days than there are.
    """
    if amount_cents < 0 or of_days < 1 or not 0 <= days <= of_days:
        raise ValueError(f"no share: {amount_cents} cents, {days} of {of_days} days")
    return (2 * amount_cents * days + of_days) // (2 * of_days)


def difference_for_the_rest(
    old_cents: int, new_cents: int, *, period_start: date, period_end: date, today: date
) -> int:
    """What a larger plan costs more until the period ends; today counts as a day of the new plan.

    Args:
        period_end: the first day after the period, on which the next charge is due.

    Raises:
        ValueError: the period has no days.
    """
    of_days = (period_end - period_start).days
    days = min(max((period_end - today).days, 0), of_days)
    return share_of(max(new_cents - old_cents, 0), days=days, of_days=of_days)
