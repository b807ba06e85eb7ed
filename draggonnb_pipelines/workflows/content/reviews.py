"""Approval: reviewers are asked, reminded, and those who wrote a post are told what became of it.

Lives here: who is asked and by which link, the hours after which somebody is reminded, the words of the mails.
Not here: the decision (`review_decisions.py`), the page (`api/reviews.py`), sending (`notices.py`).

A link is one reviewer's and is bound to the hash of one content: an edit takes an approval back (the tenant's schema
does that, whoever edits) and begins a new round with new links. Every function may be repeated at any time: links are
derived from the client's key, and each person is told once a round.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.contact_details import Unusable, email_address
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.vault import TenantKey
from draggonnb_pipelines.workflows.content.review_decisions import REVIEWS
from draggonnb_pipelines.workflows.messages.notices import TENANT, Notice, send_waiting, tell

LINK_DAYS = 30
REVIEWER_ROLES = ("owner", "approver")
WRITER_ROLES = ("admin", "editor")
TELL_DECISIONS_FOR = timedelta(days=7)


async def tend_reviews(stack: Stack, organization: Organization) -> None:
    """All that approval asks of us from time to time: ask, remind, escalate, tell, and send what was left unsent."""
    await request_reviews(stack, organization, await waiting_reviews(stack, organization))
    await remind_and_escalate(stack, organization)
    await tell_decisions(stack, organization)
    await send_waiting(stack, organization)


async def waiting_reviews(stack: Stack, organization: Organization) -> list[UUID]:
    """Posts in review whose reviewers have not been asked yet about the content that they have now."""
    async with stack.tenants.open(organization) as tenant:
        return [row["id"] async for row in REVIEWS.waiting_reviews(tenant.conn)]


async def request_reviews(stack: Stack, organization: Organization, post_ids: Sequence[UUID]) -> None:
    """Ask each active owner and approver about each post that is in review, once a round.

    Where nobody may approve, the posts stay waiting and are asked about as soon as somebody may.
    """
    posts, people = await _posts_and_people(stack, organization, post_ids)
    reviewers = [person["email"] for person in people if person["role"] in REVIEWER_ROLES]
    if not posts or not reviewers:
        return
    asked = [(post, reviewer) for post in posts for reviewer in reviewers]
    links = await _put_links(stack, organization, asked)
    await tell(
        stack,
        organization,
        [
            _notice("review_requested", f"Please review: {_name(post)}", post, reviewer, link)
            for (post, reviewer), link in zip(asked, links, strict=True)
        ],
    )
    async with stack.tenants.open(organization) as tenant:
        await REVIEWS.note_requested(
            tenant.conn,
            ids=[post["id"] for post in posts],
            hashes=[post["content_hash"] for post in posts],
            now=stack.now(),
        )


async def remind_and_escalate(stack: Stack, organization: Organization) -> None:
    """Once a round: the reviewers after `reminder_hours`, the owners after `escalation_hours`.

    Where both are due together, an owner gets the escalation alone.
    """
    now = stack.now()
    async with stack.tenants.open(organization) as tenant:
        overdue = {row["id"]: row async for row in REVIEWS.overdue_reviews(tenant.conn, now=now)}
    posts, people = await _posts_and_people(stack, organization, list(overdue))
    asked, kinds = [], []
    for post in posts:
        due = overdue[post["id"]]
        for person in people:
            if due["is_escalation_due"] and person["role"] == "owner":
                asked.append((post, person["email"]))
                kinds.append(("review_escalated", f"Not reviewed for {due['escalation_hours']} hours: {_name(post)}"))
            elif due["is_reminder_due"] and person["role"] in REVIEWER_ROLES:
                asked.append((post, person["email"]))
                kinds.append(("review_reminder", f"Still waiting for your review: {_name(post)}"))
    if not asked:
        return
    links = await _put_links(stack, organization, asked)
    notices = [
        _notice(kind, subject, post, reviewer, link)
        for (kind, subject), (post, reviewer), link in zip(kinds, asked, links, strict=True)
    ]
    await tell(stack, organization, notices)
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        await REVIEWS.note_reminded(tenant.conn, ids=_due(overdue.values(), "is_reminder_due"), now=now)
        await REVIEWS.note_escalated(tenant.conn, ids=_due(overdue.values(), "is_escalation_due"), now=now)


async def tell_decisions(stack: Stack, organization: Organization) -> None:
    """Tell requester and writers of posts that were sent back or rejected, wherever that was decided."""
    async with stack.tenants.open(organization) as tenant:
        untold = [row async for row in REVIEWS.untold_decisions(tenant.conn, since=stack.now() - TELL_DECISIONS_FOR)]
        people = [row async for row in TENANT.active_people(tenant.conn)] if untold else []
    # Without anybody who writes, the owner looks after the posts.
    roles = WRITER_ROLES if any(person["role"] in WRITER_ROLES for person in people) else ("owner",)
    await tell(stack, organization, [_decided(row, roles) for row in untold])


async def _posts_and_people(
    stack: Stack, organization: Organization, post_ids: Sequence[UUID]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    if not post_ids:
        return [], []
    async with stack.tenants.open(organization) as tenant:
        posts = [row async for row in REVIEWS.posts_in_review(tenant.conn, ids=list(post_ids))]
        people = [row async for row in TENANT.active_people(tenant.conn)]
    return posts, people


async def _put_links(
    stack: Stack, organization: Organization, asked: Sequence[tuple[Mapping[str, Any], str]]
) -> list[str]:
    """The addresses, one for each post and reviewer. Master keeps the hashes of their tokens alone."""
    key, now = stack.tenants.key(organization), stack.now()
    tokens = [review_token(key, post["id"], post["content_hash"], reviewer) for post, reviewer in asked]
    async with stack.master.connection() as conn:
        await REVIEWS.put_review_links(
            conn,
            organization_id=organization.id,
            tokens_sha256=[hashlib.sha256(token.encode()).digest() for token in tokens],
            post_ids=[post["id"] for post, _ in asked],
            content_hashes=[post["content_hash"] for post, _ in asked],
            reviewers=[reviewer for _, reviewer in asked],
            now=now,
            expires_at=now + timedelta(days=LINK_DAYS),
        )
    return [f"{stack.settings.base_url}/reviews/{token}" for token in tokens]


def review_token(key: TenantKey, post_id: UUID, content_hash: str, reviewer: str) -> str:
    """The secret of one reviewer's link to one content of one post."""
    return key.derive_token("review", f"{post_id}:{content_hash}:{reviewer}")


