"""Posts in review of one tenant and their links in master, as the tests of the review page need them."""

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants

REVIEWER = "approver@draggonnb.example"
VARIANTS = {
    "facebook": {"text": "Fresh beans on Friday.\nCome and smell them.", "first_comment": None, "thread": []},
    "instagram": {
        "text": "Fresh beans on Friday. #coffee #capetown",
        "first_comment": "Which roast is yours?",
        "thread": [],
    },
    "linkedin": {
        "text": "We roast on Thursdays so that the beans have a night to rest.\n\nOn Friday they are in the shop.",
        "first_comment": None,
        "thread": [],
    },
    "x": {
        "text": "Fresh beans on Friday: https://kloof-coffee.co.za/roastery/what-we-roast-this-week",
        "first_comment": None,
        "thread": ["Roasted on Thursday, rested overnight.", "Open from seven. 早安"],
    },
}
MEDIA = [
    {
        "path": "posts/2026/roast-log.jpg",
        "alt": "A hand-written roast log beside a tray of dark beans",
        "content_type": "image/jpeg",
        "size_bytes": 482_133,
        "width": 1080,
        "height": 1350,
        "duration_seconds": None,
    },
    {
        "path": "posts/2026/first-crack.mp4",
        "alt": None,
        "content_type": "video/mp4",
        "size_bytes": 8_400_000,
        "width": 1080,
        "height": 1920,
        "duration_seconds": 12.5,
    },
]
FINDINGS = [
    {
        "rule": "hashtags",
        "severity": "warn",
        "platform": "instagram",
        "reason": "2 hashtags; 3 to 5 work best for you.",
    }
]


class PostReviews:
    """One tenant's posts in review."""

    def __init__(self, organization: Organization, master: MasterDb, tenants: Tenants) -> None:
        self.organization = organization
        self._master = master
        self._tenants = tenants
        self.post_id = uuid.uuid4()

    async def tenant(self, query: LiteralString, **values: Any) -> list[dict[str, Any]]:
        async with self._tenants.open(self.organization) as tenant:
            cursor = await tenant.conn.execute(query, values)
            return await cursor.fetchall() if cursor.description else []

    async def add(self, **columns: Any) -> str:
        """A post in review and its approver's link; returns the token."""
        post = {
            "title": "Fresh beans on Friday",
            "content": "Fresh beans on Friday.",
            "variants": VARIANTS,
            "media": MEDIA,
            "findings": FINDINGS,
            "platform_ids": list(VARIANTS),
            "scheduled_for": "2026-12-01T07:00:00Z",
            "scheduled_local": "2026-12-01 09:00 Africa/Johannesburg",
            "time_zone": "Africa/Johannesburg",
        } | columns
        await self.tenant("insert into users (email, role) values (%(email)s, 'approver')", email=REVIEWER)
        jsons = {name: Jsonb(post[name]) for name in ("variants", "media", "findings")}
        [row] = await self.tenant(
            """insert into social_posts (id, title, content, variants, media, findings, platform_ids, scheduled_for,
                                         scheduled_local, time_zone, status)
               values (%(id)s, %(title)s, %(content)s, %(variants)s, %(media)s, %(findings)s, %(platform_ids)s,
                       %(scheduled_for)s, %(scheduled_local)s, %(time_zone)s, 'in_review')
               returning content_hash""",
            **(post | jsons | {"id": self.post_id}),
        )
        token = f"token-{uuid.uuid4()}"
        async with self._master.connection() as conn:
            await conn.execute(
                """insert into review_links (token_sha256, organization_id, post_id, content_hash, reviewer, expires_at)
                   values (%s, %s, %s, %s, %s, %s)""",
                (
                    hashlib.sha256(token.encode()).digest(),
                    self.organization.id,
                    self.post_id,
                    row["content_hash"],
                    REVIEWER,
                    datetime.now(UTC) + timedelta(days=30),
                ),
            )
        return token

    async def statuses(self) -> list[str]:
        return [row["status"] for row in await self.tenant("select status from social_posts")]

    async def decisions(self) -> list[tuple[str, str, str, str]]:
        rows = await self.tenant("select decision, comment, reviewer, via from review_decisions order by decided_at")
        return [(row["decision"], row["comment"], row["reviewer"], row["via"]) for row in rows]
