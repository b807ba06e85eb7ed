"""What the tools take and answer: the types of their arguments, and one model per answer.

Lives here: shapes and bounds. `Foreign` marks what strangers, clients, vendors or a model wrote: it goes through the
answer's `Fence`. Not here: where the values come from (`reading.py`, `writing.py`).
Moments are UTC. How to reach a person (address, number) is in no answer: it would leave the agency with it.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

Slug = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9](-?[a-z0-9])*$",
        min_length=2,
        max_length=40,
        description="The organization's slug, as list_organizations shows it.",
    ),
]
Limit = Annotated[int, Field(ge=1, le=200, description="How many at most.")]
Confirm = Annotated[
    str | None, Field(max_length=300, description="Leave it out first; then the phrase that the preview returned.")
]
LeadStatus = Literal["new", "analysed", "proposed", "needs_review", "contacted", "won", "lost"]
InboxState = Literal["received", "claimed", "done", "dead"]
QueueStatus = Literal[
    "scheduled", "claimed", "calling", "published", "refused", "unknown", "needs_review", "cancelled", "dropped",
    "undo_requested", "undone",
]  # fmt: skip
Foreign = Annotated[str | None, Field(description="Foreign text, fenced.")]


class Answer(BaseModel):
    """What all answers begin with."""

    notice: str


class OrganizationRow(BaseModel):
    slug: str
    name: Foreign
    status: str
    plan: str | None
    deliveries_waiting: int
    created_at: datetime


class Organizations(Answer):
    organizations: list[OrganizationRow]


class LeadRow(BaseModel):
    id: UUID
    received_at: datetime
    status: str
    source: Foreign
    name: Foreign
    company: Foreign
    website: Foreign
    message: Foreign
    rule_score: int | None
    model_score: int | None
    review_reason: Foreign
    is_analysed: bool


class Leads(Answer):
    organization: str
    leads: list[LeadRow]


class ClaimView(BaseModel):
    text: Foreign
    is_supported: bool = Field(description="A quote for it was found word for word on a stored page.")


class QuickWinView(BaseModel):
    title: Foreign
    why: Foreign
    first_steps: list[Foreign]
    effort: str
    impact: str
    is_supported: bool


class CompetitorView(BaseModel):
    name: Foreign
    url: Foreign
    positioning: Foreign
    is_supported: bool


class BusinessView(BaseModel):
    version: int
    summary: Foreign
    sector: Foreign
    company_size: str
    strengths: list[ClaimView]
    weaknesses: list[ClaimView]
    quick_wins: list[QuickWinView]
    score: int
    score_reasons: list[Foreign]


class CompetitorsView(BaseModel):
    version: int
    market_note: Foreign
    competitors: list[CompetitorView]


class Analysis(Answer):
    organization: str
    lead_id: UUID
    status: str
    company: Foreign
    website: Foreign
    business: BusinessView | None
    competitors: CompetitorsView | None


class ResourceRow(BaseModel):
    step: str
    vendor: str
    name: str
    state: str
    url: Foreign
    attempts: int
    monthly_usd: float
    last_error: Foreign
    created_at: datetime
    ready_at: datetime | None


class TenantStack(Answer):
    organization: str
    name: Foreign
    status: str
    plan: str | None
    timezone: str
    locale: str
    deliveries_waiting: int
    deliveries_dead: int
    last_delivery_at: datetime | None
    resources: list[ResourceRow]
    monthly_usd: float


class QueueRow(BaseModel):
    id: UUID
    network: str
    account: Foreign
    status: str
    publish_at: datetime
    published_at: datetime | None
    seconds_late: int | None
    words: Foreign
    url: Foreign
    reason: Foreign


class PublishQueue(Answer):
    organization: str
    rows: list[QueueRow]


class QuestionRow(BaseModel):
    organization: str
    id: UUID
    network: str
    account: Foreign
    publish_at: datetime
    words: Foreign
    question: Foreign


class Questions(Answer):
    questions: list[QuestionRow]
    away: list[str] = Field(description="Organizations whose database does not answer: theirs are not in the list.")


class InboxRow(BaseModel):
    id: UUID
    organization: str
    topic: str
    source: Foreign
    delivery_id: Foreign
    state: str
    stage: int
    attempts: int
    received_at: datetime
    last_error: Foreign
    lead_id: UUID | None


class Inbox(Answer):
    rows: list[InboxRow]


class HealthReport(Answer):
    url: str
    status: str = Field(description="As the API says; `down` where it does not answer.")
    report: dict[str, Any] = Field(description="What GET /api/health answers.")


class MetricRow(BaseModel):
    metric: str
    name: str
    used: int
    reserved: int
    limit: int | None = Field(description="null: not limited.")
    percent: float | None
    period_start: date
    period_end: date


class UsageReport(Answer):
    organization: str
    plan: str | None
    timezone: str
    metrics: list[MetricRow]


class AlertRow(BaseModel):
    organization: str
    id: UUID
    event: str
    subject: Foreign
    since: datetime
    told: str = Field(description="Who was told last.")
    next_at: datetime | None = Field(description="When the next people are told; null: there is nobody further up.")


class Alerts(Answer):
    alerts: list[AlertRow]
    away: list[str] = Field(description="Organizations whose database does not answer: theirs are not in the list.")


class Shown(BaseModel):
    """One thing that a change is about."""

    id: UUID
    what: Foreign


class Change(Answer):
    """The answer of every tool that changes something: first its preview, then what was done."""

    is_done: bool
    said: str
    about: list[Shown]
    confirm: str | None = Field(default=None, description="Of a preview: the phrase that carries it out.")
