"""A delivery on its way into master `inbox`: its identity, and the contexts that its bytes are sealed under.

Not here: the INSERT (`resources/inbox.py`), who claims rows (`sql/queries/inbox.sql`), what topics mean (`workflows/`).
"""

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Literal, NamedTuple
from uuid import UUID

Topic = Literal["leads", "whatsapp_status", "content", "notifications", "analytics"]


class DeliveryKey(NamedTuple):
    """What makes a delivery the same delivery; unique in `inbox`."""

    organization_id: UUID
    topic: str
    source: str
    delivery_id: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row to store. Both payloads are sealed already: the writer never sees plain text."""

    key: DeliveryKey
    content_type: str
    raw_sealed: bytes
    parsed_sealed: bytes


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """Where a delivery ended up. `first_raw_sealed` is set on a repeat: the payload that was kept."""

    id: UUID
    is_duplicate: bool
    first_raw_sealed: bytes | None = None


def raw_context(organization_id: UUID) -> str:
    """Associated data of `inbox.raw_sealed`, sealed with the tenant's key."""
    return f"inbox:raw:{organization_id}"


def parsed_context(organization_id: UUID) -> str:
    """Associated data of `inbox.parsed_sealed`, sealed with the tenant's key."""
    return f"inbox:parsed:{organization_id}"


def webhook_secret_context(organization_id: UUID) -> str:
    """Associated data of `organizations.webhook_secret_sealed`, sealed with the master key."""
    return f"organization:{organization_id}:webhook_secret"


def body_delivery_id(raw: bytes, day: date) -> str:
    """The id of a delivery that names none: the same bytes on the same UTC day are the same delivery."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}:{day.isoformat()}"
