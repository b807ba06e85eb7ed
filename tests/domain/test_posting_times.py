"""Best times come from at least five posts at the same hour of the week, each with its interval."""

import numpy as np
import pytest

from draggonnb_pipelines.domain.posting_times import best_times, interval


def slots(*rows: tuple[int, int, float, float]) -> tuple[list[dict[str, object]], str]:
    weekdays, hours, engagement, reach = (np.array(column) for column in zip(*rows, strict=True))
    return best_times(weekdays, hours, engagement, reach, "reach")


def test_four_posts_at_an_hour_are_too_few() -> None:
    times, note = slots(*[(0, 9, 10.0, 100.0)] * 4, (0, 10, 10.0, 100.0), (0, 9, float("nan"), 100.0), (0, 9, 5.0, 0.0))

    assert times == []
    assert note == "no hour of the week has 5 posts with a rate by reach within 90 days; the most is 4"


def test_no_posts_at_all_say_so() -> None:
    nothing = np.array([])

    assert best_times(nothing.astype(int), nothing.astype(int), nothing, nothing, "views") == (
        [],
        "no hour of the week has 5 posts with a rate by views within 90 days; the most is 0",
    )


def test_the_surest_hour_comes_first_not_the_one_with_a_lucky_post() -> None:
    steady = [(2, 18, float(10 + number % 2), 100.0) for number in range(6)]
    lucky = [(4, 7, engagement, 100.0) for engagement in (1.0, 1.0, 1.0, 1.0, 80.0)]

    times, note = slots(*lucky, *steady)

    assert [(one["weekday"], one["hour"], one["rate"], one["posts"]) for one in times] == [
        (2, 18, 0.105, 6),
        (4, 7, 0.168, 5),
    ]
    assert times[1]["low"] == 0.0
    assert note == "rates by reach of 90 days, with 95 % intervals"


def test_the_interval_is_that_of_the_ratio_estimator() -> None:
    # By hand: rate 20/250 = 0.08; residuals 0.8, -0.8, 0.6, -0.4, -0.2; sum of squares 1.84;
    # error sqrt(5/4 * 1.84) / 250 = 0.0060663; t of 4 degrees 2.776.
    engagement = np.array([4.8, 3.2, 4.6, 3.6, 3.8])
    reach = np.array([50.0, 50.0, 50.0, 50.0, 50.0])

    low, high = interval(engagement, reach)

    assert low == pytest.approx(0.08 - 2.776 * 0.0060663, abs=5e-5)
    assert high == pytest.approx(0.08 + 2.776 * 0.0060663, abs=5e-5)


def test_posts_that_are_all_alike_have_no_interval_at_all() -> None:
    assert interval(np.array([10.0] * 5), np.array([100.0] * 5)) == (0.1, 0.1)
