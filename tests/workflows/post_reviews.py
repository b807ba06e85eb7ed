"""Posts in review as tests see them: the people, the posts, the mails and the links in them.

Not here: fixtures that others need (`conftest.py`) and assertions.
"""

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.review_decisions import Decision, Review, decide, open_review
from draggonnb_pipelines.workflows.content.reviews import request_reviews, waiting_reviews
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import tenant_rows

OWNER = "sales@draggonnb.example"
APPROVER = "approver@draggonnb.example"
EDITOR = "editor@draggonnb.example"
ASKED = "Please review: Fresh beans"
PEOPLE = (
    (APPROVER, "approver", True),
    (EDITOR, "editor", True),
    ("admin@draggonnb.example", "admin", True),
    ("viewer@draggonnb.example", "viewer", True),
    ("left@draggonnb.example", "approver", False),
)


async def add_people(stack: Stack, organization: Organization) -> None:
    """One person per role beside the owner, and an approver who has left."""
    for email, role, is_active in PEOPLE:
        await tenant_rows(
            stack,
            organization,
            "insert into users (organization_id, email, role, is_active) values (%s, %s, %s, %s)",
            organization.id,
            email,
            role,
            is_active,
        )


async def remove_people(stack: Stack, organization: Organization) -> None:
    await tenant_rows(stack, organization, "delete from users where email <> %s", OWNER)


async def add_post(stack: Stack, organization: Organization, **columns: Any) -> UUID:
    """A post in review, as content generation leaves it."""
    values = {
        "title": "Fresh beans",
        "content": "Fresh beans on Friday.",
        "variants": Jsonb({"facebook": {"text": "Fresh beans on Friday.", "first_comment": None, "thread": []}}),
        "platform_ids": ["facebook"],
        "status": "in_review",
        "scheduled_local": "2026-12-01 09:00 Africa/Johannesburg",
        "scheduled_for": "2026-12-01T07:00:00Z",
    } | columns
    post_id = uuid4()
    names, places = ", ".join(values), ", ".join(["%s"] * len(values))
    await tenant_rows(
        stack, organization, f"insert into social_posts (id, {names}) values (%s, {places})", post_id, *values.values()
    )
    return post_id


async def post_row(stack: Stack, organization: Organization, post_id: UUID) -> dict[str, Any]:
    [row] = await tenant_rows(stack, organization, "select * from social_posts where id = %s", post_id)
    return row


async def edit(stack: Stack, organization: Organization, post_id: UUID, content: str) -> None:
    await tenant_rows(stack, organization, "update social_posts set content = %s where id = %s", content, post_id)


def mailed(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Whom the mailboxes show which subject, in order of the alphabet."""
    return sorted((mail["recipient"], mail["subject"]) for mail in sandbox.public("mail"))


def review_tokens(sandbox: Sandbox, recipient: str) -> list[str]:
    """The tokens in the review links of a recipient's mails, oldest mail first."""
    mails = [mail for mail in sandbox.public("mail") if mail["recipient"] == recipient]
    return [token for mail in mails for token in re.findall(r"/reviews/([\w-]{43})\b", mail["text"])[:1]]


async def asked(stack: Stack, organization: Organization) -> None:
    """The reviewers are asked about all that waits."""
    await request_reviews(stack, organization, await waiting_reviews(stack, organization))


async def opened(stack: Stack, token: str) -> Review:
    review = await open_review(stack.master, stack.tenants, token)
    assert review is not None
    return review


async def decided(stack: Stack, token: str, decision: Decision, comment: str = "") -> bool:
    """Whether a decision by this link counted."""
    review = await opened(stack, token)
    return await decide(stack.master, stack.tenants, review, decision, comment, now=datetime.now(UTC))
