"""Which of a platform's values is a count: everything else is missing with its reason, and never 0."""

from datetime import date
from typing import Any

import pytest

from draggonnb_pipelines.domain.metric_answers import no_reading, reading_of
from draggonnb_pipelines.domain.metric_registry import PUBLIC_METRICS, MetricSource
from draggonnb_pipelines.domain.metrics import Metric, Reading
from draggonnb_pipelines.domain.publishing import Platform


def source(name: str, metric: Metric) -> MetricSource:
    return MetricSource(Platform.X, name, metric, PUBLIC_METRICS, date(2022, 1, 1), None, "a page")


LIKES = source("like_count", Metric.REACTIONS)
SHARES = (source("repost_count", Metric.SHARES), source("retweet_count", Metric.SHARES))


def test_counts_are_taken_and_what_nobody_asked_for_is_ignored():
    reading = reading_of("7", (LIKES, *SHARES), {"like_count": 0, "repost_count": 12, "sparkle_count": 3})

    assert reading == Reading("7", {Metric.REACTIONS: 0, Metric.SHARES: 12})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "like_count: null in the answer"),
        ("12", "like_count: no number in the answer"),
        (True, "like_count: no number in the answer"),
        (1.5, "like_count: no number in the answer"),
        ({"value": 3}, "like_count: no number in the answer"),
        (-1, "like_count: no possible count in the answer"),
        (10**12 + 1, "like_count: no possible count in the answer"),
        (2**63, "like_count: no possible count in the answer"),
        (10**400, "like_count: no possible count in the answer"),
        (float("inf"), "like_count: no number in the answer"),
        (float("nan"), "like_count: no number in the answer"),
    ],
)
def test_what_is_no_count_is_missing_with_its_reason(value: Any, reason: str):
    reading = reading_of("7", (LIKES, *SHARES), {"like_count": value, "repost_count": 2})

    assert reading == Reading("7", {Metric.SHARES: 2}, {Metric.REACTIONS: reason})


@pytest.mark.parametrize("given", [None, [], "like_count", 7, {}])
def test_an_answer_without_counts_says_so_of_each_metric(given: Any):
    reading = reading_of("7", (LIKES, *SHARES), given)

    assert reading == Reading(
        "7",
        {},
        {Metric.REACTIONS: "like_count: not in the answer", Metric.SHARES: "repost_count: not in the answer"},
    )


@pytest.mark.parametrize(
    ("given", "values", "missing"),
    [
        ({"repost_count": 5, "retweet_count": 4}, {Metric.SHARES: 5}, {}),
        ({"retweet_count": 4}, {Metric.SHARES: 4}, {}),
        ({"repost_count": None, "retweet_count": 4}, {Metric.SHARES: 4}, {}),
        ({"repost_count": None}, {}, {Metric.SHARES: "repost_count: null in the answer"}),
        ({"retweet_count": "4"}, {}, {Metric.SHARES: "retweet_count: no number in the answer"}),
    ],
)
def test_of_two_names_of_a_metric_the_first_that_is_a_count_is_taken(
    given: dict[str, Any], values: dict[Metric, int], missing: dict[Metric, str]
):
    assert reading_of("7", SHARES, given) == Reading("7", values, missing)


def test_a_post_of_which_nothing_was_counted_has_one_reason_for_all():
    reading = no_reading("7", (LIKES, *SHARES), "too young")

    assert reading == Reading("7", {}, {Metric.REACTIONS: "too young", Metric.SHARES: "too young"})