def _notice(kind: str, subject: str, post: Mapping[str, Any], reviewer: str, link: str) -> Notice:
    goes_out = post["scheduled_local"]
    return Notice(
        event_key=f"{kind}:{post['id']}:{post['revision']}:{post['decisions']}",
        type=kind,
        subject=subject,
        lines=(
            f"For {', '.join(post['platform_ids'])}.",
            f"It is to go out at {goes_out}." if goes_out else "It is to go out as soon as it is approved.",
            _shortened(post["content"], 400),
            "The link is yours alone: please do not pass it on. You need no account to approve the post, ask for a"
            " change or reject it.",
        ),
        link=link,
        post_id=post["id"],
        emails=(reviewer,),
    )


def _decided(row: Mapping[str, Any], roles: tuple[str, ...]) -> Notice:
    is_rejected = row["decision"] == "rejected"
    return Notice(
        event_key=f"post_{row['decision']}:{row['id']}",
        type=f"post_{row['decision']}",
        subject=f"{'Rejected' if is_rejected else 'Changes are asked for'}: {_name(row)}",
        lines=(
            f"{row['reviewer']} wrote:",
            row["comment"],
            "It will not be published." if is_rejected else "Please change the post; it is then reviewed again.",
        ),
        post_id=row["post_id"],
        emails=tuple(dict.fromkeys(filter(None, (_address(row["requested_by"]), row["created_by"])))),
        roles=roles,
    )


def _address(requested_by: str | None) -> str | None:
    """Who asked, where that is an e-mail address: automations put their own name there."""
    try:
        email = email_address(requested_by or "")
    except Unusable:
        return None
    return email.as_given if email else None


def _due(overdue: Iterable[Mapping[str, Any]], what: str) -> list[UUID]:
    return [row["id"] for row in overdue if row[what]]


def _name(row: Mapping[str, Any]) -> str:
    return _shortened(row["title"] or row["content"], 80)


def _shortened(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
