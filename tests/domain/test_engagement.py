"""Figures of hand-made posts: totals, gains, rates, and what is said where something is not known."""

from datetime import timedelta

from draggonnb_pipelines.domain.missing_figures import ALL_METRICS, KNOWN_LATE, NOT_GIVEN, NOT_READ, TAKEN_BACK
from tests.domain.engagement_work import day, figures_of, numbers, post, reading, reading_id


def test_a_day_holds_the_totals_of_its_posts_and_the_gains_of_all() -> None:
    posts = [post("old", "11-18 08:00"), post("new", "11-19 08:00"), post("later", "11-20 08:00")]
    readings = [
        reading("old", "11-19 06:00", views=100, reach=80, reactions=8, comments=2),
        reading("new", "11-19 09:00", views=5),
        reading("old", "11-20 06:00", views=150, reach=100, reactions=9, comments=4),
        reading("new", "11-20 06:00", views=40, reach=30, reactions=3, comments=0),
        reading("later", "11-20 09:00", views=7),
    ]

    figures = figures_of(posts, readings, "11-19")

    assert (figures["zone"], figures["from"], figures["to"]) == ("Africa/Johannesburg", "2026-11-19", "2026-11-20")
    assert figures["posts"] == {"published": 1, "measured": 1, "by_platform": {"facebook": 1}}
    assert numbers(figures["totals"]) == {
        "views": (40, 1, 0, 0),
        "reach": (30, 1, 0, 0),
        "reactions": (3, 1, 0, 0),
        "comments": (0, 1, 0, 0),
        "shares": (None, 0, 1, 0),
        "clicks": (None, 0, 1, 0),
        "video_views": (None, 0, 1, 0),
    }
    assert numbers(figures["gained"])["views"] == (50 + 40, 2, 0, 0)
    assert numbers(figures["gained"])["reach"] == (20 + 30, 2, 0, 0)
    assert figures["engagements"] == {"value": 3, "gained": (1 + 2) + 3, "posts": 1}
    assert figures["rate_by_reach"] == {"value": 0.1, "posts": 1}
    assert figures["days_without_readings"] == []
    assert figures["sources"] == {
        "facebook": [
            reading_id("old", "11-19 06:00"),
            reading_id("old", "11-20 06:00"),
            reading_id("new", "11-20 06:00"),
        ]
    }


def test_missing_is_not_zero_and_every_gap_has_its_reason() -> None:
    posts = [
        post("a", "11-19 08:00"),
        post("b", "11-19 09:00"),
        post("c", "11-19 10:00", "x"),
        post("d", "11-19 11:00", "x", is_taken_back=True),
    ]
    readings = [reading("a", "11-20 06:00", {"reach": "retired"}, views=10, reactions=1, shares=0, comments=0)]

    figures = figures_of(posts, readings, "11-19")

    assert figures["totals"]["reach"] == {"value": None, "posts": 0, "missing": 2, "carried": 0}
    assert figures["totals"]["views"] == {"value": 10, "posts": 1, "missing": 3, "carried": 0}
    assert figures["totals"]["shares"]["value"] == 0
    assert figures["rate_by_reach"] == {"value": None, "posts": 0}
    assert figures["posts"] == {"published": 4, "measured": 1, "by_platform": {"facebook": 2, "x": 2}}
    assert figures["missing"] == [
        {"platform": "facebook", "metric": ALL_METRICS, "posts": 1, "reason": NOT_READ},
        {"platform": "facebook", "metric": "clicks", "posts": 1, "reason": NOT_GIVEN},
        {"platform": "facebook", "metric": "reach", "posts": 1, "reason": "retired"},
        {"platform": "facebook", "metric": "video_views", "posts": 1, "reason": NOT_GIVEN},
        {"platform": "x", "metric": ALL_METRICS, "posts": 1, "reason": NOT_READ},
        {"platform": "x", "metric": ALL_METRICS, "posts": 1, "reason": TAKEN_BACK},
    ]


def test_a_network_without_reach_is_rated_by_views_and_apart() -> None:
    posts = [post("f", "11-19 08:00"), post("x", "11-19 09:00", "x")]
    readings = [
        reading("f", "11-20 06:00", views=400, reach=200, reactions=10, comments=5, shares=5),
        reading("x", "11-20 06:00", views=1000, reactions=20, quotes=5),
    ]

    figures = figures_of(posts, readings, "11-19")

    assert figures["rate_by_reach"] == {"value": 0.1, "posts": 1}
    assert figures["rate_by_views"] == {"value": 0.025, "posts": 1}
    assert figures["totals"]["reach"] == {"value": 200, "posts": 1, "missing": 0, "carried": 0}
    assert numbers(figures["gained"])["reach"] == (200, 1, 0, 0)
    assert "reach" not in numbers(figures["platforms"]["x"]["gained"])
    assert figures["platforms"]["x"]["rate_by_reach"] == {"value": None, "posts": 0}
    assert figures["platforms"]["facebook"]["rate_by_views"] == {"value": None, "posts": 0}
    assert [one["rate"] for one in figures["top_posts"]] == [0.025, 0.1]
    assert [one["engagements"] for one in figures["top_posts"]] == [25, 20]


