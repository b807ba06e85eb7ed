"""Plans on offer: their terms, what they hold in words, and which choices are refused."""

from typing import Any

import pytest

from draggonnb_pipelines.domain.plans import ChoiceRefused, PlanOffer, check_choice


def plan(**changes: Any) -> PlanOffer:
    fields: dict[str, Any] = {"key": "growth", "name": "Growth", "description": "", "is_offered": True}
    terms: dict[str, Any] = {"trial_days": 0, "price_cents": 350000, "currency": "ZAR"}
    return PlanOffer(**fields | terms | changes)


def test_a_choice_at_the_terms_that_were_shown_is_carried_out() -> None:
    assert check_choice({"growth": plan()}, "growth", plan().terms) == plan()


@pytest.mark.parametrize(
    ("now", "fault"),
    [
        (plan(price_cents=350001), "changed"),
        (plan(trial_days=7), "changed"),
        (plan(is_offered=False), "withdrawn"),
        (plan(is_offered=False, price_cents=1), "withdrawn"),
        (plan(price_cents=None, currency=None), "unsellable"),
        (plan(currency="USD"), "unsellable"),
        (plan(price_cents=499), "unsellable"),
        (plan(price_cents=0), "unsellable"),
        (plan(price_cents=100_000_000), "unsellable"),
        (plan(key="other"), "unknown"),
    ],
)
def test_a_choice_is_refused_by_name(now: PlanOffer, fault: str) -> None:
    with pytest.raises(ChoiceRefused) as refused:
        check_choice({now.key: now}, "growth", plan().terms)

    assert refused.value.fault == fault


def test_the_smallest_and_the_largest_price_that_payfast_takes_can_be_paid() -> None:
    assert [plan(price_cents=cents).trouble for cents in (500, 99_999_999)] == [None, None]


def test_a_trial_charges_nothing_at_first() -> None:
    assert (plan().first_cents, plan(trial_days=14).first_cents) == (350000, 0)


def test_limits_are_told_in_the_order_of_the_metrics() -> None:
    limits = {"users": 3, "posts_monthly": None, "api_calls": 250000}

    assert plan(limits=limits).includes == [
        "Unlimited posts a month",
        "3 active users",
        "250\u00a0000 API calls a month",
    ]
