"""What the report says: exact words and figures, and never a 0 where nothing is known."""

from datetime import timedelta
from typing import Any

import pytest

from tests.workflows.report_work import (
    DAYS,
    WEEK,
    content,
    days_of,
    figures,
    gain,
    growth,
    samples,
    silent,
    with_gaps,
)

NBSP = "\u00a0"


def test_a_busy_week_is_told_with_its_figures_and_how_they_changed() -> None:
    told = content()

    assert told["headline"] == f"Your posts reached 12{NBSP}345 people, 14% more than the week before."
    assert told["glance"] == [
        "The post that moved most people was on Instagram: 211 engagements.",
        "Your people answer best on Thursday around 18:00.",
    ]
    assert [(tile["label"], tile["value"], tile["change"], tile["note"]) for tile in told["tiles"]] == [
        ("People reached", f"12{NBSP}345", "▲ 14% on the week before", ""),
        ("Engagements", "768", "▼ 4,1% on the week before", ""),
        ("Engagement rate, of those reached", "6,2%", "▲ 0,7 points on the week before", ""),
        ("Posts published", "9", "▲ 2 more than the week before", ""),
    ]
    assert [(day["label"], day["value"], day["previous"]) for day in told["days"]] == [
        ("Mon", 120, 100),
        ("Tue", 80, 90),
        ("Wed", 61, 80),
        ("Thu", 210, 140),
        ("Fri", 234, 201),
        ("Sat", 41, 110),
        ("Sun", 22, 80),
    ]
    assert [tuple(row.values()) for row in told["platforms"]] == [
        ("Instagram", "3", f"5{NBSP}800", "402", "7,4%", 100),
        ("Facebook", "3", f"4{NBSP}100", "180", "4,1%", 45),
        ("LinkedIn", "2", f"2{NBSP}445", "120", "4,9%", 30),
        ("X", "1", "not told", "66", "3,0% of views", 16),
    ]
    assert [slot["label"] for slot in told["times"]] == ["Thursday 18:00", "Wednesday 07:00", "Saturday 10:00"]
    assert told["times"][0]["text"] == "6,2% (4,1% to 8,3%), 9 posts"
    assert told["anomalies"] == [f"Reach on Friday: 4{NBSP}105, more than usual (0 to 3{NBSP}010)"]
    assert (told["missing"], told["changes"], told["is_restated"]) == ([], [], False)
    assert told["for_whatsapp"] == ["9", f"12{NBSP}345", "768"]


def test_what_is_missing_is_called_not_known_and_is_nowhere_a_zero() -> None:
    told = content(with_gaps(), days=days_of(12, 8, None, 30, 0, None, 4), weeks={})

    assert told["headline"] == f"Your posts were seen 1{NBSP}200 times this week."
    assert told["glance"] == ["Some numbers are missing this week. They are listed below, and none is counted as zero."]
    assert [(tile["label"], tile["value"], tile["is_known"], tile["note"]) for tile in told["tiles"]] == [
        ("Times seen", f"1{NBSP}200", True, "without 2 posts that were not counted"),
        ("Engagements", "768", True, ""),
        ("Engagement rate, of those reached", "not known", False, ""),
        ("Posts published", "9", True, ""),
    ]
    assert [day["text"] for day in told["days"]] == ["12", "8", "not known", "30", "0", "not known", "4"]
    assert [day["value"] for day in told["days"]] == [12, 8, None, 30, 0, None, 4]
    assert [tuple(row.values()) for row in told["platforms"]] == [
        ("X", "1", "not told", "66", "3,0% of views", 100),
        ("Facebook", "3", "not known", "not known", "not known", 0),
    ]
    assert told["missing"] == [
        {"text": "Facebook: reach of 3 posts", "reason": "the platform refused it: code 100"},
        {"text": "Facebook: comments of 1 post", "reason": "the answer holds null"},
        {"text": "No numbers could be had for 18 November.", "reason": ""},
    ]
    assert told["for_whatsapp"] == ["9", "not known", "768"]


