"""A decision counts once, for exactly what was shown, and only while its reviewer may make it."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.review_decisions import decide
from draggonnb_pipelines.workflows.content.reviews import (
    tend_reviews,
)
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import count, master_rows, tenant_rows
from tests.workflows.outbox import after
from tests.workflows.post_reviews import (
    APPROVER,
    ASKED,
    OWNER,
    add_post,
    asked,
    decided,
    edit,
    mailed,
    opened,
    post_row,
    review_tokens,
)

pytestmark = pytest.mark.usefixtures("people")
DECISIONS = "select decision, comment, reviewer, via from review_decisions order by decided_at"


@pytest.fixture
async def post_id(stack: Stack, agency: Organization) -> UUID:
    return await add_post(stack, agency)


async def test_an_approval_names_the_content_and_puts_the_client_on_the_agenda(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization, post_id: UUID
) -> None:
    await asked(stack, agency)
    [token] = review_tokens(sandbox, APPROVER)

    assert await decided(stack, token, "approved", "Lovely.")
    assert not await decided(stack, token, "approved")

    post = await post_row(stack, agency, post_id)
    [approver] = await tenant_rows(stack, agency, "select id from users where email = %s", APPROVER)
    assert (post["status"], post["approved_hash"]) == ("approved", post["content_hash"])
    assert post["approved_by"] == approver["id"]
    assert await tenant_rows(stack, agency, DECISIONS) == [
        {"decision": "approved", "comment": "Lovely.", "reviewer": APPROVER, "via": "link"}
    ]
    audit = "select actor, resource, metadata from audit_log where action = 'post.approved' order by id desc limit 1"
    assert await tenant_rows(stack, agency, audit) == [
        {
            "actor": f"user:{approver['id']}",
            "resource": f"social_post:{post_id}",
            "metadata": {"via": "link", "content_hash": post["content_hash"]},
        }
    ]
    [agenda] = await master_rows(
        stack, "select organization_id, next_due_at <= now() as is_due, notes from publishing_agenda"
    )
    assert agenda == {"organization_id": agency.id, "is_due": True, "notes": 4}  # before and after each attempt
    links = await master_rows(stack, "select reviewer, decided_at is not null as used from review_links order by 1")
    assert links == [{"reviewer": APPROVER, "used": True}, {"reviewer": OWNER, "used": False}]
    assert await count(stack, outsider, "review_decisions") == {"review_decisions": 0}


async def test_of_two_reviewers_who_decide_at_once_one_does(
    stack: Stack, sandbox: Sandbox, agency: Organization, post_id: UUID
) -> None:
    await asked(stack, agency)
    [first], [second] = review_tokens(sandbox, APPROVER), review_tokens(sandbox, OWNER)

    counted = await asyncio.gather(
        *(decided(stack, token, "approved") for token in [first, second] * 5),
        *(decided(stack, token, "rejected", "No.") for token in [first, second] * 5),
    )

    assert sum(counted) == 1
    [decision] = await tenant_rows(stack, agency, "select decision from review_decisions")
    assert (await post_row(stack, agency, post_id))["status"] == decision["decision"]


async def test_an_edit_makes_the_old_link_useless_and_sends_new_ones(
    stack: Stack, sandbox: Sandbox, agency: Organization, post_id: UUID
) -> None:
    await asked(stack, agency)
    [token] = review_tokens(sandbox, APPROVER)
    shown = await opened(stack, token)

    await edit(stack, agency, post_id, "Stale beans on Monday.")
    now = datetime.now(UTC)
    assert not await decide(stack.master, stack.tenants, shown, "approved", "", now=now)
    assert (await opened(stack, token)).state(now) == "changed"
    await tend_reviews(stack, agency)
    await tend_reviews(stack, agency)

    assert (await post_row(stack, agency, post_id))["status"] == "in_review"
    assert mailed(sandbox) == [(APPROVER, ASKED)] * 2 + [(OWNER, ASKED)] * 2
    [old, new] = review_tokens(sandbox, APPROVER)
    assert (old, old == new) == (token, False)
    assert await decided(stack, new, "approved")
    assert await count(stack, agency, "review_decisions") == {"review_decisions": 1}


async def test_an_edit_after_the_approval_asks_again(
    stack: Stack, sandbox: Sandbox, agency: Organization, post_id: UUID
) -> None:
    await asked(stack, agency)
    [token] = review_tokens(sandbox, APPROVER)
    await decided(stack, token, "approved")

    await edit(stack, agency, post_id, "Stale beans on Monday.")
    await tend_reviews(stack, agency)

    post = await post_row(stack, agency, post_id)
    assert (post["status"], post["approved_hash"], post["approved_by"]) == ("in_review", None, None)
    assert len(review_tokens(sandbox, APPROVER)) == 2


async def test_a_post_submitted_again_unchanged_is_asked_about_again_under_the_same_link(
    stack: Stack, sandbox: Sandbox, agency: Organization, post_id: UUID
) -> None:
    await asked(stack, agency)
    [token] = review_tokens(sandbox, APPROVER)
    await decided(stack, token, "changes_requested", "Which beans?")

    await tenant_rows(stack, agency, "update social_posts set status = 'in_review' where id = %s", post_id)
    await asked(stack, agency)
    await asked(stack, agency)

    assert review_tokens(sandbox, APPROVER) == [token, token]
    assert await decided(stack, token, "approved")


async def test_a_reviewer_who_left_or_whose_link_is_too_old_decides_nothing(
    stack: Stack, sandbox: Sandbox, agency: Organization, post_id: UUID
) -> None:
    await asked(stack, agency)
    [token] = review_tokens(sandbox, APPROVER)
    later = after(days=31)()

    assert (await opened(stack, token)).state(later) == "expired"
    assert not await decide(stack.master, stack.tenants, await opened(stack, token), "approved", "", now=later)
    shown = await opened(stack, token)
    await tenant_rows(stack, agency, "update users set role = 'viewer' where email = %s", APPROVER)
    now = datetime.now(UTC)

    assert (await opened(stack, token)).state(now) == "revoked"
    assert not await decide(stack.master, stack.tenants, shown, "approved", "", now=now)
    assert (await post_row(stack, agency, post_id))["status"] == "in_review"
    assert await count(stack, agency, "review_decisions") == {"review_decisions": 0}
