"""Posts and readings made by hand, and the figures that follow. Not here: assertions."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid5

from draggonnb_pipelines.domain.daily_values import DailyValues, PublishedPost, StoredReading, daily_values
from draggonnb_pipelines.domain.engagement import Engagement, days_needed
from draggonnb_pipelines.domain.periods import Kind, Period

_IDS = UUID("b7a0c9de-1111-4222-8333-444455556666")
JOHANNESBURG = "Africa/Johannesburg"


def at(text: str) -> datetime:
    """`11-20 06:00` in 2026, UTC."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def day(text: str) -> date:
    return date.fromisoformat(f"2026-{text}")


def post(name: str, published: str, platform: str = "facebook", *, is_taken_back: bool = False) -> PublishedPost:
    id_ = uuid5(_IDS, name)
    return PublishedPost(id_, id_, platform, at(published), f"Post {name}", f"https://{name}.example", is_taken_back)


def reading(name: str, collected: str, missing: Mapping[str, str] | None = None, **values: Any) -> StoredReading:
    id_ = uuid5(_IDS, f"{name}/{collected}")
    return StoredReading(id_, uuid5(_IDS, name), at(collected), values, missing or {}, False)


def reading_id(name: str, collected: str) -> str:
    return str(uuid5(_IDS, f"{name}/{collected}"))


def values_of(posts: Sequence[PublishedPost], readings: Sequence[StoredReading], first: str, last: str) -> DailyValues:
    [values] = daily_values([(posts, readings)], day(first), day(last))
    return values


def figures_of(
    posts: Sequence[PublishedPost],
    readings: Sequence[StoredReading],
    start: str,
    *,
    kind: Kind = "day",
    zone: str = JOHANNESBURG,
) -> dict[str, Any]:
    """The figures of the period that begins on this local day."""
    period = Period.starting(kind, day(start))
    [values] = daily_values([(posts, readings)], *days_needed([period]))
    return Engagement(values, zone).figures(period)


def numbers(part: Mapping[str, Any]) -> dict[str, tuple[int | None, int, int, int]]:
    """Of totals or gains: value, posts, missing and carried by metric, without those of which there is nothing."""
    rows = {name: (one["value"], one["posts"], one["missing"], one["carried"]) for name, one in part.items()}
    return {name: row for name, row in rows.items() if row != (None, 0, 0, 0)}