def test_who_published_nothing_is_told_so_in_two_sentences() -> None:
    told = content(silent(), days={}, weeks={})

    assert told["headline"] == "Nothing was published this week, so there is nothing to count."
    assert told["glance"] == ["Posts that are planned for the coming days will be in the next report."]
    for part in ("tiles", "days", "weeks", "platforms", "top_posts", "times", "anomalies", "missing", "changes"):
        assert told[part] == []


def test_earlier_posts_are_told_of_in_a_week_without_new_ones() -> None:
    none_new = {"published": 0, "measured": 0, "by_platform": {}}

    assert content(figures(posts=none_new))["headline"] == (
        f"Nothing new came out this week; your earlier posts still reached 12{NBSP}345 people."
    )


@pytest.mark.parametrize(
    ("reach", "previous", "headline"),
    [
        (90, 100, "Your posts reached 90 people, 10% fewer than the week before."),
        (100, 100, "Your posts reached 100 people, as many as the week before."),
        (100, None, "Your posts reached 100 people this week."),
        (100, 0, "Your posts reached 100 people this week."),
        (0, 100, "Your posts reached 0 people, 100% fewer than the week before."),
        (-5, 100, "The platforms corrected earlier numbers by more than your posts gained this week."),
    ],
)
def test_the_headline_follows_the_reach(reach: int, previous: int | None, headline: str) -> None:
    metrics = figures(gained={"reach": gain(reach)}, growth={"reach": growth(reach, previous)})

    assert content(metrics)["headline"] == headline


def test_without_a_single_known_number_the_headline_says_so() -> None:
    metrics = figures(gained={"reach": gain(None, 0, 9), "views": gain(None, 0, 9)}, growth={})

    assert content(metrics)["headline"] == "What your posts did this week is not known yet."


def test_a_correction_names_what_the_reader_saw_and_nothing_else() -> None:
    changes: dict[str, Any] = {
        "gained.reach.value": [12300, 12345],
        "gained.reach.posts": [8, 9],
        "totals.reach.value": [1, 2],
        "engagements.value": [1, 2],
        "engagements.gained": [None, 768],
        "platforms.x.engagements.gained": [60, 66],
        "rate_by_reach.value": [0.061, 0.0623],
        "top_posts": [[], []],
    }

    told = content(changes=changes)

    assert [tuple(row.values()) for row in told["changes"]] == [
        ("reach", f"12{NBSP}300", f"12{NBSP}345"),
        ("engagements", "not known", "768"),
        ("X: engagements", "60", "66"),
        ("rate by reach", "6,1%", "6,2%"),
    ]
    assert told["is_restated"] is True


def test_addresses_that_are_not_of_the_web_are_no_links() -> None:
    assert [post["url"] for post in content()["top_posts"]] == ["https://www.instagram.com/p/ABC/", None]


def test_weeks_are_a_line_from_three_known_ones_on_and_an_unknown_one_stays_a_gap() -> None:
    two = {WEEK: 5, WEEK - timedelta(weeks=1): 4}

    assert content(weeks=two)["weeks"] == []
    shown = content()["weeks"]
    assert [(week["label"], week["value"]) for week in shown[:1] + shown[4:5] + shown[-1:]] == [
        ("28 Sept", 380),
        ("26 Oct", None),
        ("16 Nov", 768),
    ]


def test_a_week_of_which_no_day_is_known_has_no_chart_of_days() -> None:
    before = {day: value for day, value in DAYS.items() if day < WEEK}

    assert content(days=before)["days"] == []


def test_a_long_list_of_what_is_missing_ends_with_how_much_more_there_is() -> None:
    rows = [{"platform": "x", "metric": f"m{n}", "posts": 1, "reason": "r"} for n in range(20)]

    told = content(figures(missing=rows))["missing"]

    assert len(told) == 13
    assert told[-1] == {"text": "and 8 more", "reason": ""}


def test_the_samples_are_reports_of_all_kinds() -> None:
    assert {name: bool(told["tiles"]) for name, told in samples().items()} == {
        "busy": True,
        "gaps": True,
        "silent": False,
        "long": True,
    }
