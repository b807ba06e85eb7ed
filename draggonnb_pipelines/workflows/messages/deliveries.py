"""Which rows of the outbox a message becomes: whom it reaches, on which channels, from when on.

Lives here: the reader's preferences and quiet hours at work, the digest's hold, the mail that stands in for a WhatsApp
message. Pure: rows in, rows out. Not here: what the message says (`notices.py`, `notifications.py`), the outbox.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.events import Event
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.quiet_hours import quiet_end
from draggonnb_pipelines.resources.mail import message_id
from draggonnb_pipelines.resources.vault import TenantKey

HELD_FOR_THE_DIGEST = "infinity"  # of `not_before`


@dataclass(frozen=True)
class Message:
    """One piece of news in the form of each channel.

    Args:
        mail: payload of the mail: subject, text, html, and perhaps calendar and files.
        in_app: payload of the message in the app.
        whatsapp: parameters of the event's template; None: it does not go out by WhatsApp.
        subject: the columns that say what it is about: topic, lead_id, post_id.
    """

    event: Event
    event_key: str
    mail: Mapping[str, Any]
    in_app: Mapping[str, Any] = field(default_factory=dict)
    whatsapp: Sequence[str] | None = None
    subject: Mapping[str, Any] = field(default_factory=dict)


def rows_for_person(
    message: Message, organization: Organization, key: TenantKey, person: Mapping[str, Any], now: datetime
) -> list[dict[str, Any]]:
    """The rows for somebody of the organization.

    Args:
        key: the organization's.
        person: a row of `tenant.active_people`.
    """
    event, preferences = message.event, person["preferences"]
    row = {**_common(message), "user_id": person["id"]}
    wakes_at = quiet_end(now, organization.timezone, person["quiet_from"], person["quiet_until"])
    held = {"not_before": wakes_at} if wakes_at and event.can_wait else {}
    rows, mode = [], event.mode("email", preferences)
    mail = {"channel": "email", "recipient": person["email"], "payload": message.mail}
    mail["message_id"] = mail_id(organization, key, message.event_key, person["email"])
    if mode != "off":
        rows.append(row | mail | (held if mode == "now" else {"not_before": HELD_FOR_THE_DIGEST}))
    if event.category == "service" and event.mode("in_app", preferences) == "now":
        rows.append(row | {"channel": "in_app", "recipient": str(person["id"]), "payload": message.in_app})
    is_by_phone = message.whatsapp and event.whatsapp_template and person["phone_e164"]
    if is_by_phone and event.mode("whatsapp", preferences) == "now":
        payload = {"template": event.whatsapp_template, "parameters": message.whatsapp}
        if mode == "off":
            payload["in_its_place"] = mail
        rows.append(row | {"channel": "whatsapp", "recipient": person["phone_e164"], "payload": payload} | held)
    return rows


def row_for_address(
    message: Message, organization: Organization, key: TenantKey, address: str, contact_id: UUID | None = None
) -> dict[str, Any]:
    """The mail to an address of nobody in the organization; with `contact_id` that contact's consent counts."""
    return {
        **_common(message),
        "contact_id": contact_id,
        "channel": "email",
        "recipient": address,
        "payload": message.mail,
        "message_id": mail_id(organization, key, message.event_key, address),
    }


def mail_id(organization: Organization, key: TenantKey, event_key: str, address: str) -> str:
    """The Message-ID of this news for this address: the same whenever it is asked. Its domain is how a report of
    non-delivery finds back; nobody else can work it out, and report as undeliverable what they have not seen."""
    return message_id(key.derive_token("message_id", event_key), address, f"{organization.slug}.draggonnb.app")


def _common(message: Message) -> dict[str, Any]:
    event = message.event
    return {"event_key": message.event_key, "event": event.name, "category": event.category, **message.subject}
