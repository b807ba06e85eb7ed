"""From an approved post to the rows of the publish ledger: one per account, and one per part of it.

Lives here: when exactly it goes out, and what exactly is frozen into each row. Not here: who approves (`reviews.py`),
the publishing itself (`publishing.py`), and what wall times and slots mean (`domain/wall_time.py`, `posting_slots.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.content import Finding
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.posting_slots import Slot, next_free_slot
from draggonnb_pipelines.domain.publishing import Part, Platform, fingerprint
from draggonnb_pipelines.domain.wall_time import Resolved, as_text, zone_named
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.billing.usage import release, reserve
from draggonnb_pipelines.workflows.content.queue_checks import objections, read_brand
from draggonnb_pipelines.workflows.publishing.agenda import announced

SCHEDULING = load_queries("scheduling")
POSTS_AT_ONCE = 200
POSTS = "posts_monthly"
# A place of the monthly limit is held until the post is out; what is never published frees it this long after its time.
HELD_FOR = timedelta(days=30)
_QUEUE_ROWS = UUID("6a7c5a1e-8a53-4f0e-9d3a-2f0f6f8f2c11")


@dataclass(frozen=True)
class Enqueued:
    """One post as it was put on the queue; with a reason, why it was not, or not for all of its networks."""

    post_id: UUID
    publish_at: datetime
    rows: int
    platforms: tuple[str, ...]
    reason: str | None = None


@dataclass(frozen=True)
class QueueRow:
    """One row to be."""

    id: UUID
    platform: str
    account_id: UUID
    part: int
    kind: Part
    payload: Mapping[str, Any]


async def enqueue_ready(stack: Stack, organization: Organization, *, most: int | None = None) -> list[Enqueued]:
    """Put all approved posts of a client on the queue. Safe to repeat and to run beside itself: a post is enqueued in
    the statement that takes it out of `approved`, and its rows have keys of their own.

    Args:
        most: stop after about this many, rounded up to whole looks of `POSTS_AT_ONCE`; None: all.
    """
    enqueued: list[Enqueued] = []
    async with stack.tenants.open(organization) as tenant:
        while posts := [row async for row in SCHEDULING.approved_posts(tenant.conn, row_limit=POSTS_AT_ONCE)]:
            found = [row async for row in SCHEDULING.accounts_of_platforms(tenant.conn)]
            # The canary's account is for nothing else.
            accounts = [row for row in found if row["id"] != stack.settings.canary_account]
            slots = [_slot(row) async for row in SCHEDULING.slots(tenant.conn)]
            taken = {row["publish_at"] async for row in SCHEDULING.taken_times(tenant.conn)}
            brand = await read_brand(tenant)
            for post in posts:
                at = _publish_at(post, slots, taken)
                if objected := objections(post, brand):
                    enqueued.append(await _refuse(tenant, post, at, objected))
                    continue
                rows = queue_rows(post, accounts)
                if rows:
                    taken.add(at.utc)
                enqueued.append(await _enqueue(stack, tenant, post, at, rows, _left_out(post, accounts)))
            if len(posts) < POSTS_AT_ONCE or (most is not None and len(enqueued) >= most):
                break
    return enqueued


async def _refuse(tenant: TenantDb, post: Mapping[str, Any], at: Resolved, objected: Sequence[Finding]) -> Enqueued:
    reason = "; ".join(dict.fromkeys(f"{finding.platform}: {finding.reason}" for finding in objected))[:1000]
    await SCHEDULING.refuse_post(tenant.conn, post_id=post["id"], rule=objected[0].rule, reason=reason)
    return Enqueued(post["id"], at.utc, 0, (), reason)


async def _enqueue(
    stack: Stack,
    tenant: TenantDb,
    post: Mapping[str, Any],
    at: Resolved,
    rows: Sequence[QueueRow],
    left_out: str | None,
) -> Enqueued:
    platforms = tuple(dict.fromkeys(row.platform for row in rows))
    if not rows:
        where = ", ".join(post["platform_ids"]) or "no network"
        is_out = bool(post["spoken_account_ids"])
        reason = f"an earlier revision is public on {where}" if is_out else left_out or f"it is for {where}"
        await SCHEDULING.refuse_post(tenant.conn, post_id=post["id"], rule="accounts", reason=reason)
        return Enqueued(post["id"], at.utc, 0, platforms, reason)
    keys = [f"post:{row.id}" for row in rows if row.part == 0]
    reserved = await reserve(stack, tenant, POSTS, keys, at=at.utc, expires_at=at.utc + HELD_FOR)
    if missing := [key for key in keys if key not in reserved.granted]:
        await release(tenant, POSTS, keys)
        reason = f"posts_monthly: {len(missing)} of {len(keys)} posts are over the limit of {reserved.limit} a month"
        await SCHEDULING.refuse_post(tenant.conn, post_id=post["id"], rule="posts_monthly", reason=reason)
        return Enqueued(post["id"], at.utc, 0, platforms, reason)
    async with announced(stack.master, tenant.organization.id, at.utc):
        made = SCHEDULING.enqueue(
            tenant.conn,
            post_id=post["id"],
            content_hash=post["content_hash"],
            revision=post["revision"],
            publish_at=at.utc,
            scheduled_local=as_text(at),
            left_out=left_out,
            ids=[row.id for row in rows],
            platform_ids=[row.platform for row in rows],
            account_ids=[row.account_id for row in rows],
            parts=[row.part for row in rows],
            kinds=[str(row.kind) for row in rows],
            payloads=[Jsonb(row.payload) for row in rows],
            fingerprints=[fingerprint(row.payload["text"]) for row in rows],
        )
        count = len([row async for row in made])
    return Enqueued(post["id"], at.utc, count, platforms, left_out)


def queue_rows(post: Mapping[str, Any], accounts: Sequence[Mapping[str, Any]]) -> list[QueueRow]:
    """A row for each account of the post's platforms, then its thread, then its first comment, in that order."""
    rows = []
    for account in accounts:
        variant = post["variants"].get(account["platform_id"])
        is_out = account["id"] in post["spoken_account_ids"]  # an earlier revision is public there, or may be
        if account["platform_id"] not in post["platform_ids"] or not variant or is_out:
            continue
        first = {"text": variant["text"], "media": post["media"], "made_with_ai": post["made_with_ai"]}
        parts = [(Part.POST, first)]
        parts += [(Part.REPLY, _words(text, post)) for text in variant.get("thread") or []]
        if comment := variant.get("first_comment"):
            parts.append((Part.COMMENT, _words(comment, post)))
        for number, (kind, payload) in enumerate(parts):
            key = uuid5(_QUEUE_ROWS, f"{post['id']}/{account['id']}/{post['revision']}/{number}")
            rows.append(QueueRow(key, account["platform_id"], account["id"], number, kind, payload))
    return rows


