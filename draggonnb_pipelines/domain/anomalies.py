"""Days on which a client's posts gained much more or much less than they usually do: against its own baseline alone.

Not here: what was gained on a day (`engagement.py`).

Robust, so that one good day does not hide the next: the median of the 28 days before and the median of their distances
from it (MAD), with the cut at 3.5 of Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993. Where the MAD is
less than the noise of counting, the square root of the median, the noise is taken: a client whose posts gain 0 or 1 a
day has no anomaly at 2.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

BASELINE_DAYS = 28
BASELINE_AT_LEAST = 14
CUT = 3.5
# Of normally distributed numbers the MAD is this share of the standard deviation.
MAD_OF_SIGMA = 0.6745
SHOWN = 10


def anomalies(series: Mapping[str, Any], days: range, day_of: Callable[[int], date]) -> list[dict[str, Any]]:
    """The anomalies of some days, oldest first and at most 10: those farthest out.

    Args:
        series: by figure one number per day, NaN where it is not known or the day was not like others.
        days: the places in the series to look at; the baseline of each are the 28 places before it.
        day_of: the local day at a place.
    """
    found = []
    for figure, values in series.items():
        low, expected, high, spread = _band(values, days)
        for at, value in zip(days, values[days.start : days.stop], strict=True):
            place = at - days.start
            if low[place] <= value <= high[place] or not spread[place] > 0 or value != value:
                continue
            one = {
                "figure": figure,
                "value": int(value),
                "expected": round(float(expected[place]), 6),
                "low": round(float(low[place]), 6),
                "high": round(float(high[place]), 6),
            }
            found.append((abs(value - expected[place]) / spread[place], at, one))
    found.sort(key=lambda one: -one[0])
    shown = sorted(found[:SHOWN], key=lambda one: one[1])
    return [{**one, "day": day_of(at).isoformat(), "text": _words(one, day_of(at))} for _, at, one in shown]


def _band(values: Any, days: range) -> tuple[Any, Any, Any, Any]:
    """Lowest, expected and highest usual value, and the spread, of each day; NaN where the baseline is too short."""
    import numpy as np

    low = np.full(len(days), np.nan)
    expected, high, spread = low.copy(), low.copy(), low.copy()
    for place, at in enumerate(days):
        before = values[max(at - BASELINE_DAYS, 0) : at]
        before = before[~np.isnan(before)]
        if len(before) < BASELINE_AT_LEAST:
            continue
        middle = np.median(before)
        spread[place] = max(np.median(abs(before - middle)) / MAD_OF_SIGMA, max(abs(middle), 1.0) ** 0.5)
        expected[place] = middle
        low[place], high[place] = middle - CUT * spread[place], middle + CUT * spread[place]
    return low, expected, high, spread


def _words(one: Mapping[str, Any], day: date) -> str:
    usual = f"between {max(round(one['low']), 0)} and {round(one['high'])}"
    much = "more" if one["value"] > one["expected"] else "less"
    return (
        f"{one['figure']} gained on {day.isoformat()}: {one['value']}, {much} than usual;"
        f" {usual} were expected from the {BASELINE_DAYS} days before"
    )