def test_the_reason_is_that_of_the_days_own_reading_whatever_is_said_later_in_its_window() -> None:
    readings = [
        reading("a", "11-19 09:00", {"reach": "too young"}, views=1),
        reading("a", "11-20 06:00", {"reach": "retired"}, views=2),
        reading("a", "11-20 15:00", {"reach": "throttled"}, views=3),
    ]

    figures = figures_of([post("a", "11-19 08:00")], readings, "11-19")

    assert {row["reason"] for row in figures["missing"] if row["metric"] == "reach"} == {"retired"}


def test_a_total_that_is_carried_names_the_reading_that_it_was_carried_from() -> None:
    # Public at 04:00 UTC, read at 05:00: in the window of the day before that of its own.
    posts, readings = [post("a", "11-19 04:00")], [reading("a", "11-19 05:00", views=9)]

    figures = figures_of(posts, readings, "11-19")

    assert numbers(figures["totals"])["views"] == numbers(figures["gained"])["views"] == (9, 1, 0, 1)
    assert figures["sources"] == {"facebook": [reading_id("a", "11-19 05:00")]}


def test_the_gain_of_two_days_after_a_day_without_readings_is_not_unusual() -> None:
    posts = [post("steady", "10-01 08:00"), post("young", "11-04 08:00")]
    days = [f"10-{number:02}" for number in range(2, 32)] + [f"11-0{number}" for number in range(1, 8)]
    readings = [reading("steady", f"{date} 06:00", views=100 * number) for number, date in enumerate(days, 1)]
    readings += [reading("young", f"11-0{number} 06:00", views=0) for number in (5, 6, 7)]
    readings.sort(key=lambda one: one.collected_at)
    gap = [one for one in readings if one.collected_at.date() != day("11-06")]

    silent, after = figures_of(posts, gap, "11-05"), figures_of(posts, gap, "11-06")
    [*before, steady, young] = readings
    jump = figures_of(posts, [*before, steady._replace(values={"views": 4000}), young], "11-06")

    assert silent["days_without_readings"] == ["2026-11-05"]
    assert (silent["gained"]["views"]["value"], after["gained"]["views"]["value"]) == (0, 200)
    assert (silent["anomalies"], after["anomalies"]) == ([], [])
    assert [(one["figure"], one["day"], one["value"]) for one in jump["anomalies"]] == [("views", "2026-11-06", 400)]


def test_a_day_that_was_not_read_carries_and_the_next_one_gains_for_both() -> None:
    posts = [post("a", "11-17 08:00")]
    readings = [reading("a", "11-18 06:00", views=10), reading("a", "11-20 06:00", views=70)]

    silent = figures_of(posts, readings, "11-18")
    after = figures_of(posts, readings, "11-19")

    assert numbers(silent["gained"])["views"] == (0, 1, 0, 1)
    assert silent["days_without_readings"] == ["2026-11-18"]
    assert silent["sources"] == {}
    assert numbers(after["gained"])["views"] == (60, 1, 0, 0)
    assert after["days_without_readings"] == []


def test_a_first_number_that_comes_late_is_not_taken_for_a_gain() -> None:
    posts = [post("a", "11-17 08:00")]
    readings = [reading("a", "11-19 06:00", views=500), reading("a", "11-20 06:00", views=510)]

    first = figures_of(posts, readings, "11-17")
    second = figures_of(posts, readings, "11-18")
    week = figures_of(posts, readings, "11-16", kind="week")

    assert numbers(first["gained"])["views"] == (None, 0, 1, 0)
    assert numbers(second["gained"])["views"] == (None, 0, 1, 0)
    assert {"platform": "facebook", "metric": "views", "posts": 1, "reason": KNOWN_LATE} in second["missing"]
    assert numbers(week["gained"])["views"] == (10, 1, 1, 1)
    assert week["totals"]["views"]["value"] == 510
    assert {"platform": "facebook", "metric": "views", "posts": 1, "reason": KNOWN_LATE} in week["missing"]
    assert week["sources"] == {"facebook": [reading_id("a", "11-19 06:00"), reading_id("a", "11-20 06:00")]}


def test_what_a_platform_takes_back_is_a_negative_gain() -> None:
    posts = [post("a", "11-17 08:00")]
    readings = [
        reading("a", "11-19 06:00", views=100, reach=50, reactions=20),
        reading("a", "11-20 06:00", views=90, reach=50, reactions=4),
    ]

    figures = figures_of(posts, readings, "11-19")

    assert numbers(figures["gained"])["views"] == (-10, 1, 0, 0)
    assert figures["engagements"]["gained"] == -16
    assert figures["growth"]["views"] == {"value": -10, "previous": None, "change": None, "percent": None}