def _left_out(post: Mapping[str, Any], accounts: Sequence[Mapping[str, Any]]) -> str | None:
    """Networks that the post is meant for and cannot go to: nobody may take that for published."""
    connected = {account["platform_id"] for account in accounts}
    nobody = [name for name in post["platform_ids"] if name not in connected]
    wordless = [name for name in post["platform_ids"] if name in connected and not post["variants"].get(name)]
    reasons = [f"no account is connected for {', '.join(nobody)}"] if nobody else []
    reasons += [f"there are no words for {', '.join(wordless)}"] if wordless else []
    return "; ".join(reasons) or None


def _words(text: str, post: Mapping[str, Any]) -> dict[str, Any]:
    return {"text": text, "made_with_ai": post["made_with_ai"]}


def _publish_at(post: Mapping[str, Any], slots: Sequence[Slot], taken: set[datetime]) -> Resolved:
    """The time that was asked for. A slot that has passed while the post waited for approval becomes the next free
    one; a time that a person chose stays, and the organization's rule for late posts decides when it comes up."""
    zone, now = post["time_zone"] or post["timezone"], post["db_now"]
    if post["schedule"].get("as_soon_as_approved"):
        return _instant_in(post["approved_at"], zone)  # its lateness counts from then
    if post["schedule"].get("next_free_slot") and post["scheduled_for"] < now and post["platform_ids"]:
        country = post["country"] if post["skips_public_holidays"] else None
        platform = Platform(post["platform_ids"][0])
        found = next_free_slot(slots, zone, now, taken, platform, skip_holidays=country)
        return found or _instant_in(now, zone)
    return _instant_in(post["scheduled_for"], zone)


def _slot(row: Mapping[str, Any]) -> Slot:
    return Slot(
        weekday=row["weekday"],
        at=row["at_local"].replace(second=0, microsecond=0),
        platforms=frozenset(Platform(platform) for platform in row["platform_ids"]),
    )


def _instant_in(utc: datetime, zone: str) -> Resolved:
    return Resolved(utc, utc.astimezone(zone_named(zone)).replace(tzinfo=None, fold=0), zone)
