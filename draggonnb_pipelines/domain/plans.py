"""Plans as a client chooses among them: the terms that it sees, and whether those are what it gets.

Lives here: one plan on offer, why it cannot be sold, the check of a choice. Not here: reading the price list
(`workflows/billing/checkouts.py`), how the cards look (`api/templates`), what PayFast takes of an amount
(`payfast.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from draggonnb_pipelines.domain.payfast import MAX_AMOUNT_CENTS, MIN_AMOUNT_CENTS, rand
from draggonnb_pipelines.domain.usage import METRICS

CURRENCY = "ZAR"
Fault = Literal["unknown", "withdrawn", "unsellable", "changed"]


class ChoiceRefused(ValueError):
    """A choice that is not carried out. The message is for the client, and never quotes what was sent."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault: Fault = fault


@dataclass(frozen=True, slots=True)
class PlanOffer:
    """One plan with the terms of a day.

    Args:
        price_cents: a month, VAT included; None where the price list has no price yet.
        trial_days: days before the first charge; 0 charges at once.
        limits: by metric; None is unlimited.
    """

    key: str
    name: str
    description: str
    is_offered: bool
    trial_days: int
    price_cents: int | None
    currency: str | None
    limits: Mapping[str, int | None] = field(default_factory=dict)

    @property
    def terms(self) -> str:
        """What the client agrees to, as its form sends it back: another price, currency or trial gives another."""
        return f"{self.currency}-{self.price_cents}-{self.trial_days}"

    @property
    def trouble(self) -> str | None:
        """Why nobody can pay for it now, as the end of a sentence that begins with its name; None if one can."""
        if self.price_cents is None:
            return "has no price yet"
        if self.currency != CURRENCY:
            return f"is priced in {self.currency}, and payments are taken in {CURRENCY} only"
        if not MIN_AMOUNT_CENTS <= self.price_cents <= MAX_AMOUNT_CENTS:
            return f"has a price outside R{rand(MIN_AMOUNT_CENTS)} to R{rand(MAX_AMOUNT_CENTS)}"
        return None

    @property
    def first_cents(self) -> int:
        """What is charged at once: nothing where a trial comes first."""
        return 0 if self.trial_days else self.price_cents or 0

    @property
    def includes(self) -> list[str]:
        """Its limits in words, in the order of the metrics."""
        known = ((self.limits[metric], words) for metric, words in METRICS.items() if metric in self.limits)
        return [f"Unlimited {words}" if most is None else f"{_grouped(most)} {words}" for most, words in known]


def check_choice(plans: Mapping[str, PlanOffer], key: str, terms: str) -> PlanOffer:
    """The plan that was chosen, if it is what the client saw.

    Args:
        plans: all plans by key, also those that are no longer offered.
        terms: `PlanOffer.terms` as they stood in the client's page; a form without them never showed a price.

    Raises:
        ChoiceRefused: no such plan, not offered any more, not payable, or other terms than the client saw.
    """
    plan = plans.get(key)
    if plan is None:
        raise ChoiceRefused("unknown", "There is no such plan. Please choose one of these.")
    if not plan.is_offered:
        raise ChoiceRefused("withdrawn", f"{plan.name} is no longer offered. Please choose one of these.")
    if plan.trouble:
        raise ChoiceRefused("unsellable", f"{plan.name} {plan.trouble}. Please choose another one, or ask us.")
    if terms != plan.terms:
        raise ChoiceRefused(
            "changed",
            f"{plan.name} has other terms now than the page that you chose it on. "
            "This is what it costs today: please choose again.",
        )
    return plan


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", "\u00a0")
