"""Notices: people are told once each, on the channels of the event and as they chose.

Lives here: whom a notice reaches, and when the outbox of an organization is worked off. What it says is the caller's.
Not here: what a reader's preferences make of it (`deliveries.py`), the outbox itself (`outbox.py`), the digest
(`digests.py`), mailboxes that do not exist (`refused_addresses.py`), the news of leads (`notifications.py`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.contact_details import flattened
from draggonnb_pipelines.domain.events import EVENTS
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.messages.deliveries import Message, row_for_address, rows_for_person
from draggonnb_pipelines.workflows.messages.digests import gather_digests
from draggonnb_pipelines.workflows.messages.outbox import NOTIFICATIONS, send_all, settle_lost
from draggonnb_pipelines.workflows.pages import render

TENANT = load_queries("tenant")


@dataclass(frozen=True)
class Notice:
    """One thing that people are to know.

    Args:
        event_key: the identity of the news: each recipient gets it once on each channel, whatever happens.
        type: its event in the catalogue (`domain/events.py`), also its kind in the dashboard's bell.
        subject: one line, also the whole of the message in the app.
        lines: paragraphs of the mail.
        link: where to act on it. It may act for its reader, so it is shown to nobody else.
        emails: these addresses.
        roles: all active people with one of these roles.
        contacts: these contacts, by mail; marketing goes to those of them alone who agreed to it.
        whatsapp: parameters of the event's template; None: it does not go out by WhatsApp.
        mail_html, mail_text: bodies of its own in place of those made of `lines` and `link`.
        files: of its mail: an id in `report_files`, and the cid under which the HTML shows it, None for an attachment.

    Who is an active person of the organization reads it in the app too; other addresses get the mail alone.

    Raises:
        ValueError: the catalogue has no such event.
    """

    event_key: str
    type: str
    subject: str
    lines: tuple[str, ...]
    link: str | None = None
    post_id: UUID | None = None
    emails: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    contacts: tuple[UUID, ...] = ()
    whatsapp: tuple[str, ...] | None = None
    mail_html: str | None = None
    mail_text: str | None = None
    files: tuple[tuple[UUID, str | None], ...] = ()

    def __post_init__(self) -> None:
        if self.type not in EVENTS:
            raise ValueError(f"event {self.type!r} is not in the catalogue of domain/events.py")


async def tell(stack: Stack, organization: Organization, notices: Sequence[Notice]) -> None:
    """Plan the notices, show them in the app and send the rest; repeating it tells nobody twice.

    A message that cannot go out now waits for `send_waiting`; the caller's work does not fail with it.
    """
    if not notices:
        return
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        people = [row async for row in TENANT.active_people(tenant.conn)]
        contacts = await _contacts_of(tenant, notices)
        rows = [row for notice in notices for row in _rows(stack, notice, organization, people, contacts)]
        planned = NOTIFICATIONS.plan_deliveries(tenant.conn, deliveries=json.dumps(rows, default=str), now=stack.now())
        told = [row["event_key"] async for row in planned]
        await NOTIFICATIONS.show_in_app(tenant.conn, lead_ids=None, now=stack.now())
    if told:
        await send_all(stack, organization, None)


async def send_waiting(stack: Stack, organization: Organization) -> int:
    """Send what an earlier run left, killed or turned away, and what was held until now; how many have gone out."""
    await settle_lost(stack, organization, None)
    await gather_digests(stack, organization)
    return await send_all(stack, organization, None)


async def _contacts_of(tenant: TenantDb, notices: Sequence[Notice]) -> list[dict[str, Any]]:
    """The contacts that are meant, and those whose consent counts for an address."""
    ids = list({contact for notice in notices for contact in notice.contacts})
    marketing = [notice for notice in notices if EVENTS[notice.type].category == "marketing"]
    emails = list({email.strip().lower() for notice in marketing for email in notice.emails})
    if not ids and not emails:
        return []
    return [row async for row in TENANT.contacts_with_mail(tenant.conn, ids=ids, emails=emails)]


def _rows(
    stack: Stack,
    notice: Notice,
    organization: Organization,
    people: Sequence[Mapping[str, Any]],
    contacts: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    known = {person["email"].lower(): person for person in people}
    asked = {email.strip().lower(): email.strip() for email in notice.emails if email.strip()}
    asked |= {email: person["email"] for email, person in known.items() if person["role"] in notice.roles}
    asked |= {row["email"].lower(): row["email"] for row in contacts if row["id"] in notice.contacts}
    if not asked:
        return []
    contact_ids = {row["email"].lower(): row["id"] for row in contacts}
    message, key, rows = _message(notice, organization), stack.tenants.key(organization), []
    for email, address in asked.items():
        contact_id = contact_ids.get(email)
        # Whoever works here reads it as such, but agrees to marketing as a contact.
        if email in known and (message.event.category == "service" or contact_id is None):
            rows += rows_for_person(message, organization, key, known[email], stack.now())
        else:
            rows.append(row_for_address(message, organization, key, address, contact_id))
    return rows


def _message(notice: Notice, organization: Organization) -> Message:
    subject = flattened(notice.subject)
    values = {"notice": notice, "organization": organization}
    mail = {
        "subject": subject,
        "text": notice.mail_text or render("notice_mail.txt.j2", **values),
        "html": notice.mail_html or render("notice_mail.html.j2", **values),
        "link": notice.link,
        "files": [{"id": file_id, "cid": cid} for file_id, cid in notice.files],
    }
    in_app = {"type": notice.type, "message": subject, "link": notice.link, "post_id": notice.post_id}
    about = {"topic": "notices", "post_id": notice.post_id}
    return Message(EVENTS[notice.type], notice.event_key, mail, in_app, notice.whatsapp, about)
