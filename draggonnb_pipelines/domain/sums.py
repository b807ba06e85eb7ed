"""Sums and shares of numbers of which some are missing: NaN in, None out, and never a 0 in place of an unknown number.

Not here: which numbers are summed (`engagement.py`).
"""

from typing import Any


def sum_known(values: Any, axis: int) -> Any:
    """The sum of what is known along an axis, NaN where nothing is."""
    import numpy as np

    known = ~np.isnan(values)
    return np.where(known.any(axis=axis), np.where(known, values, 0.0).sum(axis=axis), np.nan)


def total(values: Any) -> int | None:
    """The sum of one row of numbers; None if none of them is known."""
    return whole(float(sum_known(values, axis=0)))


def whole(value: float) -> int | None:
    return None if value != value else int(value)


def share(part: float, of: float) -> float | None:
    """A fraction of 6 digits; None if either is missing, or `of` is not above 0."""
    return round(float(part) / float(of), 6) if part == part and of > 0 else None


def pooled_rate(engagement: Any, base: Any) -> dict[str, Any]:
    """Engagements of the posts that have both, divided by their reach (or views), and how many posts these are."""
    both = (engagement == engagement) & (base == base)
    return {"value": share(engagement[both].sum(), base[both].sum()), "posts": int(both.sum())}


def growth(value: float | None, previous: float | None) -> dict[str, Any]:
    """Against the period before; percent is None where there was nothing before that could have grown."""
    change = None if value is None or previous is None else round(value - previous, 6)
    percent = round(100 * change / previous, 6) if change is not None and previous and previous > 0 else None
    return {"value": value, "previous": previous, "change": change, "percent": percent}
