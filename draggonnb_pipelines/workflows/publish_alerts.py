"""What people are told of posts that did not go out: a network refused one, or what became of it is not known.

Lives here: the words, once an incident. Not here: the ledger (`publishing.py`), answers (`publish_questions.py`), who
is told next (`escalation.py`).
"""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.acknowledgements import ALERTS
from draggonnb_pipelines.workflows.escalation import raise_alert
from draggonnb_pipelines.workflows.notices import Notice

WRITERS = ("owner", "admin", "editor")
REFUSED_TOLD_FOR = timedelta(days=2)  # how long a client whose database was away still hears of it
SETTLED = "the system: it is settled"
_NAMES = {"facebook": "Facebook", "instagram": "Instagram", "linkedin": "LinkedIn", "x": "X"}


async def tell_publish_troubles(stack: Stack, organization: Organization) -> None:
    """Raise an alert for each post that needs a person, and close those whose post needs nobody any more."""
    now = stack.now()
    async with stack.tenants.open(organization) as tenant:
        await ALERTS.settle_publish_alerts(tenant.conn, by=SETTLED, now=now)
        rows = [row async for row in ALERTS.publish_troubles(tenant.conn, since=now - REFUSED_TOLD_FOR)]
    for row in rows:
        await raise_alert(stack, organization, _notice(organization, row))


def _notice(organization: Organization, row: Mapping[str, Any]) -> Notice:
    is_question = row["status"] == "needs_review"
    why = (row["question"] if is_question else row["last_error"]) or "no reason was given"
    # The same row may ask again later, and something else: that is another incident.
    mark = hashlib.sha256(why.encode()).hexdigest()[:12]
    due = row["publish_at"].astimezone(ZoneInfo(organization.timezone))
    place = f"{_NAMES.get(row['platform_id'], row['platform_id'])}, {row['account']}"
    if is_question:
        subject, next_step = f"A post needs you: {row['title']}", "Answer in the app, under the post, or ask us."
    else:
        subject, next_step = (
            f"A post was refused: {row['title']}",
            "Change the post in the app, then schedule it again.",
        )
    return Notice(
        event_key=f"publish:{row['id']}:{row['status']}:{row['attempts']}:{mark}",
        type="publish_needs_review" if is_question else "publish_failed",
        subject=" ".join(subject.split()),
        lines=(f"{place}, due on {due:%a %-d %b %Y %H:%M}.", why, next_step),
        post_id=row["post_id"],
        roles=WRITERS,
    )
