"""A post whose time has passed is published, put to a person or dropped, as the organization wants it."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from draggonnb_pipelines.domain.staleness import LateDecision, LatePolicy, decide_late

DUE = datetime(2026, 12, 1, 7, 0, tzinfo=UTC)
POLICIES = get_args(LatePolicy)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_punctual_post_is_published_whatever_the_policy(policy: LatePolicy):
    assert decide_late(policy, 60, DUE, DUE) == LateDecision("publish", "on time", timedelta(0))
    assert decide_late(policy, 60, DUE, DUE + timedelta(seconds=59)).reason == "on time"


@pytest.mark.parametrize("policy", POLICIES)
def test_up_to_the_limit_a_late_post_is_published_whatever_the_policy(policy: LatePolicy):
    decision = decide_late(policy, 60, DUE, DUE + timedelta(minutes=60))

    assert decision == LateDecision("publish", "1 hour late", timedelta(minutes=60))


@pytest.mark.parametrize(
    ("policy", "ending"),
    [("publish", "published all the same"), ("ask", "a person decides"), ("drop", "not published any more")],
)
def test_later_than_the_limit_the_policy_decides_and_says_why(policy: LatePolicy, ending: str):
    assert decide_late(policy, 60, DUE, DUE + timedelta(minutes=60, seconds=1)).action == policy

    decision = decide_late(policy, 90, DUE, DUE + timedelta(days=3, hours=4))

    assert decision.action == policy
    assert decision.reason == (
        f"3 days 4 hours late; by the organization's rule for more than 1 hour 30 minutes: {ending}"
    )


def test_a_clock_that_is_a_little_behind_makes_no_post_late():
    assert decide_late("drop", 1, DUE, DUE - timedelta(seconds=2)) == LateDecision("publish", "on time", timedelta(0))


def test_the_zones_of_the_two_times_do_not_matter():
    now = datetime.fromisoformat("2026-12-01T10:01:00+02:00")

    assert decide_late("ask", 60, DUE, now).late_by == timedelta(minutes=61)
    assert decide_late("ask", 60, DUE, now).action == "ask"
