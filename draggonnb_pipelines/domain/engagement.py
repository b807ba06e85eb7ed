"""What a client's posts gained: the figures of a day, a week or a month, made from the values of each day.

Lives here: totals, gains, rates, platforms, weekdays and hours, growth, and the readings behind them. Does not live
here: which reading is a day's value (`daily_values.py`), best times (`posting_times.py`), what is unusual
(`anomalies.py`), what is missing (`missing_figures.py`), storing and versions (`workflows/analytics/snapshots.py`).

The same readings give the same figures, whatever range they are made in: a range reads more days, never other rules.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from draggonnb_pipelines.domain.anomalies import BASELINE_DAYS, anomalies
from draggonnb_pipelines.domain.daily_values import METRICS, DailyValues
from draggonnb_pipelines.domain.measuring import DAILY_DAYS, DAY, LAST_AGE, day_of
from draggonnb_pipelines.domain.metric_registry import unavailable
from draggonnb_pipelines.domain.metrics import ENGAGEMENTS, Metric
from draggonnb_pipelines.domain.missing_figures import missing_figures
from draggonnb_pipelines.domain.periods import Period
from draggonnb_pipelines.domain.posting_times import HISTORY_DAYS, best_times
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.sums import growth, pooled_rate, share, sum_known, total, whole
from draggonnb_pipelines.domain.usage import zone_of

SCHEMA = 1
# A post is measured until it is 90 days old; a day or two later, by its zone, its last reading has told all it gained.
COUNTED_DAYS = LAST_AGE.days + 2
TOP_POSTS = 5
_REACH, _VIEWS = METRICS.index(Metric.REACH), METRICS.index(Metric.VIEWS)
_ENGAGEMENTS = [METRICS.index(metric) for metric in ENGAGEMENTS]
_GROWTH = ("published", "views", "reach", "engagements", "rate_by_reach", "rate_by_views")


def days_needed(periods: Sequence[Period]) -> tuple[date, date]:
    """The first and the last UTC day whose values the figures of these periods rest on."""
    firsts = [min(period.previous.start, period.start - BASELINE_DAYS * DAY) for period in periods]
    return min(firsts) - DAY, max(period.last_measured for period in periods)


def first_post_day(first: date) -> date:
    """Posts from this day on count on the day `first`, or in the history of it, in any zone."""
    return first - (max(COUNTED_DAYS, HISTORY_DAYS) + 2) * DAY


class Engagement:
    """One client's statistics over all days of one table of values; `figures` cuts a period out of it."""

    def __init__(self, values: DailyValues, zone: str) -> None:
        import numpy as np

        self._np = np
        self._values = values
        self._zone = zone
        tz = zone_of(zone)
        local = [post.published_at.astimezone(tz) for post in values.posts]
        self._weekdays = np.array([at.weekday() for at in local], dtype=int)
        self._hours = np.array([at.hour for at in local], dtype=int)
        self._platforms = np.array([post.platform for post in values.posts], dtype=object)
        # The first day that has the post: it counts from the end of the local day on which it became public.
        self._first = np.array([values.place(at.date() + DAY) for at in local], dtype=int)
        days = np.arange(values.value.shape[2])
        self._counts = (self._first[:, None] <= days) & (days < self._first[:, None] + COUNTED_DAYS)
        never = {name: _never_told(name) for name in set(self._platforms)}
        self._never = np.array([never[name] for name in self._platforms], dtype=bool).reshape(-1, len(METRICS))
        self._gain = self._gains(days)
        self._engagement = sum_known(values.value[:, _ENGAGEMENTS], axis=1)
        self._engagement_gain = sum_known(self._gain[:, _ENGAGEMENTS], axis=1)
        self._silent = self._silent_days(days)
        self._parts: dict[Period, dict[str, Any]] = {}

    def figures(self, period: Period) -> dict[str, Any]:
        """The `metrics` of a snapshot, without `restated`: plain numbers, text, lists and dicts.

        Numbers of things are integers, rates fractions of 6 digits; what is missing is None and told in `missing`.
        """
        now, before = self._part(period), self._part(period.previous)
        posts, counted = self._of_period(period), self._counted(period)
        last = self._values.place(period.last_measured)
        history = self._np.flatnonzero((self._first <= last) & (self._first > last - HISTORY_DAYS))
        named = sorted(set(self._platforms[counted]) | set(self._platforms[posts]))
        times, note = best_times(*self._rated(history, last))
        return {
            "schema": SCHEMA,
            "zone": self._zone,
            "from": period.start.isoformat(),
            "to": period.end.isoformat(),
            **now,
            "posts": {**now["posts"], "by_platform": dict(sorted(Counter(self._platforms[posts]).items()))},
            "platforms": {name: self._part(period, name) for name in named},
            "weekdays": self._slots(posts, last, self._weekdays, 7),
            "hours": self._slots(posts, last, self._hours, 24),
            "best_times": times,
            "best_times_note": note,
            "growth": {figure: growth(_growing(now, figure), _growing(before, figure)) for figure in _GROWTH},
            "anomalies": self._anomalies(period),
            "top_posts": self._top_posts(posts, last),
            "missing": missing_figures(
                self._values, counted, self._never, self._unknown_gains(period), period.last_measured
            ),
            "sources": self._sources(period),
            "days_without_readings": self._days_without_readings(period),
        }

    def series(self, last: date, days: int) -> list[int | None]:
        """Engagements gained on each of some days up to `last`, for a chart."""
        end = self._values.place(last) + 1
        gained = self._daily(self._engagement_gain)[max(end - days, 0) : end]
        return [whole(value) for value in gained]

    def _gains(self, days: Any) -> Any:
        """Value less the value of the day before. On its first day a post gained all that it has."""
        np, value = self._np, self._values.value
        gain = np.full(value.shape, np.nan)
        gain[:, :, 1:] = value[:, :, 1:] - value[:, :, :-1]
        newborn = (self._first[:, None] == days)[:, None, :]
        return np.where(self._counts[:, None, :], np.where(newborn, value, gain), np.nan)

    def _silent_days(self, days: Any) -> Any:
        """Days on which a post in its first 7 days was due and nothing at all was read."""
        np, values = self._np, self._values
        public = np.array([values.place(day_of(post.published_at)) for post in values.posts], dtype=int)
        begins = np.maximum(self._first, public + 1)[:, None]
        taken_back = np.array([post.is_taken_back for post in values.posts], dtype=bool)[:, None]
        due = (begins <= days) & (days <= public[:, None] + DAILY_DAYS) & ~taken_back
        return due.any(axis=0) & ~np.isin(days, values.reading_days)

    def _of_period(self, period: Period) -> Any:
        """Places of the posts that became public in it."""
        first, last = (self._values.place(day) for day in (period.first_measured, period.last_measured))
        return self._np.flatnonzero((self._first >= first) & (self._first <= last))

    def _span(self, period: Period) -> slice:
        return slice(self._values.place(period.first_measured), self._values.place(period.last_measured) + 1)

    def _counted(self, period: Period) -> Any:
        """Places of the posts whose gains belong to it."""
        return self._np.flatnonzero(self._counts[:, self._span(period)].any(axis=1))

    def _part(self, period: Period, platform: str | None = None) -> dict[str, Any]:
        """What a platform has in common with the whole client."""
        if platform is None and period in self._parts:
            return self._parts[period]
        posts, counted = self._of_period(period), self._counted(period)
        if platform is not None:
            posts, counted = (places[self._platforms[places] == platform] for places in (posts, counted))
        last = self._values.place(period.last_measured)
        engagement = self._engagement[posts, last]
        value = self._values.value[posts, :, last]
        gain = sum_known(self._engagement_gain[counted][:, self._span(period)], axis=1)
        no_reach = self._never[posts, _REACH]
        part = {
            "posts": {"published": len(posts), "measured": int((~self._np.isnan(value)).any(axis=1).sum())},
            "totals": self._totals(posts, last),
            "gained": self._gained(counted, period),
            "engagements": {
                "value": total(engagement),
                "gained": total(gain),
                "posts": int((~self._np.isnan(engagement)).sum()),
            },
            "rate_by_reach": pooled_rate(engagement, value[:, _REACH]),
            "rate_by_views": pooled_rate(engagement[no_reach], value[no_reach, _VIEWS]),
        }
        if platform is None:
            self._parts[period] = part
        return part

    def _totals(self, posts: Any, last: int) -> dict[str, Any]:
        value, fresh = self._values.value[posts, :, last], self._values.is_fresh[posts, :, last]
        known = ~self._np.isnan(value)
        return _by_metric(sum_known(value, axis=0), known, ~known & ~self._never[posts], known & ~fresh)

    def _gained(self, counted: Any, period: Period) -> dict[str, Any]:
        """A post is missing here as well if some of its days are: what it gained on these is in no sum."""
        np, span = self._np, self._span(period)
        gain = self._gain[counted, :, span]
        last = self._values.place(period.last_measured)
        known = ~np.isnan(gain)
        missing = (~known & self._counts[counted, None, span]).any(axis=2) & ~self._never[counted]
        carried = known.any(axis=2) & ~self._values.is_fresh[counted, :, last]
        return _by_metric(sum_known(sum_known(gain, axis=2), axis=0), known.any(axis=2), missing, carried)

    def _unknown_gains(self, period: Period) -> Any:
        """Of all posts: whether a metric came to be known too late, so that what was gained before is in no sum."""
        np, span = self._np, self._span(period)
        known = ~np.isnan(self._values.value[:, :, span])
        return (known & np.isnan(self._gain[:, :, span]) & self._counts[:, None, span]).any(axis=2)

    def _rated(self, posts: Any, last: int) -> tuple[Any, Any, Any, Any, str]:
        """Engagements of posts and by what they are divided: reach; for who has no reach at all, views."""
        np = self._np
        engagement = self._engagement[posts, last]
        reach, views = (self._values.value[posts, metric, last] for metric in (_REACH, _VIEWS))
        by = "reach" if (~np.isnan(reach)).any() or not self._never[posts, _REACH].any() else "views"
        return self._weekdays[posts], self._hours[posts], engagement, reach if by == "reach" else views, by

    def _slots(self, posts: Any, last: int, slot_of: Any, slots: int) -> dict[str, Any]:
        _, _, engagement, base, _ = self._rated(posts, last)
        found = {}
        for slot in range(slots):
            chosen = slot_of[posts] == slot
            rate = pooled_rate(engagement[chosen], base[chosen]) if chosen.any() else {"value": None, "posts": 0}
            found[str(slot)] = {"posts": rate["posts"], "rate": rate["value"]}
        return found

    def _daily(self, gain: Any) -> Any:
        """A gain of all posts by day. A day without readings gained unknown parts of the next day's gain: neither is
        a day like others."""
        np = self._np
        total = sum_known(np.where(self._counts, gain, np.nan), axis=0)
        after = np.concatenate([[False], self._silent[:-1]])
        return np.where(self._silent | after, np.nan, total)

    def _anomalies(self, period: Period) -> list[dict[str, Any]]:
        series = {
            "engagements": self._daily(self._engagement_gain),
            "views": self._daily(self._gain[:, _VIEWS]),
            "reach": self._daily(self._gain[:, _REACH]),
        }
        span = self._span(period)
        return anomalies(series, range(span.start, span.stop), self._local_day)

    def _top_posts(self, posts: Any, last: int) -> list[dict[str, Any]]:
        value = self._values.value[:, :, last]
        rows = [(self._engagement[at, last], value[at, _REACH], at) for at in posts]
        rows = [row for row in rows if not self._np.isnan(row[0])]
        # Equal ones in the order in which they became public.
        rows.sort(key=lambda row: (-row[0], -(row[1] if row[1] == row[1] else 0), row[2]))
        best = []
        for engagements, reach, at in rows[:TOP_POSTS]:
            post = self._values.posts[at]
            base = value[at, _VIEWS] if self._never[at, _REACH] else reach
            best.append(
                {
                    "post_id": str(post.post_id),
                    "platform": post.platform,
                    "text": post.text,
                    "url": post.url,
                    "engagements": whole(engagements),
                    "reach": whole(reach),
                    "rate": share(engagements, base),
                }
            )
        return best

    def _sources(self, period: Period) -> dict[str, list[str]]:
        """Ids of the readings behind the totals, and behind all gains that are not 0 by carrying: both ends."""
        np, source = self._np, self._values.source
        last, before = self._values.place(period.last_measured), self._values.place(period.start)
        posts, counted = self._of_period(period), self._counted(period)
        late = self._unknown_gains(period)
        found: dict[str, list[str]] = {}
        for name in sorted(set(self._platforms[counted])):
            own = counted[self._platforms[counted] == name]
            ends, begins = source[own, :, last], source[own, :, before]
            changed = ends != begins
            is_new = np.isin(own, posts)[:, None]
            firsts = [
                source[at, metric][source[at, metric] >= 0][0] for at in own for metric in np.flatnonzero(late[at])
            ]
            rows = np.concatenate([ends[changed | is_new], begins[changed & ~is_new], np.array(firsts, dtype=np.int64)])
            if ids := [str(self._values.readings[row].id) for row in np.unique(rows[rows >= 0])]:
                found[name] = ids
        return found

    def _days_without_readings(self, period: Period) -> list[str]:
        """Local days, as people see them, of which nothing was read on the UTC day after."""
        span = self._span(period)
        return [self._local_day(at).isoformat() for at in range(span.start, span.stop) if self._silent[at]]

    def _local_day(self, place: int) -> date:
        """The day whose figures are measured on the day at a place."""
        return self._values.first + (place - 1) * DAY


def _never_told(platform: str) -> list[bool]:
    never = unavailable(Platform(platform))
    return [metric in never for metric in METRICS]


def _by_metric(sums: Any, known: Any, missing: Any, carried: Any) -> dict[str, Any]:
    counts = (array.sum(axis=0).tolist() for array in (known, missing, carried))
    rows = zip(METRICS, sums.tolist(), *counts, strict=True)
    return {
        str(metric): {"value": whole(value), "posts": posts, "missing": gaps, "carried": old}
        for metric, value, posts, gaps, old in rows
    }


def _growing(part: Mapping[str, Any], figure: str) -> float | None:
    if figure == "published":
        return part["posts"]["published"]
    if figure == "engagements":
        return part["engagements"]["gained"]
    return part[figure]["value"] if figure.startswith("rate_") else part["gained"][figure]["value"]
