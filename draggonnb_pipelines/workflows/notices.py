"""Notices about posts and accounts: people of the client are told by e-mail and in the app, once each.

Lives here: whom a notice reaches, its rows in the outbox, and the sending. What it says is the caller's.
Not here: the outbox itself (`outbox.py`) and the news of leads, which go by WhatsApp too (`notifications.py`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.mail import message_id
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.outbox import NOTIFICATIONS, goes_on, send_some, take_back_lost
from draggonnb_pipelines.workflows.pages import render

TENANT = load_queries("tenant")


@dataclass(frozen=True)
class Notice:
    """One thing that people are to know.

    Args:
        event_key: the identity of the news: each recipient gets it once on each channel, whatever happens.
        type: its kind in the dashboard's bell, such as "review_requested": a-z and _ only.
        subject: one line, also the whole of the message in the app.
        lines: paragraphs of the mail.
        link: where to act on it. It may act for its reader, so it is shown to nobody else.
        emails: these addresses.
        roles: all active people with one of these roles.

    Who is an active person of the organization reads it in the app too; other addresses get the mail alone.
    """

    event_key: str
    type: str
    subject: str
    lines: tuple[str, ...]
    link: str | None = None
    post_id: UUID | None = None
    emails: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


async def tell(stack: Stack, organization: Organization, notices: Sequence[Notice]) -> None:
    """Plan the notices, show them in the app and send the mails; repeating it tells nobody twice.

    A mail that cannot go out now waits for `send_waiting`; the caller's work does not fail with it.
    """
    if not notices:
        return
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        people = [row async for row in TENANT.active_people(tenant.conn)]
        rows = [row for notice in notices for row in _rows(notice, organization, people)]
        planned = NOTIFICATIONS.plan_deliveries(tenant.conn, deliveries=json.dumps(rows, default=str))
        told = [row["event_key"] async for row in planned]
        await NOTIFICATIONS.show_in_app(tenant.conn, lead_ids=None, now=stack.now())
    if told:
        await _send_all(stack, organization)


async def send_waiting(stack: Stack, organization: Organization) -> int:
    """Send what an earlier run left, killed or turned away; how many mails have gone out now."""
    async with stack.tenants.open(organization) as tenant:
        await take_back_lost(stack, tenant, None)
    return await _send_all(stack, organization)


async def _send_all(stack: Stack, organization: Organization) -> int:
    gone = 0
    while True:
        sent = await send_some(stack, organization, None)
        gone += sum(one.status == "sent" for one in sent)
        if not goes_on(sent):
            return gone


def _rows(notice: Notice, organization: Organization, people: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    known = {person["email"].lower(): person for person in people}
    asked = {email.strip().lower(): email.strip() for email in notice.emails if email.strip()}
    asked |= {
        email: person["email"] for email, person in known.items() if email in asked or person["role"] in notice.roles
    }
    if not asked:
        return []
    mail = {
        "subject": notice.subject,
        "text": render("notice_mail.txt.j2", notice=notice, organization=organization),
        "html": render("notice_mail.html.j2", notice=notice, organization=organization),
    }
    in_app = {"type": notice.type, "message": notice.subject, "link": notice.link, "post_id": notice.post_id}
    rows = []
    for email, address in asked.items():
        person = known.get(email)
        row = {
            "topic": "notices",
            "event_key": notice.event_key,
            "user_id": person["id"] if person else None,
            "post_id": notice.post_id,
        }
        mail_id = message_id(notice.event_key, email, f"{organization.slug}.draggonnb.app")
        rows.append({**row, "channel": "email", "recipient": address, "payload": mail, "message_id": mail_id})
        if person:
            rows.append({**row, "channel": "in_app", "recipient": str(person["id"]), "payload": in_app})
    return rows
