"""The digest: what its readers wanted to hear once a day, as one mail at 08:00 of the organization's zone.

Lives here: what has gathered since, and its one mail. Not here: what is held (`deliveries.py`), the sending
(`outbox.py`).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from draggonnb_pipelines.domain.contact_details import flattened
from draggonnb_pipelines.domain.events import EVENTS
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.quiet_hours import digest_moment, quiet_end
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.vault import TenantKey
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.messages.deliveries import Message, row_for_address
from draggonnb_pipelines.workflows.pages import render

NOTIFICATIONS = load_queries("notifications")
SHOWN = 50
UNWANTED = "its reader wants no more of these"


async def gather_digests(stack: Stack, organization: Organization) -> int:
    """Put what has waited since before the last 08:00 into one mail for each reader; how many mails.

    1. lock what waits  2. plan the mail of that reader and day  3. note what stands in it: all or nothing, so that
    runs at once and killed runs make one mail. What comes too late for a day's mail stands in the next one.
    """
    now = stack.now()
    day, morning = digest_moment(now, organization.timezone)
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        held = [row async for row in NOTIFICATIONS.held_for_digest(tenant.conn, morning=morning)]
        unwanted = [row["id"] for row in held if not _is_wanted(row)]
        await NOTIFICATIONS.skip_deliveries(tenant.conn, ids=unwanted, reason=UNWANTED)
        digests = {}
        for _, rows in groupby(filter(_is_wanted, held), key=lambda row: row["user_id"]):
            news = list(rows)
            row = _digest(organization, stack.tenants.key(organization), day, news)
            row["not_before"] = quiet_end(now, organization.timezone, news[0]["quiet_from"], news[0]["quiet_until"])
            digests[row["event_key"]] = (row, [one["id"] for one in news])
        if not digests:
            return 0
        planned = NOTIFICATIONS.plan_deliveries(
            tenant.conn, deliveries=json.dumps([row for row, _ in digests.values()], default=str), now=now
        )
        new = {row["event_key"]: row["id"] async for row in planned}
        for event_key, digest_id in new.items():
            await NOTIFICATIONS.put_in_digest(tenant.conn, digest_id=digest_id, ids=digests[event_key][1])
    return len(new)


def _is_wanted(row: Mapping[str, Any]) -> bool:
    """Whether its reader has not switched it off since it was put aside."""
    event = EVENTS.get(row["event"] or "")
    return event is None or event.mode("email", row["preferences"]) != "off"


def _digest(organization: Organization, key: TenantKey, day: date, news: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    count = "1 message" if len(news) == 1 else f"{len(news)} messages"
    subject = flattened(f"{organization.name}: {count}")
    more = max(len(news) - SHOWN, 0)
    values = {"subject": subject, "news": news[:SHOWN], "more": more, "organization": organization}
    mail = {"subject": subject, **{kind: render(f"digest_mail.{kind}.j2", **values) for kind in ("html", "txt")}}
    mail["text"] = mail.pop("txt")
    reader = news[0]["user_id"]
    message = Message(EVENTS["digest"], f"digest:{reader}:{day}", mail, subject={"topic": "notices"})
    return row_for_address(message, organization, key, news[0]["email"]) | {"user_id": reader}
