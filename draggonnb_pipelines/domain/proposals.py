"""What a proposal says, before anybody draws it.

Lives here: the content of a proposal as stored in `proposals.content`, its bounds, and its derived facts.
Not here: how it looks (`workflows/leads/proposal_page.py`), how it is written (`workflows/`), its public link (`api/`).
"""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

QUICK_WINS = 3
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=600)]
Paragraph = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
Level = Literal["low", "medium", "high"]


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuotedEvidence(_Content):
    """A quote behind a claim. `supported`: the words were found in the stored text of that page; else `reason`."""

    quote: Paragraph
    url: str | None = None
    fetched_at: datetime | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    supported: bool = False
    reason: str = ""

    @property
    def link(self) -> str | None:
        """The address if it may stand in a link: a model's answer can hold any scheme."""
        return self.url if self.url and self.url.lower().startswith(("https://", "http://")) else None


class ProposedQuickWin(_Content):
    """One thing that can be better within weeks."""

    title: Line
    why: Paragraph
    first_steps: list[Line] = Field(min_length=1, max_length=8)
    effort: Level
    impact: Level
    evidence: list[QuotedEvidence] = []


class ApproachPart(_Content):
    """One part of how we work."""

    title: Line
    text: Paragraph


class Milestone(_Content):
    """What the client has, and when (`Week 1`)."""

    when: Line
    what: Line


class ProposedPlan(_Content):
    """The plan on offer. `price_cents` is per month, VAT included, as in the price list."""

    key: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")]
    name: Line
    price_cents: int = Field(ge=0)
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "ZAR"
    includes: list[Line] = []


class ProposalContent(_Content):
    """One version of one proposal, whole: the page and the stored row hold nothing that is not here."""

    organization_name: Line
    client_company: Line
    contact_name: Line | None = None
    headline: Line
    problem: Paragraph
    summary: Paragraph
    quick_wins: list[ProposedQuickWin] = Field(min_length=QUICK_WINS, max_length=QUICK_WINS)
    approach: list[ApproachPart] = []
    timeline: list[Milestone] = []
    plan: ProposedPlan
    next_step: Paragraph
    version: int = Field(default=1, ge=1)
    created_at: datetime
    valid_until: date

    @property
    def sources(self) -> list[QuotedEvidence]:
        """Each page that a verified quote comes from, once, in order of appearance."""
        quotes = (quote for win in self.quick_wins for quote in win.evidence)
        return list({quote.link: quote for quote in quotes if quote.supported and quote.link}.values())

    @property
    def unsupported_quotes(self) -> int:
        """How many quotes stand on no stored page."""
        return sum(not quote.supported for win in self.quick_wins for quote in win.evidence)
