"""Words, numbers and days as South Africans write them, and a locale file that is whole."""

from datetime import date

import pytest

from draggonnb_pipelines.workflows.analytics.report_words import words_of

NBSP = "\u00a0"


def test_numbers_and_rates_are_written_as_in_south_africa() -> None:
    words = words_of("en-ZA")

    assert words.number(1234567) == f"1{NBSP}234{NBSP}567"
    assert words.number(-12.5) == "-12,5"
    assert words.number(0) == "0"
    assert [words.percent(value) for value in (0.0623, 0.05, 0, 0.0996, 0.125, 1.5)] == [
        "6,2%",
        "5,0%",
        "0,0%",
        "10%",
        "12%",
        "150%",
    ]


@pytest.mark.parametrize(
    ("start", "shown"),
    [
        (date(2026, 11, 16), "16 to 22 November 2026"),
        (date(2026, 11, 30), "30 November to 6 December 2026"),
        (date(2026, 12, 28), "28 December 2026 to 3 January 2027"),
    ],
)
def test_a_week_names_month_and_year_once_where_they_are_the_same(start: date, shown: str) -> None:
    assert words_of("en-ZA").week(start) == shown


def test_days_and_hours_have_their_names() -> None:
    words = words_of("en-ZA")

    assert [words.weekday(number) for number in (0, 6)] == ["Monday", "Sunday"]
    assert words.weekday(3, "EEE") == "Thu"
    assert (words.hour(7), words.hour(18)) == ("07:00", "18:00")
    assert words.day(date(2026, 11, 3), "short_day") == "3 Nov"


def test_one_and_many_have_their_own_forms() -> None:
    words = words_of("en-ZA")

    assert [words.count("value.posts", n) for n in (0, 1, 2, 1000)] == [
        "0 posts",
        "1 post",
        "2 posts",
        f"1{NBSP}000 posts",
    ]


@pytest.mark.parametrize("tag", ["en_ZA", "zu-ZA", "", "../../secrets", "de"])
def test_a_locale_without_a_file_is_south_african_english(tag: str) -> None:
    assert words_of(tag).tag == "en-ZA"


def test_a_sentence_that_is_not_there_is_an_error_and_an_unknown_name_shows_itself() -> None:
    with pytest.raises(KeyError):
        words_of("en-ZA").say("report.nothing")

    assert words_of("en-ZA").name("metric", "profile_visits") == "profile visits"
