"""The digest: what its readers wanted to hear once a day, as one mail at 08:00 of the organization's zone.

Lives here: what has gathered since, and its one mail. Not here: what is held (`deliveries.py`), the sending
(`outbox.py`).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from draggonnb_pipelines.domain.events import EVENTS
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.quiet_hours import digest_moment, quiet_end
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.deliveries import Message, row_for_address
from draggonnb_pipelines.workflows.pages import render

NOTIFICATIONS = load_queries("notifications")


async def gather_digests(stack: Stack, organization: Organization) -> int:
    """Put what has waited since before the last 08:00 into one mail for each reader; how many mails.

    1. lock what waits  2. plan the mail of that reader and day  3. note what stands in it: all or nothing, so that
    runs at once and killed runs make one mail. What comes too late for a day's mail stands in the next one.
    """
    now = stack.now()
    day, morning = digest_moment(now, organization.timezone)
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        held = [row async for row in NOTIFICATIONS.held_for_digest(tenant.conn, morning=morning)]
        digests = {}
        for _, rows in groupby(held, key=lambda row: row["user_id"]):
            news = list(rows)
            row = _digest(organization, day, news)
            row["not_before"] = quiet_end(now, organization.timezone, news[0]["quiet_from"], news[0]["quiet_until"])
            digests[row["event_key"]] = (row, [one["id"] for one in news])
        if not digests:
            return 0
        planned = NOTIFICATIONS.plan_deliveries(
            tenant.conn, deliveries=json.dumps([row for row, _ in digests.values()], default=str)
        )
        new = {row["event_key"]: row["id"] async for row in planned}
        for event_key, digest_id in new.items():
            await NOTIFICATIONS.put_in_digest(tenant.conn, digest_id=digest_id, ids=digests[event_key][1])
    return len(new)


def _digest(organization: Organization, day: date, news: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    count = "1 message" if len(news) == 1 else f"{len(news)} messages"
    subject = f"{organization.name}: {count}"
    values = {"subject": subject, "news": news, "organization": organization}
    mail = {"subject": subject, **{kind: render(f"digest_mail.{kind}.j2", **values) for kind in ("html", "txt")}}
    mail["text"] = mail.pop("txt")
    reader = news[0]["user_id"]
    message = Message(EVENTS["digest"], f"digest:{reader}:{day}", mail, subject={"topic": "notices"})
    return row_for_address(message, organization, news[0]["recipient"]) | {"user_id": reader}
