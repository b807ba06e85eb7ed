"""What the figures of a period do not hold, and why: by platform, metric and reason.

Not here: what a platform never tells (`metric_registry.py`): such a metric is not missing.
"""

from collections import Counter
from datetime import date
from typing import Any

from draggonnb_pipelines.domain.daily_values import METRICS, DailyValues

ALL_METRICS = "all"
NOT_READ = "no reading of the post by then"
TAKEN_BACK = "the post was taken back before it was measured"
IS_GONE = "the platform says that the post is no longer there"
NOT_GIVEN = "the platform gave no number"
KNOWN_LATE = "its first number came late: what was gained before it is not known"
_REASON_CHARS = 200


def missing_figures(values: DailyValues, counted: Any, never: Any, known_late: Any, day: date) -> list[dict[str, Any]]:
    """Rows {platform, metric, posts, reason}, the most posts first.

    Args:
        counted: places of the posts whose numbers belong to the period.
        never: bool (posts, metrics): the platform has no such number.
        known_late: bool (posts, metrics): part of the period's gain is in no sum.
        day: the last day of the period.
    """
    import numpy as np

    place = values.place(day)
    unknown = np.isnan(values.value[counted][:, :, place]) & ~never[counted]
    late = known_late[counted] & ~never[counted] & ~unknown
    found: Counter[tuple[str, str, str]] = Counter()
    of_day = _readings_of_day(values, place) if unknown.any() else {}
    for row, at in enumerate(counted):
        post = values.posts[at]
        if unknown[row].any():
            reading = of_day.get(int(at))
            if reading is None:
                found[post.platform, ALL_METRICS, TAKEN_BACK if post.is_taken_back else NOT_READ] += 1
                continue
            for number in np.flatnonzero(unknown[row]):
                metric = METRICS[number]
                reason = IS_GONE if reading.is_gone else str((reading.missing or {}).get(metric) or NOT_GIVEN)
                found[post.platform, str(metric), reason[:_REASON_CHARS]] += 1
        for number in np.flatnonzero(late[row]):
            found[post.platform, str(METRICS[number]), KNOWN_LATE] += 1
    rows = [
        {"platform": platform, "metric": metric, "posts": posts, "reason": reason}
        for (platform, metric, reason), posts in found.items()
    ]
    return sorted(rows, key=lambda row: (-row["posts"], row["platform"], row["metric"], row["reason"]))


def _readings_of_day(values: DailyValues, place: int) -> dict[int, Any]:
    """Of each post the first reading in the window of a day, else the last before it, whatever it holds."""
    places = {post.id: at for at, post in enumerate(values.posts)}
    found: dict[int, Any] = {}
    in_window: set[int] = set()
    for reading, window in zip(values.readings, values.reading_days, strict=True):
        at = places[reading.queue_id]
        if window > place or at in in_window:
            continue
        found[at] = reading
        if window == place:
            in_window.add(at)
    return found
