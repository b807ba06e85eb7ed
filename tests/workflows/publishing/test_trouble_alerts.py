"""What raises alerts: posts that did not go out, accounts that stand still, clients not set up, cards not charged."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.agency_alerts import tell_agency_troubles
from draggonnb_pipelines.workflows.publishing.account_alerts import tell_all_troubles
from draggonnb_pipelines.workflows.publishing.publish_alerts import SETTLED, tell_publish_troubles
from tests.sandbox_process import Sandbox
from tests.workflows.account_work import connect, schedule_post
from tests.workflows.lead_work import count, master_rows, tenant_rows, variant
from tests.workflows.outbox import after
from tests.workflows.post_reviews import EDITOR, OWNER, mailed

QUESTION = "It is 5 hours late. Publish it all the same, or drop it?"
NOTHING = {"alerts": 0, "notification_deliveries": 0}


async def post_in(stack: Stack, organization: Organization, status: str, **columns: Any) -> UUID:
    """A post of the X account that came to this state."""
    account_id = await connect(stack, organization, Platform.X, "kloof")
    post_id = await schedule_post(stack, organization, account_id, "Fresh beans", datetime(2026, 11, 23, 7, tzinfo=UTC))
    values = {"status": status, "attempts": 1} | columns
    changes = ", ".join(f"{name} = %s" for name in values)
    await tenant_rows(
        stack, organization, f"update content_queue set {changes} where post_id = %s", *values.values(), post_id
    )
    return post_id


async def alerts(stack: Stack, organization: Organization) -> list[tuple[str, str | None]]:
    rows = await tenant_rows(stack, organization, "select event, acknowledged_by from alerts order by created_at, id")
    return [(row["event"], row["acknowledged_by"]) for row in rows]


@pytest.mark.usefixtures("people")
async def test_a_post_that_needs_a_person_is_told_once_with_its_question(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    post_id = await post_in(stack, agency, "needs_review", question=QUESTION)

    for _ in range(3):
        await tell_publish_troubles(stack, agency)
    await tell_publish_troubles(stack, outsider)

    subject = "A post needs you: Fresh beans"
    assert mailed(sandbox) == [(who, subject) for who in ("admin@draggonnb.example", EDITOR, OWNER)]
    [mail] = [one for one in sandbox.public("mail") if one["recipient"] == EDITOR]
    assert QUESTION in mail["text"]
    assert "X, kloof, due on Mon 23 Nov 2026 09:00." in mail["text"]
    assert await alerts(stack, agency) == [("publish_needs_review", None)]
    posts = await tenant_rows(stack, agency, "select distinct post_id from notification_deliveries")
    assert posts == [{"post_id": post_id}]
    assert await count(stack, outsider, *NOTHING) == NOTHING


async def test_an_answered_question_closes_its_alert_and_a_new_one_is_told_anew(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    post_id = await post_in(stack, agency, "needs_review", question=QUESTION)
    await tell_publish_troubles(stack, agency)
    await tenant_rows(stack, agency, "update content_queue set status = 'scheduled', question = null")
    await tell_publish_troubles(stack, agency)
    assert await alerts(stack, agency) == [("publish_needs_review", SETTLED)]

    await tenant_rows(
        stack,
        agency,
        "update content_queue set status = 'needs_review', attempts = 2, question = 'Is it there?' where post_id = %s",
        post_id,
    )
    await tell_publish_troubles(stack, agency)

    assert mailed(sandbox) == [(OWNER, "A post needs you: Fresh beans")] * 2
    assert await alerts(stack, agency) == [("publish_needs_review", SETTLED), ("publish_needs_review", None)]


async def test_a_refused_post_is_told_with_the_networks_reason(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await post_in(stack, agency, "refused", last_error="x: input: the text is too long")

    await tell_publish_troubles(stack, agency)
    await tell_publish_troubles(variant(stack, now=after(days=3)), agency)

    [mail] = sandbox.public("mail")
    assert mail["subject"] == "A post was refused: Fresh beans"
    assert "the text is too long" in mail["text"]


async def test_an_account_that_is_well_again_closes_its_alert(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    account_id = await connect(stack, agency, Platform.X, "kloof")
    stop = "update social_accounts set status = 'reconnect_needed', status_reason = 'revoked' where id = %s"
    await tenant_rows(stack, agency, stop, account_id)
    await tell_all_troubles(stack, agency)
    await tell_all_troubles(stack, agency)
    assert await alerts(stack, agency) == [("account_trouble", None)]

    await tenant_rows(stack, agency, "update social_accounts set status = 'connected', status_reason = null")
    await tell_all_troubles(stack, agency)

    assert await alerts(stack, agency) == [("account_trouble", SETTLED)]
    assert mailed(sandbox) == [(OWNER, "The X account kloof must be connected again: no posts at risk")]


@pytest.fixture
async def stuck(stack: Stack, outsider: Organization) -> Any:
    """The outsider as a client whose set-up failed and whose card could not be charged."""
    await master_rows(
        stack,
        "insert into subscriptions (organization_id, plan_key, status, m_payment_id, amount_cents, paid_until,"
        " grace_until) select %s, key, 'past_due', 'order-1', 150000, '2026-11-20', '2026-11-27' from plans"
        " order by position limit 1",
        outsider.id,
    )
    await master_rows(
        stack,
        "insert into provisionings (organization_id, subscription_id, owner_email, requested_by, state, last_step,"
        " last_error) select organization_id, id, 'a@b.example', 'test', 'failed', 'github_repo', 'HTTP 403'"
        " from subscriptions",
    )
    yield
    await master_rows(stack, "delete from provisionings")
    await master_rows(stack, "delete from subscriptions")


@pytest.mark.usefixtures("stuck")
async def test_the_agency_hears_once_of_a_stuck_client_and_of_a_failed_payment_and_not_the_client(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    for organization in (agency, outsider, agency):
        await tell_agency_troubles(stack, organization)

    assert mailed(sandbox) == [
        (OWNER, "Outsider has not paid R1500.00"),
        (OWNER, "Outsider is not set up: failed at github_repo"),
    ]
    assert await count(stack, outsider, *NOTHING) == NOTHING

    await master_rows(stack, "update subscriptions set status = 'active'")
    await tell_agency_troubles(stack, agency)

    assert sorted(await alerts(stack, agency), key=str) == [
        ("payment_failed", SETTLED),
        ("provisioning_stuck", None),
    ]
