"""What a review link stands for, and the decision that is made by it.

Lives here: the state of a review, and its end, for exactly the content that was shown. It needs the two databases
alone, since the API decides and calls no vendor.
Not here: making links, reminders and notices (`reviews.py`), the page (`api/reviews.py`), decisions in the dashboard
(`approve_post` and its neighbours in the tenant's schema).
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.publishing.agenda import announced

REVIEWS = load_queries("reviews")
ORGANIZATIONS = load_queries("organizations")
APPROVED_AND_LATER = frozenset({"approved", "scheduled", "published", "partly_published", "failed"})
Decision = Literal["approved", "changes_requested", "rejected"]
State = Literal["open", "approved", "changes_requested", "rejected", "withdrawn", "changed", "expired", "revoked"]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Review:
    """A post as one reviewer's link shows it: the row as it is now, and the content that the link is for."""

    token_sha256: bytes
    organization: Organization
    post_id: UUID
    content_hash: str
    reviewer: str
    expires_at: datetime
    post: Mapping[str, Any]
    text_limits: Mapping[str, int | None]
    platform_names: Mapping[str, str]

    def state(self, now: datetime) -> State:
        """What the link is good for. `open` is the only state in which a decision counts."""
        status = self.post["status"]
        if self.post["reviewer_id"] is None:
            return "revoked"
        if now > self.expires_at:
            return "expired"
        if self.post["content_hash"] != self.content_hash:
            return "changed"
        if status == "in_review":
            return "open"
        if status in APPROVED_AND_LATER:
            return "approved"
        return status if status in ("changes_requested", "rejected") else "withdrawn"


async def open_review(master: MasterDb, tenants: Tenants, token: str) -> Review | None:
    """What this token stands for; None if nobody has it, or the client or the post is gone.

    Raises:
        TenantUnavailable: the client's database does not answer.
    """
    digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
    async with master.connection() as conn:
        link = await REVIEWS.review_link(conn, token_sha256=digest)
        row = await ORGANIZATIONS.organization_of_id(conn, id=link["organization_id"]) if link else None
    if link is None or row is None:
        return None
    organization = Organization(**row)
    if organization.data_key_wrapped is None or organization.status == "closed":
        return None
    async with tenants.open(organization) as tenant:
        post = await REVIEWS.review_page(
            tenant.conn, id=link["post_id"], reviewer=link["reviewer"], content_hash=link["content_hash"]
        )
        platforms = [platform async for platform in REVIEWS.platforms(tenant.conn)]
    if post is None:
        return None
    return Review(
        token_sha256=digest,
        organization=organization,
        post_id=link["post_id"],
        content_hash=link["content_hash"],
        reviewer=link["reviewer"],
        expires_at=link["expires_at"],
        post=post,
        text_limits={platform["id"]: platform["text_max"] for platform in platforms},
        platform_names={platform["id"]: platform["name"] for platform in platforms},
    )


async def decide(
    master: MasterDb, tenants: Tenants, review: Review, decision: Decision, comment: str, *, now: datetime
) -> bool:
    """End the review; False if it is not open any more: decided meanwhile, changed, or no longer this person's.

    1. The post's row decides, with the record and the audit entry in the same transaction.
    2. The client is put on the agenda: the run that it brings schedules the post, or tells who wrote it.
    3. Master's link is marked, which only shows where it was used.
    """
    if now > review.expires_at:
        return False
    async with (
        tenants.open(review.organization) as tenant,
        announced(master, review.organization.id, now),
        tenant.conn.transaction(),
    ):
        decided = await REVIEWS.decide_post(
            tenant.conn,
            id=review.post_id,
            content_hash=review.content_hash,
            reviewer=review.reviewer,
            decision=decision,
            now=now,
        )
        if decided is None:
            return False
        await REVIEWS.record_decision(
            tenant.conn,
            post_id=review.post_id,
            content_hash=review.content_hash,
            decision=decision,
            comment=comment,
            reviewer=review.reviewer,
            via="link",
            now=now,
        )
        await REVIEWS.audit_decision(
            tenant.conn,
            actor=f"user:{decided['reviewer_id']}",
            action=f"post.{decision}",
            resource=f"social_post:{review.post_id}",
            metadata=Jsonb({"content_hash": review.content_hash, "via": "link"}),
        )
    log.info("post %s of %s: %s", review.post_id, review.organization.slug, decision)
    async with master.connection() as conn:
        await REVIEWS.note_review_decision(conn, token_sha256=review.token_sha256, now=now)
    return True
