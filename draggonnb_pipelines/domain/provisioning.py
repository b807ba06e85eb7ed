"""What a client's stack consists of, and what each part of it is called.

Lives here: the steps in their order, the names at the vendors, the marks by which we know our own.
Not here: how a step is done (`workflows/`), slugs (`organizations.py`, `slugs.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid5

from draggonnb_pipelines.domain.organizations import Organization

# In the order in which they are done; compensation goes the other way.
STEPS = (
    "supabase_project",
    "tenant_schema",
    "api_keys",
    "github_repo",
    "environment",
    "vercel_deployment",
    "n8n_webhooks",
    "onboarding_email",
    "training_materials",
    "kickoff_call",
)
# Failures in a row, dead runs included, after which a person is needed.
MAX_ATTEMPTS = 8
WEBHOOKS = ("generate-content", "analytics", "notifications")
State = Literal["intent", "calling", "ready", "unknown", "failed", "needs_review", "removing", "removed"]


@dataclass(frozen=True, slots=True)
class Resource:
    """One row of the stack ledger: one thing at one vendor, or one effect of ours.

    Args:
        name: what it is called there; with the step unique within the organization.
        vendor_id: the vendor's id, once it is known.
        mark: what it carries at the vendor by which it is ours: only that is ever adopted.
        attempted_at: when the last call that makes it began; None if none ever did.
        details: for people and for later steps; no secrets.
        secrets: opened; sealed in the database.
        monthly_cents: what it costs us a month, US cents.
    """

    id: UUID
    organization_id: UUID
    step: str
    vendor: str
    name: str
    mark: str
    state: State
    vendor_id: str | None = None
    url: str | None = None
    attempted_at: datetime | None = None
    attempts: int = 0
    monthly_cents: int = 0
    last_error: str | None = None
    created_at: datetime | None = None
    ready_at: datetime | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_ready(self) -> bool:
        return self.state == "ready"


@dataclass(frozen=True, slots=True)
class Client:
    """Whom a stack is made for: the organization, its plan, and the person who gets the welcome."""

    organization: Organization
    plan_key: str | None
    owner_name: str
    owner_email: str
    owner_phone: str | None = None

    @property
    def slug(self) -> str:
        return self.organization.slug

    @property
    def mark(self) -> str:
        """What our resources of this client carry wherever a vendor lets us write something."""
        return f"org-{self.organization.id}"


def project_name(slug: str) -> str:
    """The Supabase project: example-business-db."""
    return f"{slug}-db"


def repo_name(slug: str) -> str:
    """The GitHub repository and the Vercel project: draggonnb-example-business."""
    return f"draggonnb-{slug}"


def host_name(slug: str, domain: str) -> str:
    """Where the client's app answers: example-business.draggonnb.app."""
    return f"{slug}.{domain}"


def webhook_path(slug: str, kind: str) -> str:
    """Below /webhook, on n8n and on our own API alike: example-business/generate-content."""
    return f"{slug}/{kind}"


def stable_id(client: Client, purpose: str) -> UUID:
    """The same id for the same purpose at every attempt: vendors that take our ids then make it once."""
    return uuid5(client.organization.id, purpose)
