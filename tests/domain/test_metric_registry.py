"""The metric registry: what is asked for on a day, what was retired, and what a platform never tells."""

from datetime import date, timedelta

import pytest

from draggonnb_pipelines.domain.metric_registry import (
    FIELD,
    INSIGHTS,
    REGISTRY,
    VIDEO_INSIGHTS,
    live_sources,
    unavailable,
)
from draggonnb_pipelines.domain.metrics import Metric
from draggonnb_pipelines.domain.publishing import Platform

TODAY = date(2026, 11, 23)


def names(platform: Platform, via: str, on: date = TODAY, version: str | None = None) -> list[str]:
    return [source.name for source in live_sources(platform, on, version) if source.via == via]


def test_a_page_is_asked_for_views_and_never_again_for_impressions() -> None:
    assert names(Platform.FACEBOOK, INSIGHTS) == [
        "post_media_view",
        "post_total_media_view_unique",
        "post_clicks",
        "post_video_views",
    ]
    assert names(Platform.FACEBOOK, FIELD) == ["reactions", "comments", "shares"]
    assert "post_impressions_unique" in names(Platform.FACEBOOK, VIDEO_INSIGHTS)


@pytest.mark.parametrize(
    ("platform", "name", "last_day"),
    [
        (Platform.FACEBOOK, "post_impressions", date(2025, 11, 14)),
        (Platform.FACEBOOK, "post_impressions_unique", date(2026, 6, 14)),
        (Platform.INSTAGRAM, "impressions", date(2025, 4, 20)),
        (Platform.INSTAGRAM, "plays", date(2025, 4, 20)),
    ],
)
def test_a_retired_name_is_asked_for_until_its_last_day(platform: Platform, name: str, last_day: date) -> None:
    assert name in names(platform, INSIGHTS, last_day)
    assert name not in names(platform, INSIGHTS, last_day + timedelta(days=1))


def test_a_name_may_be_gone_in_a_new_version_before_it_is_gone_everywhere() -> None:
    day = date(2025, 3, 1)

    assert "impressions" in names(Platform.INSTAGRAM, INSIGHTS, day, "v21.0")
    assert "impressions" not in names(Platform.INSTAGRAM, INSIGHTS, day, "v22.0")
    assert "impressions" not in names(Platform.INSTAGRAM, INSIGHTS, day, "v100.0")
    assert "impressions" in names(Platform.INSTAGRAM, INSIGHTS, day)
    assert "impressions" not in names(Platform.INSTAGRAM, INSIGHTS, TODAY, "v21.0")


def test_this_years_name_of_a_repost_counts_before_last_years() -> None:
    shares = [one.name for one in live_sources(Platform.X, TODAY) if one.metric is Metric.SHARES]

    assert shares == ["repost_count", "retweet_count"]
    assert "repost_count" not in [one.name for one in live_sources(Platform.X, date(2026, 6, 30))]


@pytest.mark.parametrize("platform", Platform)
def test_each_metric_is_either_asked_for_or_never_told(platform: Platform) -> None:
    asked = {source.metric for source in live_sources(platform, TODAY)}

    assert asked | set(unavailable(platform)) == set(Metric)
    assert not asked & set(unavailable(platform))
    assert all(unavailable(platform).values())


def test_no_line_is_twice_in_force_and_each_says_where_it_is_from() -> None:
    keys = [(one.platform, one.name, one.via) for one in REGISTRY]

    assert len(set(keys)) == len(keys)
    assert all(one.source for one in REGISTRY)
    assert all(one.valid_until is None or one.valid_from < one.valid_until for one in REGISTRY)


def test_what_x_never_tells_cannot_be_changed_by_a_caller() -> None:
    with pytest.raises(TypeError):
        unavailable(Platform.X)[Metric.REACH] = "oh yes"  # pyright: ignore[reportIndexIssue]
