"""What an answer means for a row of the ledger: only what surely had no effect is ever sent again."""

from itertools import pairwise

import pytest

from draggonnb_pipelines.domain.publish_outcomes import (
    MAX_TRIES,
    Verdict,
    backoff_seconds,
    verdict_on,
    verdict_on_unreadable,
)
from draggonnb_pipelines.errors import ErrorClass, VendorError

ASK = "The platform has failed 8 times in a row and nothing was published. Try again, or drop it?"
IS_IT_THERE = (
    "It is not known whether this was published, and the platform cannot be read (said no). "
    "Look at the account: is the post there?"
)


def error(error_class: ErrorClass, retry_after_seconds: float | None = None) -> VendorError:
    return VendorError("x", error_class, "said no", retry_after_seconds=retry_after_seconds)


@pytest.mark.parametrize(
    ("error_class", "verdict"),
    [
        (ErrorClass.RETRY, Verdict("scheduled", 120.0, 3)),
        (ErrorClass.THROTTLED, Verdict("scheduled", 900.0, 2)),
        (ErrorClass.AMBIGUOUS, Verdict("unknown", 45.0, 2)),
        (ErrorClass.DUPLICATE, Verdict("unknown", 0.0, 2)),
        (ErrorClass.AUTH, Verdict("scheduled", 60.0, 2)),
        (ErrorClass.PERMISSION, Verdict("scheduled", 60.0, 2)),
        (ErrorClass.BLOCKED, Verdict("scheduled", 60.0, 2)),
        (ErrorClass.INPUT, Verdict("refused")),
        (ErrorClass.CONFIG, Verdict("scheduled", 900.0, 2)),
    ],
)
def test_each_class_has_its_verdict(error_class: ErrorClass, verdict: Verdict) -> None:
    assert verdict_on(error(error_class), tries=2, settle_seconds=45.0, jitter=0.0) == verdict


def test_no_class_is_without_a_verdict() -> None:
    found = {
        error_class: verdict_on(error(error_class), tries=0, settle_seconds=0.0, jitter=0.0).status
        for error_class in ErrorClass
    }

    assert set(found.values()) == {"scheduled", "unknown", "refused"}
    assert found.keys() == set(ErrorClass)


@pytest.mark.parametrize(("tries", "longest"), [(0, 15.0), (1, 60.0), (2, 240.0), (3, 960.0), (4, 3600.0), (7, 3600.0)])
def test_the_back_off_lies_between_half_and_the_whole(tries: int, longest: float) -> None:
    assert backoff_seconds(tries, 0.0) == longest / 2
    assert backoff_seconds(tries, 1.0) == longest


def test_eight_fruitless_tries_become_a_question_and_seven_do_not() -> None:
    verdicts = [
        verdict_on(error(ErrorClass.RETRY), tries=tries, settle_seconds=0.0, jitter=1.0) for tries in range(MAX_TRIES)
    ]

    assert [verdict.status for verdict in verdicts] == ["scheduled"] * 7 + ["needs_review"]
    assert [verdict.tries for verdict in verdicts] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert verdicts[-1] == Verdict("needs_review", 0.0, 8, ASK)
    assert all(early.delay_seconds <= late.delay_seconds for early, late in pairwise(verdicts[:-1]))


@pytest.mark.parametrize("tries", [0, 7, 100])
@pytest.mark.parametrize("error_class", [ErrorClass.THROTTLED, ErrorClass.AUTH, ErrorClass.CONFIG, ErrorClass.BLOCKED])
def test_waiting_for_others_uses_up_no_try_however_long_it_lasts(error_class: ErrorClass, tries: int) -> None:
    verdict = verdict_on(error(error_class), tries=tries, settle_seconds=0.0, jitter=0.0)

    assert (verdict.status, verdict.tries) == ("scheduled", tries)


@pytest.mark.parametrize(("asked", "waits"), [(None, 900.5), (0.0, 900.5), (0.2, 1.5), (300.0, 300.5)])
def test_a_throttled_row_waits_as_long_as_the_platform_says(asked: float | None, waits: float) -> None:
    throttled = error(ErrorClass.THROTTLED, asked)

    assert verdict_on(throttled, tries=1, settle_seconds=0.0, jitter=0.5) == Verdict("scheduled", waits, 1)
    assert verdict_on_unreadable(throttled, tries=1, jitter=0.5) == Verdict("unknown", waits, 1)


def test_a_platform_that_cannot_be_read_for_now_is_read_again_and_in_the_end_a_person_is_asked() -> None:
    verdicts = [verdict_on_unreadable(error(ErrorClass.RETRY), tries=tries, jitter=0.0) for tries in range(6)]

    assert [verdict.status for verdict in verdicts] == ["unknown"] * 5 + ["needs_review"]
    assert [verdict.delay_seconds for verdict in verdicts] == [7.5, 30.0, 120.0, 480.0, 1800.0, 0.0]
    assert verdicts[-1] == Verdict("needs_review", 0.0, 6, IS_IT_THERE)


@pytest.mark.parametrize("error_class", sorted(set(ErrorClass) - {ErrorClass.RETRY, ErrorClass.THROTTLED}))
def test_a_platform_that_will_never_be_readable_is_a_question_at_once_and_never_a_second_call(
    error_class: ErrorClass,
) -> None:
    assert verdict_on_unreadable(error(error_class), tries=0, jitter=0.0) == Verdict(
        "needs_review", 0.0, 1, IS_IT_THERE
    )
