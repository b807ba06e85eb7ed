"""The value of each post's metrics on each day, from the readings that were stored.

Lives here: which reading is a day's value. Does not live here: what is made of the values (`engagement.py`), when a
post is measured and which window a day has (`measuring.py`).

The value of a metric on D is
the first reading in the window of D that has it, whatever is read later in that window; with none there, the last one
before the window that has it: the value is carried. With no reading at all it is missing, which is not 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from draggonnb_pipelines.domain.measuring import DAY_BEGINS
from draggonnb_pipelines.domain.metrics import Metric

METRICS = tuple(Metric)
# Cells of (posts and their days) that one table may have, so that a run of many clients keeps to some 200 MB.
MAX_CELLS = 400_000
_MAX_NUMBER = 2**53 - 1  # beyond it not every integer has a float64 of its own
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
_SECONDS_A_DAY = 86_400
_SECONDS_BEFORE_WINDOW = DAY_BEGINS.hour * 3600


@dataclass(frozen=True, slots=True)
class PublishedPost:
    """One post as it became public on one account.

    Args:
        id: of its row in `content_queue`; readings name it.
        text: its first 80 characters.
        is_taken_back: nobody asks for its numbers any more; what was read of it stays true.
    """

    id: UUID
    post_id: UUID
    platform: str
    published_at: datetime
    text: str
    url: str | None
    is_taken_back: bool


class StoredReading(NamedTuple):
    """A row of `platform_metrics`. `missing` is None where nothing was."""

    id: UUID
    queue_id: UUID
    collected_at: datetime
    values: Mapping[str, Any]
    missing: Mapping[str, str] | None
    is_gone: bool


@dataclass(frozen=True)
class DailyValues:
    """The values of one client's posts on consecutive UTC days.

    All arrays have the shape (posts, metrics in the order of `METRICS`, days).

    Args:
        first: the day at place 0 of the last axis.
        value: float64, NaN where it is missing.
        source: int64, the place in `readings` of the reading that has the value, -1 where it is missing.
        is_fresh: bool, read in the window of that day: neither carried nor missing.
        reading_days: the windows in which each of `readings` lies, as places on the last axis; before `first` it is
            negative.
    """

    first: date
    posts: Sequence[PublishedPost]
    readings: Sequence[StoredReading]
    value: Any
    source: Any
    is_fresh: Any
    reading_days: Any

    def place(self, day: date) -> int:
        """Of a day on the last axis."""
        return (day - self.first).days


def daily_values(
    clients: Sequence[tuple[Sequence[PublishedPost], Sequence[StoredReading]]], first: date, last: date
) -> list[DailyValues]:
    """The values of many clients on the days from `first` to `last`, both included.

    One table for all of them: pandas takes milliseconds for a table, be it of one client or of fifty.

    Args:
        clients: the posts and readings of each; readings in the order of their time, those of other posts are left out.
    """
    tables: list[DailyValues] = []
    days = (last - first).days + 1
    chunk: list[tuple[Sequence[PublishedPost], Sequence[StoredReading]]] = []
    cells = 0
    for client in clients:
        own = (len(client[0]) + 1) * days
        if chunk and cells + own > MAX_CELLS:
            tables += _table(chunk, first, days)
            chunk, cells = [], 0
        chunk.append(client)
        cells += own
    return tables + _table(chunk, first, days)


def _table(
    clients: Sequence[tuple[Sequence[PublishedPost], Sequence[StoredReading]]], first: date, days: int
) -> list[DailyValues]:
    import numpy as np
    import pandas as pd

    posts: dict[tuple[int, UUID], int] = {}
    rows: list[list[float | None]] = []
    places: list[int] = []
    seconds: list[float] = []
    spans = []
    kept: list[list[StoredReading]] = []
    for number, (own_posts, own_readings) in enumerate(clients):
        begin = len(posts)
        posts.update(((number, post.id), begin + at) for at, post in enumerate(own_posts))
        own = [reading for reading in own_readings if (number, reading.queue_id) in posts]
        spans.append((begin, len(posts), len(rows), len(rows) + len(own)))
        rows += [[_number(reading.values.get(metric)) for metric in METRICS] for reading in own]
        places += [posts[number, reading.queue_id] for reading in own]
        seconds += [reading.collected_at.timestamp() for reading in own]
        kept.append(own)
    read = np.array(rows, dtype=float).reshape(-1, len(METRICS))
    windows = (np.array(seconds) - _SECONDS_BEFORE_WINDOW) // _SECONDS_A_DAY
    windows = windows.astype(np.int64) + _EPOCH - first.toordinal()

    # What is carried is a place in `read`, not a number: it leads to the row that the number came from. Place 0 of the
    # days is all that lies before them.
    of_row = pd.DataFrame(np.where(np.isnan(read), np.nan, np.arange(len(read), dtype=float)[:, None]))
    of_row["cell"] = np.array(places, dtype=np.int64) * (days + 1) + np.clip(windows + 1, 0, days)
    groups = of_row[windows < days].groupby("cell", sort=False)
    firsts = _dense(groups.first(), len(posts), days)
    # Rows come in the order of time, so the last one so far is the highest place so far.
    lasts = np.fmax.accumulate(_dense(groups.last(), len(posts), days), axis=2)
    is_fresh = ~np.isnan(firsts[:, :, 1:])
    chosen = np.where(is_fresh, firsts[:, :, 1:], lasts[:, :, :-1])
    source = np.where(np.isnan(chosen), -1, chosen).astype(np.int64)
    if len(read):
        value = np.where(source < 0, np.nan, read[source, np.arange(len(METRICS))[None, :, None]])
    else:
        value = np.full(source.shape, np.nan)
    return [
        DailyValues(
            first=first,
            posts=client[0],
            readings=own,
            value=value[begin:end],
            source=np.where(source[begin:end] < 0, -1, source[begin:end] - row),
            is_fresh=is_fresh[begin:end],
            reading_days=windows[row:row_end],
        )
        for client, own, (begin, end, row, row_end) in zip(clients, kept, spans, strict=True)
    ]


def _dense(cells: Any, posts: int, days: int) -> Any:
    """A group's row per post and day as an array (posts, metrics, days + 1), NaN where there is none."""
    import numpy as np

    dense = np.full((posts * (days + 1), len(METRICS)), np.nan)
    dense[cells.index.to_numpy()] = cells.to_numpy()
    return dense.reshape(posts, days + 1, len(METRICS)).transpose(0, 2, 1)


def _number(value: object) -> float | None:
    """A stored number; whatever else a row may hold (null, text, true, 1e400) is no number, hence missing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) <= _MAX_NUMBER else None
