"""What the sales team is told about a lead, on each channel. Pure: the outbox and the sending are elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

WHATSAPP_PARAMETER_CHARS = 200


@dataclass(frozen=True)
class LeadNews:
    """One lead's news for the sales team: its analysis, or why a person must look.

    `event_key` is the identity of the news: each recipient gets it once on each channel, whatever happens.
    """

    event: str
    lead_id: UUID
    company: str
    subject: str
    facts: tuple[tuple[str, str], ...]
    quick_wins: tuple[str, ...]
    link: str | None
    subject_id: UUID | None = None  # what the news is about, where it is not the lead itself

    @property
    def event_key(self) -> str:
        return f"{self.event}:{self.subject_id or self.lead_id}"

    @property
    def whatsapp_parameters(self) -> list[str]:
        """The body parameters of the event's template, in its order."""
        if self.event == "new_lead_analysed":
            values = [self.company, dict(self.facts)["Score"], self.quick_wins[0], self.link or "-"]
        else:
            values = [self.company, dict(self.facts)["Reason"], str(self.lead_id)]
        return [_parameter(value) for value in values]

    @property
    def message(self) -> str:
        """One line for the app."""
        return self.subject


def analysed(row: Mapping[str, Any], quick_wins: Sequence[str], link: str) -> LeadNews:
    company = _company(row)
    return LeadNews(
        event="new_lead_analysed",
        lead_id=row["lead_id"],
        company=company,
        subject=f"New lead: {company} ({row['model_score']}/100)",
        facts=(
            ("Score", f"{row['model_score']}/100 (rules: {row['rule_score']}/100)"),
            ("Source", row["source"]),
            ("Sector", row["sector"] or "not known"),
            ("Web site", row["website"] or "none given"),
        ),
        quick_wins=tuple(quick_wins),
        link=link,
    )


def needs_review(row: Mapping[str, Any]) -> LeadNews:
    company = _company(row)
    return LeadNews(
        event="lead_needs_review",
        lead_id=row["lead_id"],
        company=company,
        subject=f"A lead needs you: {company}",
        facts=(
            ("Reason", row["review_reason"] or "not recorded"),
            ("Source", row["source"]),
            ("Score by rules", f"{row['rule_score']}/100"),
        ),
        quick_wins=(),
        link=None,
    )


def wrote_again(row: Mapping[str, Any], event: Mapping[str, Any]) -> LeadNews:
    """A further enquiry of a lead that is open: nobody may miss it, so it is news of its own."""
    company, payload = _company(row), event["payload"]
    return LeadNews(
        event="lead_wrote_again",
        lead_id=row["lead_id"],
        company=company,
        subject=f"{company} wrote again",
        facts=(
            ("Message", payload.get("message") or "none"),
            ("Source", event["source"]),
            ("E-mail", payload.get("email") or "not given"),
            ("Phone", payload.get("phone_e164") or "not given"),
        ),
        quick_wins=(),
        link=None,
        subject_id=event["inbox_id"],
    )


def _company(row: Mapping[str, Any]) -> str:
    return row["company_name"] or row["contact_name"] or "a company without a name"


def _parameter(text: str) -> str:
    """Template parameters take no line breaks, tabs or runs of spaces (WhatsApp error 132012)."""
    line = " ".join(str(text).split())
    return line if len(line) <= WHATSAPP_PARAMETER_CHARS else line[: WHATSAPP_PARAMETER_CHARS - 1] + "…"
