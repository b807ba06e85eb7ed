"""Leads: their identity, their score by rules, and the small decisions of the lead workflow."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from uuid import UUID, uuid5

from draggonnb_pipelines.domain.companies import company_domain
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.domain.submissions import LeadSubmission

_NAMESPACE = UUID("7c0d6c52-5f6e-4f53-9d0b-6f0f6a1f3f11")


class Stage(IntEnum):
    """How far an inbox row has come. A stage is passed in order; passing one is progress."""

    RECEIVED = 0
    CAPTURED = 1
    RESEARCHED = 2
    COMPETITORS = 3
    ANALYSED = 4
    PROPOSED = 5
    NOTIFIED = 6


@dataclass(frozen=True)
class LeadWork:
    """One lead that a step works on, and the inbox rows (none when reprocessing) that wait for it."""

    organization: Organization
    key: PartitionKey
    lead_id: UUID
    inbox_ids: tuple[UUID, ...] = ()


def lead_id_for(inbox_id: UUID) -> UUID:
    """The id that a delivery's lead gets if it opens one: the same at every attempt."""
    return uuid5(_NAMESPACE, str(inbox_id))


def rule_score(submission: LeadSubmission) -> tuple[int, list[str]]:
    """0 to 100 from what the enquiry itself shows, with a reason per rule. The model's score is kept beside it."""
    rules = [
        (20, submission.phone_e164 is not None, "left a phone number"),
        (15, submission.email_key is not None, "left an e-mail address"),
        (15, company_domain(submission.email_key or "") is not None, "writes from a company's domain"),
        (15, submission.website is not None, "has a web site"),
        (10, submission.company is not None, "named the company"),
        (15, len((submission.message or "").split()) >= 8, "described what is needed"),
        (10, any(consent.granted for consent in submission.consents), "agreed to be contacted"),
    ]
    met = [(points, reason) for points, holds, reason in rules if holds]
    return sum(points for points, _ in met), [f"+{points} {reason}" for points, reason in met]


def website_of(row: Mapping[str, Any]) -> str | None:
    """Where to look for the company: the site it named, else the domain it writes from."""
    if row["website"]:
        return row["website"]
    domain = company_domain(row["email"] or "")
    return f"https://{domain}" if domain else None
