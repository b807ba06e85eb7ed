"""What people are told of posts that did not go out: a network refused them, or what became of them is not known.

Lives here: the words, once an account and incident: the posts of an outage are one alert, and what follows joins it
until it goes up. Not here: the ledger (`publishing.py`), answers (`publish_questions.py`), who is told next
(`escalation.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.acknowledgements import ALERTS
from draggonnb_pipelines.workflows.messages.escalation import raise_alert
from draggonnb_pipelines.workflows.messages.notices import Notice

WRITERS = ("owner", "admin", "editor")
REFUSED_TOLD_FOR = timedelta(days=2)  # how long a client whose database was away still hears of it
NAMED_POSTS = 20
SETTLED = "the system: it is settled"
_NAMES = {"facebook": "Facebook", "instagram": "Instagram", "linkedin": "LinkedIn", "x": "X"}
_NO_REASON = "no reason was given"
_WORDS = {
    "publish_needs_review": ("needs you", "need you", "Answer in the app, under the post, or ask us."),
    "publish_failed": ("was refused", "were refused", "Change the post in the app, then schedule it again."),
}


async def tell_publish_troubles(stack: Stack, organization: Organization) -> None:
    """Raise an alert for each account whose posts need a person, and close those whose posts need nobody any more.

    Who was told of an account hears of its next posts when nobody has answered and the alert goes up; after an answer,
    or once it has gone up, what comes is another alert.
    """
    now = stack.now()
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        await ALERTS.settle_publish_alerts(tenant.conn, by=SETTLED, now=now)
        rows = [row async for row in ALERTS.publish_troubles(tenant.conn, since=now - REFUSED_TOLD_FOR)]
        gathering = {(row["account_id"], row["event"]): row async for row in ALERTS.gathering_alerts(tenant.conn)}
        alerts = list(_alerts(organization, rows, gathering))
        for notice, _, about in alerts:
            lines = Jsonb(list(notice.lines))
            await ALERTS.gather(
                tenant.conn, event_key=notice.event_key, about=about, subject=notice.subject, lines=lines
            )
    for notice, account_id, about in alerts:
        await raise_alert(stack, organization, notice, account_id=account_id, about=about)


def _alerts(
    organization: Organization,
    rows: Iterable[Mapping[str, Any]],
    gathering: Mapping[Any, Mapping[str, Any]],
) -> Iterable[tuple[Notice, Any, list[str]]]:
    """The alerts that gather, with what is new, and new ones; each with its account and the incidents in it."""
    for key, group in groupby(rows, key=lambda row: (row["account_id"], row["event"])):
        open_alert = gathering.get(key)
        known = open_alert["about"] if open_alert else ()
        posts = [row for row in group if not row["is_raised"] or row["incident"] in known]
        if posts:
            about = [row["incident"] for row in posts]
            event_key = open_alert["event_key"] if open_alert else f"publish:{key[0]}:{key[1]}:{about[0]}"
            yield _notice(organization, event_key, posts), key[0], about


def _notice(organization: Organization, event_key: str, posts: Sequence[Mapping[str, Any]]) -> Notice:
    first = posts[0]
    one, many, next_step = _WORDS[first["event"]]
    place = f"{_NAMES.get(first['platform_id'], first['platform_id'])}, {first['account']}"
    if len(posts) == 1:
        subject = f"A post {one}: {first['title']}"
        lines = [f"{place}, due on {_moment(organization, first)}.", first["why"] or _NO_REASON]
    else:
        subject = f"{len(posts)} posts {many}: {place}"
        lines = [
            f"{_moment(organization, post)}, {post['title']}: {post['why'] or _NO_REASON}"
            for post in posts[:NAMED_POSTS]
        ]
        lines += [f"and {len(posts) - NAMED_POSTS} more"] if len(posts) > NAMED_POSTS else []
    return Notice(
        event_key=event_key,
        type=first["event"],
        subject=" ".join(subject.split()),
        lines=(*lines, next_step),
        post_id=first["post_id"] if len(posts) == 1 else None,
        roles=WRITERS,
    )


def _moment(organization: Organization, post: Mapping[str, Any]) -> str:
    return f"{post['publish_at'].astimezone(ZoneInfo(organization.timezone)):%a %-d %b %Y %H:%M}"
