"""Mails of ours to one address, each sent once: the welcome and the invitation to the first call.

Lives here: their rows in an outbox, and whether they have gone out. Not here: the sending (`notices.py`, `outbox.py`),
what they say (the steps), news for everybody with a role (`notices.py`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from draggonnb_pipelines.domain.organizations import AGENCY_SLUG, Organization
from draggonnb_pipelines.errors import NeedsReview
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.messages.deliveries import mail_id
from draggonnb_pipelines.workflows.messages.notices import send_waiting
from draggonnb_pipelines.workflows.messages.outbox import NOTIFICATIONS
from draggonnb_pipelines.workflows.provisioning.stack_ledger import NotYet

ONBOARDING = load_queries("onboarding")
ORGANIZATIONS = load_queries("organizations")
GONE = frozenset({"sent", "delivered"})


@dataclass(frozen=True)
class ClientMail:
    """One mail to one address; `event_key` and address are its identity. `calendar` is an invitation."""

    event_key: str
    recipient: str
    subject: str
    text: str
    html: str
    calendar: str | None = None


async def is_planned(stack: Stack, organization: Organization, event_key: str, recipient: str) -> bool:
    """Whether this mail is in the organization's outbox, gone or not."""
    return bool(await _mails_of(stack, organization, event_key, [recipient]))


async def plan_mails(stack: Stack, organization: Organization, mails: Sequence[ClientMail]) -> None:
    """Put them into the outbox; what is there already stays as it was first written."""
    key = stack.tenants.key(organization)
    rows = [
        {
            "topic": "notices",
            "event_key": mail.event_key,
            "event": mail.event_key.partition(":")[0],
            "recipient": mail.recipient,
            "channel": "email",
            "payload": {"subject": mail.subject, "text": mail.text, "html": mail.html, "calendar": mail.calendar},
            "message_id": mail_id(organization, key, mail.event_key, mail.recipient),
        }
        for mail in mails
    ]
    async with stack.tenants.open(organization) as tenant:
        planned = NOTIFICATIONS.plan_deliveries(tenant.conn, deliveries=json.dumps(rows), now=stack.now())
        _ = [row async for row in planned]


async def send_planned(
    stack: Stack, organization: Organization, event_key: str, recipients: Sequence[str] | None = None
) -> list[str]:
    """Send what waits; returns the Message-IDs of the event's mails, to these addresses if given, once all of them have
    gone out.

    Raises:
        NotYet: one waits for the mail server, or another run is sending it.
        NeedsReview: one was refused for good.
    """
    await send_waiting(stack, organization)
    mails = await _mails_of(stack, organization, event_key, recipients)
    for mail in mails:
        if mail["status"] in ("failed", "needs_review"):
            raise NeedsReview(f"mail {event_key}: {mail['status']}: {mail['last_error']}")
        if mail["status"] not in GONE:
            left = (mail["due_at"] - stack.now()).total_seconds() if mail["due_at"] else 0.0
            seconds = max(left, stack.settings.provision_poll_seconds)
            raise NotYet(f"mail {event_key}: {mail['last_error'] or 'on its way'}", seconds)
    return [mail["message_id"] for mail in mails]


async def agency_of(stack: Stack) -> Organization:
    """The agency's own organization.

    Raises:
        NeedsReview: there is none.
    """
    async with stack.master.connection() as conn:
        row = await ORGANIZATIONS.get_organization(conn, slug=AGENCY_SLUG)
    if row is None:
        raise NeedsReview(f"the agency itself has no organization: make it by `draggonnb tenant create {AGENCY_SLUG}`")
    return Organization(**row)


async def _mails_of(
    stack: Stack, organization: Organization, event_key: str, recipients: Sequence[str] | None
) -> list[dict[str, Any]]:
    async with stack.tenants.open(organization) as tenant:
        chosen = list(recipients) if recipients is not None else None
        rows = ONBOARDING.mails_of(tenant.conn, event_key=event_key, recipients=chosen)
        return [row async for row in rows]
