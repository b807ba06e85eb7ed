"""How a reader ends mails of a kind: what the link at a mail's foot stands for, and what following it changes.

The link is signed with the organization's key, so no row stands behind it: it names the delivery that it came with,
which tells the reader and the event. Not here: the page (`api/unsubscribe.py`), the header (`outgoing_mail.py`).
"""

import hmac
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.events import EVENTS
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries

ORGANIZATIONS = load_queries("organizations")
PREFERENCES = load_queries("preferences")
PURPOSE = "unsubscribe"
WORDING = "No more such mails: the link at the foot of the mail"


@dataclass(frozen=True)
class Subscription:
    """What a link would end: for one reader the mails of one event, or all marketing."""

    organization: Organization
    delivery_id: UUID
    title: str
    is_marketing: bool
    is_ended: bool


def unsubscribe_url(stack: Stack, organization: Organization, delivery_id: UUID) -> str:
    """The link's address; the same whenever it is asked."""
    proof = stack.tenants.key(organization).derive_token(PURPOSE, str(delivery_id))
    return f"{stack.settings.base_url}/unsubscribe/{organization.slug}.{delivery_id.hex}.{proof}"


async def subscription_of(master: MasterDb, tenants: Tenants, token: str) -> Subscription | None:
    """What this link would end; changes nothing. None: not one of our links, or its reader is gone.

    Raises:
        TenantUnavailable, psycopg.OperationalError: a database is away.
    """
    named = await _named(master, tenants, token)
    if named is None:
        return None
    organization, delivery_id = named
    async with tenants.open(organization) as tenant:
        row: dict[str, Any] | None = await PREFERENCES.subscription(tenant.conn, delivery_id=delivery_id)
    event = EVENTS.get(row["event"]) if row else None
    if row is None or event is None or not event.can_unsubscribe:
        return None
    return Subscription(organization, delivery_id, event.title, row["is_marketing"], row["is_ended"])


async def unsubscribe(tenants: Tenants, subscription: Subscription) -> None:
    """End it: no mail and no WhatsApp message of this event any more, or the consent to marketing is withdrawn.

    What waits to be sent is closed with it. Doing it twice changes nothing.

    Raises:
        TenantUnavailable: the organization's database is away.
    """
    async with tenants.open(subscription.organization) as tenant, tenant.conn.transaction():
        if subscription.is_marketing:
            await PREFERENCES.withdraw_consent(
                tenant.conn, delivery_id=subscription.delivery_id, wording=WORDING, source=PURPOSE
            )
        else:
            await PREFERENCES.switch_off(tenant.conn, delivery_id=subscription.delivery_id)
            await PREFERENCES.close_waiting(tenant.conn, delivery_id=subscription.delivery_id)


async def _named(master: MasterDb, tenants: Tenants, token: str) -> tuple[Organization, UUID] | None:
    slug, _, rest = token.partition(".")
    name, _, proof = rest.partition(".")
    try:
        delivery_id = UUID(hex=name)
    except ValueError:
        return None
    if "\0" in slug:  # which no database takes
        return None
    async with master.connection() as conn:
        row = await ORGANIZATIONS.get_organization(conn, slug=slug)
    if row is None:
        return None
    organization = Organization(**row)
    if organization.data_key_wrapped is None:
        return None
    wanted = tenants.key(organization).derive_token(PURPOSE, str(delivery_id))
    is_ours = hmac.compare_digest(wanted.encode(), proof.encode("utf-8", "surrogateescape"))
    return (organization, delivery_id) if is_ours else None