def test_the_days_of_a_week_sum_up_to_it() -> None:
    posts = [post("a", "11-14 08:00"), post("b", "11-18 08:00")]
    readings = [reading("a", f"11-{date} 06:00", views=date * date) for date in range(15, 24)]
    readings += [reading("b", f"11-{date} 06:00", views=date * 3) for date in range(19, 24)]
    readings.sort(key=lambda one: one.collected_at)

    week = figures_of(posts, readings, "11-16", kind="week")
    days = [figures_of(posts, readings, f"11-{date}") for date in range(16, 23)]

    assert (
        week["gained"]["views"]["value"] == sum(one["gained"]["views"]["value"] for one in days) == 23**2 - 16**2 + 69
    )
    assert week["posts"]["published"] == 1
    assert week["totals"]["views"]["value"] == 69
    assert week["growth"]["published"] == {"value": 1, "previous": 1, "change": 0, "percent": 0.0}


def test_growth_is_against_the_period_before() -> None:
    posts = [post("a", "11-17 08:00")]
    readings = [reading("a", f"11-{date} 06:00", views=views) for date, views in ((18, 100), (19, 140), (20, 200))]

    figures = figures_of(posts, readings, "11-19")

    assert figures["growth"]["views"] == {"value": 60, "previous": 40, "change": 20, "percent": 50.0}
    assert figures["growth"]["published"] == {"value": 0, "previous": 0, "change": 0, "percent": None}


def test_an_organization_without_posts_has_figures_that_claim_nothing() -> None:
    figures = figures_of([], [], "11-16", kind="week")

    assert figures["posts"] == {"published": 0, "measured": 0, "by_platform": {}}
    assert {tuple(one.values()) for one in figures["totals"].values()} == {(None, 0, 0, 0)}
    assert {tuple(one.values()) for one in figures["gained"].values()} == {(None, 0, 0, 0)}
    assert figures["engagements"] == {"value": None, "gained": None, "posts": 0}
    empty = ("platforms", "sources", "missing", "anomalies", "top_posts", "best_times", "days_without_readings")
    assert {name: figures[name] for name in empty if figures[name]} == {}


def test_a_day_is_the_zones_own() -> None:
    # Half past ten in the evening and half past midnight in Johannesburg; 08:30 and 11:30 the day after in Auckland.
    posts = [post("a", "11-19 20:30"), post("b", "11-19 22:30")]

    by_zone = {
        zone: [figures_of(posts, [], start, zone=zone)["posts"]["published"] for start in ("11-18", "11-19", "11-20")]
        for zone in ("Africa/Johannesburg", "Pacific/Auckland", "America/Los_Angeles", "UTC")
    }

    assert by_zone == {
        "Africa/Johannesburg": [0, 1, 1],
        "Pacific/Auckland": [0, 0, 2],
        "America/Los_Angeles": [0, 2, 0],
        "UTC": [0, 2, 0],
    }


def test_a_day_of_25_hours_and_one_of_23_hold_all_their_posts() -> None:
    # Los Angeles: 1 November 2026 has 01:30 twice, 8 March 2026 has no 02:30.
    autumn = [post("a", "11-01 07:00"), post("b", "11-01 08:30"), post("c", "11-01 09:30"), post("d", "11-02 07:59")]
    spring = [post("e", "03-08 08:00"), post("f", "03-08 10:30"), post("g", "03-09 06:59"), post("h", "03-09 07:00")]
    zone = "America/Los_Angeles"

    long, short = figures_of(autumn, [], "11-01", zone=zone), figures_of(spring, [], "03-08", zone=zone)

    assert long["posts"]["published"] == 4
    assert short["posts"]["published"] == 3


def test_weekdays_and_hours_are_those_of_the_clock_on_the_wall() -> None:
    posts = [post("a", "11-01 08:30"), post("b", "11-01 09:30")]  # 01:30 in Los Angeles, both
    readings = [
        reading("a", "11-02 06:00", reach=100, reactions=10),
        reading("b", "11-02 06:00", reach=300, reactions=10),
    ]

    figures = figures_of(posts, readings, "11-01", zone="America/Los_Angeles")

    assert {hour: one for hour, one in figures["hours"].items() if one["posts"]} == {"1": {"posts": 2, "rate": 0.05}}
    assert {one for one, row in figures["weekdays"].items() if row["posts"]} == {"6"}
    assert list(figures["hours"]) == [str(hour) for hour in range(24)]
    assert figures["weekdays"]["0"] == {"posts": 0, "rate": None}


def test_a_post_counts_until_its_last_reading_and_no_longer() -> None:
    posts = [post("a", "08-10 08:00")]
    readings = [reading("a", "11-01 06:00", views=100), reading("a", "11-08 06:00", views=107)]

    with_it = figures_of(posts, readings, "11-07")
    without = figures_of(posts, readings, "11-19")

    assert day("11-08") - day("08-10") == timedelta(days=90)
    assert numbers(with_it["gained"])["views"] == (7, 1, 0, 0)
    assert numbers(without["gained"]) == {}
