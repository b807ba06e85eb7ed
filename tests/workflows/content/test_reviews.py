"""Reviewers are asked, reminded and escalated to once a round, and writers are told what became of their posts."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.review_decisions import Decision
from draggonnb_pipelines.workflows.content.reviews import (
    remind_and_escalate,
    request_reviews,
    tell_decisions,
    tend_reviews,
    waiting_reviews,
)
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import count, master_rows, tenant_rows, variant
from tests.workflows.outbox import after
from tests.workflows.post_reviews import (
    APPROVER,
    ASKED,
    EDITOR,
    OWNER,
    add_post,
    asked,
    decided,
    mailed,
    opened,
    post_row,
    review_tokens,
)

pytestmark = pytest.mark.usefixtures("people")
ADMIN = "admin@draggonnb.example"


@pytest.fixture
async def post_id(stack: Stack, agency: Organization) -> UUID:
    return await add_post(stack, agency)


async def test_each_active_owner_and_approver_gets_one_link_of_their_own(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization, post_id: UUID
) -> None:
    before = datetime.now(UTC)

    await asked(stack, agency)
    await request_reviews(stack, agency, [post_id])

    assert mailed(sandbox) == [(APPROVER, ASKED), (OWNER, ASKED)]
    tokens = review_tokens(sandbox, APPROVER) + review_tokens(sandbox, OWNER)
    assert len(set(tokens)) == 2
    assert "2026-12-01 09:00 Africa/Johannesburg" in sandbox.public("mail")[0]["text"]
    links = await master_rows(stack, "select * from review_links order by reviewer")
    assert [(link["reviewer"], link["post_id"]) for link in links] == [(APPROVER, post_id), (OWNER, post_id)]
    assert all(timedelta(days=30) <= link["expires_at"] - before < timedelta(days=30, minutes=2) for link in links)
    assert not any(token.encode() in bytes(link["token_sha256"]) for token in tokens for link in links)
    assert (await post_row(stack, agency, post_id))["review_requested_at"] is not None
    assert await waiting_reviews(stack, agency) == []
    assert await count(stack, agency, "notifications") == {"notifications": 2}
    assert await count(stack, outsider, "notification_deliveries") == {"notification_deliveries": 0}


@pytest.mark.parametrize("status", ["draft", "blocked", "approved", "rejected"])
async def test_a_post_that_is_not_in_review_asks_nobody(
    stack: Stack, sandbox: Sandbox, agency: Organization, status: str
) -> None:
    post_id = await add_post(stack, agency, status="draft")
    approval = ", approved_hash = content_hash, approved_at = now()" if status == "approved" else ""
    await tenant_rows(stack, agency, f"update social_posts set status = %s{approval} where id = %s", status, post_id)

    await request_reviews(stack, agency, [post_id])

    assert mailed(sandbox) == []
    assert await master_rows(stack, "select * from review_links") == []


async def test_without_anybody_who_may_approve_the_post_waits_and_is_asked_about_later(
    stack: Stack, sandbox: Sandbox, agency: Organization, post_id: UUID
) -> None:
    await tenant_rows(stack, agency, "update users set is_active = false where role in ('owner', 'approver')")
    try:
        await tend_reviews(stack, agency)
        assert mailed(sandbox) == []
        assert await waiting_reviews(stack, agency) == [post_id]
    finally:
        await tenant_rows(stack, agency, "update users set is_active = true where role = 'owner'")

    await tend_reviews(stack, agency)

    assert mailed(sandbox) == [(OWNER, ASKED)]


@pytest.mark.parametrize(
    ("decision", "subject"),
    [("changes_requested", "Changes are asked for: Fresh beans"), ("rejected", "Rejected: Fresh beans")],
)
async def test_requester_and_writers_are_told_once_what_speaks_against_the_post(
    stack: Stack, sandbox: Sandbox, agency: Organization, post_id: UUID, decision: Decision, subject: str
) -> None:
    await tenant_rows(
        stack,
        agency,
        "with r as (insert into content_requests"
        " (id, source, delivery_id, received_at, brief, platform_ids, requested_by)"
        " values (gen_random_uuid(), 'n8n', '1', now(), 'b', '{facebook}', 'asks@kloof-coffee.example') returning id)"
        " update social_posts set request_id = (select id from r)",
    )
    await asked(stack, agency)
    [token] = review_tokens(sandbox, OWNER)
    await decided(stack, token, decision, "Which beans?")

    await tend_reviews(stack, agency)
    await tend_reviews(stack, agency)

    told = [mail for mail in sandbox.public("mail") if mail["subject"] != ASKED]
    assert sorted(mail["recipient"] for mail in told) == [ADMIN, "asks@kloof-coffee.example", EDITOR]
    assert {mail["subject"] for mail in told} == {subject}
    assert "sales@draggonnb.example wrote:\n\nWhich beans?" in told[0]["text"]
    assert (await post_row(stack, agency, post_id))["status"] == decision


async def test_an_approval_is_no_news_for_the_writers(
    stack: Stack, sandbox: Sandbox, agency: Organization, post_id: UUID
) -> None:
    await asked(stack, agency)
    await decided(stack, review_tokens(sandbox, OWNER)[0], "approved")

    await tell_decisions(stack, agency)

    assert mailed(sandbox) == [(APPROVER, ASKED), (OWNER, ASKED)]


async def test_reviewers_are_reminded_once_and_owners_escalated_to_once(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization, post_id: UUID
) -> None:
    await asked(stack, agency)
    before = len(mailed(sandbox))
    reminder, escalation = "Still waiting for your review: Fresh beans", "Not reviewed for 48 hours: Fresh beans"

    await remind_and_escalate(variant(stack, now=after(hours=23, minutes=59)), agency)
    assert len(mailed(sandbox)) == before
    for minutes in (1, 30):
        await remind_and_escalate(variant(stack, now=after(hours=24, minutes=minutes)), agency)
    assert [entry for entry in mailed(sandbox) if entry[1] == reminder] == [(APPROVER, reminder), (OWNER, reminder)]
    for minutes in (1, 30):
        await remind_and_escalate(variant(stack, now=after(hours=48, minutes=minutes)), agency)

    assert [entry for entry in mailed(sandbox) if entry[1] == escalation] == [(OWNER, escalation)]
    assert len(mailed(sandbox)) == before + 3
    assert len(set(review_tokens(sandbox, OWNER))) == 1
    post = await post_row(stack, agency, post_id)
    assert (post["reminded_at"] is None, post["escalated_at"] is None) == (False, False)
    assert await count(stack, outsider, "notification_deliveries") == {"notification_deliveries": 0}


async def test_after_a_long_silence_of_ours_an_owner_gets_the_escalation_alone(
    stack: Stack, sandbox: Sandbox, agency: Organization, post_id: UUID
) -> None:
    await asked(stack, agency)

    for _ in range(2):
        await remind_and_escalate(variant(stack, now=after(hours=60)), agency)

    assert [entry for entry in mailed(sandbox) if entry[1] != ASKED] == [
        (APPROVER, "Still waiting for your review: Fresh beans"),
        (OWNER, "Not reviewed for 48 hours: Fresh beans"),
    ]


async def test_a_decided_post_reminds_nobody_and_a_late_reminder_renews_the_link(
    stack: Stack, sandbox: Sandbox, agency: Organization, post_id: UUID
) -> None:
    other = await add_post(stack, agency, title="Second post", content="Cold brew.")
    await asked(stack, agency)
    for token in review_tokens(sandbox, OWNER):
        if (await opened(stack, token)).post_id == other:
            await decided(stack, token, "approved")
    late = after(days=29)

    await remind_and_escalate(variant(stack, now=late), agency)

    assert {subject for _, subject in mailed(sandbox) if "Second" in subject} == {"Please review: Second post"}
    [link] = await master_rows(
        stack, "select expires_at from review_links where post_id = %s and reviewer = %s", post_id, OWNER
    )
    assert link["expires_at"] == late() + timedelta(days=30)


async def test_runs_that_tend_the_same_client_at_once_tell_everybody_once(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    for number in range(5):
        await add_post(stack, agency, title=f"Post {number}", content=f"Text {number}")

    await asyncio.gather(*(tend_reviews(stack, agency) for _ in range(4)))

    assert len(mailed(sandbox)) == 10
    assert {mail["transmissions"] for mail in sandbox.public("mail")} == {1}
    assert await tenant_rows(stack, agency, "select distinct status from notification_deliveries order by 1") == [
        {"status": "delivered"},
        {"status": "sent"},
    ]
