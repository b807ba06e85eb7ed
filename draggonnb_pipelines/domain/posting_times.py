"""When a client's posts do best: from its own history, with the interval in which the rate of such a time lies.

Not here: when posts go out (`posting_slots.py`), and which posts are the history (`engagement.py`).
"""

from typing import Any

from draggonnb_pipelines.domain.sums import pooled_rate

HISTORY_DAYS = 90
POSTS_AT_LEAST = 5
TIMES_SHOWN = 5
_Z = 1.959964  # 95 % of a normal distribution lie within it


def best_times(weekdays: Any, hours: Any, engagement: Any, base: Any, by: str) -> tuple[list[dict[str, Any]], str]:
    """The best local hours of the week, those first whose rate is surely high: by the lower end of the interval.

    Arrays have one element per post of the history, NaN where a number is missing.

    Args:
        weekdays, hours: when the post became public, Monday is 0.
        base: what engagements are divided by, and `by` its name.

    Returns:
        At most 5 times, and how they were found or why there are none.
    """
    import numpy as np

    both = (engagement == engagement) & (base > 0)
    slots = weekdays[both] * 24 + hours[both]
    engagement, base = engagement[both], base[both]
    counts = np.bincount(slots, minlength=7 * 24)
    most = int(counts.max()) if len(slots) else 0
    if most < POSTS_AT_LEAST:
        return [], (
            f"no hour of the week has {POSTS_AT_LEAST} posts with a rate by {by} within {HISTORY_DAYS} days; "
            f"the most is {most}"
        )
    found = []
    for slot in range(7 * 24):
        if counts[slot] < POSTS_AT_LEAST:
            continue
        chosen = slots == slot
        rate = pooled_rate(engagement[chosen], base[chosen])
        low, high = interval(engagement[chosen], base[chosen])
        weekday, hour = divmod(slot, 24)
        found.append(
            {
                "weekday": weekday,
                "hour": hour,
                "rate": rate["value"],
                "low": low,
                "high": high,
                "posts": rate["posts"],
            }
        )
    found.sort(key=lambda one: (-one["low"], -one["rate"], one["weekday"], one["hour"]))
    return found[:TIMES_SHOWN], f"rates by {by} of {HISTORY_DAYS} days, with 95 % intervals"


def interval(engagement: Any, base: Any) -> tuple[float, float]:
    """95 % interval of a pooled rate of at least 2 posts, which differ from each other more than single views do.

    The ratio estimator of Cochran, "Sampling Techniques", 1977, section 6.3, with the quantile of Student's t by the
    expansion 26.7.5 of Abramowitz and Stegun (2.769 in place of 2.776 at 4 degrees of freedom). Nothing is drawn at
    random, so the same posts give the same interval on any machine.
    """
    posts = len(base)
    rate = engagement.sum() / base.sum()
    residuals = engagement - rate * base
    error = (posts / (posts - 1) * (residuals**2).sum()) ** 0.5 / base.sum()
    half = _t(posts - 1) * error
    return round(max(float(rate - half), 0.0), 6), round(float(rate + half), 6)


def _t(freedom: int) -> float:
    z, z3, z5, z7 = (_Z**power for power in (1, 3, 5, 7))
    return (
        z
        + (z3 + z) / (4 * freedom)
        + (5 * z5 + 16 * z3 + 3 * z) / (96 * freedom**2)
        + (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * freedom**3)
    )
