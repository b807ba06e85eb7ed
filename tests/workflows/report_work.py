"""Figures of a week in the shape in which snapshots have them: of a busy client, one with gaps, one without posts."""

import copy
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from draggonnb_pipelines.workflows.analytics.report_content import report_content
from draggonnb_pipelines.workflows.analytics.report_words import words_of

WEEK = date(2026, 11, 16)
SUNDAY = date(2026, 11, 22)


def gain(value: int | None, posts: int = 6, missing: int = 0) -> dict[str, Any]:
    return {"value": value, "posts": posts, "missing": missing, "carried": 0}


def growth(value: float, previous: float | None) -> dict[str, Any]:
    change = None if previous is None else round(value - previous, 6)
    percent = None if change is None or not previous else round(100 * change / previous, 6)
    return {"value": value, "previous": previous, "change": change, "percent": percent}


def platform(posts: int, engagements: int | None, rate: float | None, **gained: int | None) -> dict[str, Any]:
    by_views = "reach" not in gained
    rates = [{"value": None, "posts": 0}, {"value": rate, "posts": posts}]
    return {
        "posts": {"published": posts, "measured": posts},
        "totals": {},
        "gained": {"reach": gain(None, 0)} | {name: _gain_of(value, posts) for name, value in gained.items()},
        "engagements": {"value": engagements, "gained": engagements, "posts": posts},
        "rate_by_reach": rates[0 if by_views else 1],
        "rate_by_views": rates[1 if by_views else 0],
    }


def _gain_of(value: int | None, posts: int) -> dict[str, Any]:
    return gain(value, posts) if value is not None else gain(None, 0, posts)


def figures(**changes: Any) -> dict[str, Any]:
    """A busy week on four platforms."""
    return {
        "schema": 1,
        "zone": "Africa/Johannesburg",
        "from": WEEK.isoformat(),
        "to": SUNDAY.isoformat(),
        "posts": {"published": 9, "measured": 9, "by_platform": {"facebook": 3, "instagram": 3, "linkedin": 2, "x": 1}},
        "totals": {},
        "gained": {"reach": gain(12345), "views": gain(20410), "reactions": gain(640), "comments": gain(71)},
        "engagements": {"value": 790, "gained": 768, "posts": 9},
        "rate_by_reach": {"value": 0.0623, "posts": 8},
        "rate_by_views": {"value": 0.031, "posts": 9},
        "platforms": {
            "facebook": platform(3, 180, 0.041, reach=4100, views=5200),
            "instagram": platform(3, 402, 0.074, reach=5800, views=9100),
            "linkedin": platform(2, 120, 0.049, reach=2445, views=3900),
            "x": platform(1, 66, 0.0299, views=2210),
        },
        "weekdays": {},
        "hours": {},
        "best_times": [
            {"weekday": 2, "hour": 7, "rate": 0.05, "low": 0.031, "high": 0.073, "posts": 7},
            {"weekday": 3, "hour": 18, "rate": 0.0621, "low": 0.041, "high": 0.083, "posts": 9},
            {"weekday": 5, "hour": 10, "rate": 0.04, "low": 0.02, "high": 0.08, "posts": 5},
        ],
        "best_times_note": None,
        "growth": {
            "reach": growth(12345, 10829),
            "engagements": growth(768, 801),
            "rate_by_reach": growth(0.0623, 0.0551),
            "published": growth(9, 7),
        },
        "anomalies": [
            {
                "day": "2026-11-20",
                "figure": "reach",
                "value": 4105,
                "expected": 1500,
                "low": -80.5,
                "high": 3010.2,
                "text": "reach gained",
            }
        ],
        "top_posts": [
            {
                "post_id": "11111111-1111-4111-8111-111111111111",
                "platform": "instagram",
                "text": "Cold brew is back. Come early: the first thirty cups are on the house this Thurs",
                "url": "https://www.instagram.com/p/ABC/",
                "engagements": 211,
                "reach": 2840,
                "rate": 0.074296,
            },
            {
                "post_id": "22222222-2222-4222-8222-222222222222",
                "platform": "x",
                "text": "Closed on Reconciliation Day.",
                "url": "javascript:alert(1)",
                "engagements": 66,
                "reach": None,
                "rate": None,
            },
        ],
        "missing": [],
        "restated": False,
        "sources": {},
        "days_without_readings": [],
    } | changes


def with_gaps() -> dict[str, Any]:
    """Reach is not known at all, a day has no readings, and one day was counted again."""
    gaps = figures(restated=True, days_without_readings=["2026-11-18"])
    gaps["gained"] = copy.deepcopy(gaps["gained"]) | {"reach": gain(None, 0, 9), "views": gain(1200, 4, 2)}
    gaps["rate_by_reach"] = {"value": None, "posts": 0}
    gaps["rate_by_views"] = {"value": None, "posts": 0}
    gaps["platforms"] = {
        "facebook": platform(3, None, None, reach=None, views=None),
        "x": platform(1, 66, 0.0299, views=2210),
    }
    gaps["best_times"], gaps["anomalies"], gaps["growth"], gaps["top_posts"] = [], [], {}, []
    gaps["missing"] = [
        {"platform": "facebook", "metric": "reach", "posts": 3, "reason": "the platform refused it: code 100"},
        {"platform": "facebook", "metric": "comments", "posts": 1, "reason": "the answer holds null"},
    ]
    return gaps


def silent() -> dict[str, Any]:
    """Nothing was ever published."""
    empty = {"value": None, "posts": 0}
    return figures(
        posts={"published": 0, "measured": 0, "by_platform": {}},
        gained={},
        engagements={"value": None, "gained": None, "posts": 0},
        rate_by_reach=empty,
        rate_by_views=empty,
        platforms={},
        best_times=[],
        best_times_note="no posts in the last 90 days",
        growth={},
        anomalies=[],
        top_posts=[],
    )


def days_of(*values: int | None, start: date = WEEK) -> dict[date, int | None]:
    return {start + timedelta(days=n): value for n, value in enumerate(values)}


DAYS = days_of(120, 80, 61, 210, 234, 41, 22) | days_of(100, 90, 80, 140, 201, 110, 80, start=WEEK - timedelta(days=7))
WEEKS = {WEEK - timedelta(weeks=n): value for n, value in enumerate((768, 801, 640, None, 512, 530, 410, 380))}


def content(metrics: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """The report's content; `changes` override the arguments."""
    given: dict[str, Any] = {
        "organization": "Kloof Street Coffee",
        "week_start": WEEK,
        "days": DAYS,
        "weeks": WEEKS,
        "changes": {},
        "words": words_of("en-ZA"),
    }
    return report_content(figures() if metrics is None else metrics, **(given | changes))


LONG_NAME = "Tshikhuḓo ḽa Ṱhohoyanḓou Agricultural Cooperative and Roastery of the Greater Limpopo Valley (Pty) Ltd"


def samples() -> dict[str, dict[str, Any]]:
    """One report of each kind, to be looked at."""
    gaps = {WEEK - timedelta(weeks=n): value for n, value in enumerate((None, 801, 640))}
    few = days_of(12, 8, None, 30, 0, None, 4)
    long_post = dict(figures()["top_posts"][0], text="Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 2)
    return {
        "busy": content(),
        "gaps": content(with_gaps(), days=few, weeks=gaps, changes={"gained.views.value": [1180, 1200]}),
        "silent": content(silent(), days={}, weeks={}),
        "long": content(figures(top_posts=[long_post]), organization=LONG_NAME),
    }
