"""The ledger of consents: what a person agreed to or withdrew, in which words, when (POPIA s 11 and s 69).

Lives here: reading it, and a record that an operator makes of a letter or a call. Not here: consents that come with an
enquiry (`workflows/leads/leads.py`), the link at the foot of a mail (`workflows/messages/unsubscribing.py`), and the
judging, which is done when a message is sent (`sql/queries/notifications.sql`).
"""

import json
from typing import Any, Literal
from uuid import UUID

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.persons import Identity
from draggonnb_pipelines.domain.submissions import ConsentPurpose
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.operations.person_rows import subject_of

CONSENTS = load_queries("consents")
ORGANIZATIONS = load_queries("organizations")
SOURCE = "operator"
Said = Literal["granted", "withdrawn"]


async def consents_of(stack: Stack, organization: Organization, identity: Identity) -> list[dict[str, Any]]:
    """The ledger of a person, oldest first.

    Raises:
        OperatorError: the organization has no contact of this address.
    """
    async with stack.tenants.open(organization) as tenant:
        contacts = (await subject_of(tenant.conn, identity)).contacts
        _require(contacts, organization)
        return [row async for row in CONSENTS.ledger_of(tenant.conn, contacts=sorted(contacts))]


async def record_consent(
    stack: Stack,
    organization: Organization,
    identity: Identity,
    purpose: ConsentPurpose,
    said: Said,
    *,
    wording: str,
    by: str,
) -> bool:
    """Add what the person said; False where the newest record says that already.

    Args:
        wording: the words that they agreed to, or by which they withdrew; 1 to 2,000 characters.

    Raises:
        OperatorError: no contact of this address, or no words.
    """
    if not 1 <= len(wording.strip()) <= 2000:
        raise OperatorError("a consent without its words proves nothing", remedy="--wording with 1 to 2,000 characters")
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        contacts = (await subject_of(tenant.conn, identity)).contacts
        _require(contacts, organization)
        added = [
            await CONSENTS.record_consent(
                tenant.conn,
                contact_id=contact_id,
                purpose=purpose,
                granted=said == "granted",
                wording=wording.strip(),
                source=SOURCE,
                now=stack.now(),
            )
            for contact_id in sorted(contacts)
        ]
        for consent_id in filter(None, added):
            await ORGANIZATIONS.audit(
                tenant.conn,
                actor=by,
                action=f"consent.{said}",
                resource=f"consent:{consent_id}",
                metadata=json.dumps({"purpose": purpose}),
            )
    return any(added)


def _require(contacts: frozenset[UUID], organization: Organization) -> None:
    if not contacts:
        raise OperatorError(
            f"{organization.slug} has no contact of this address", remedy="`draggonnb person find` looks everywhere"
        )
