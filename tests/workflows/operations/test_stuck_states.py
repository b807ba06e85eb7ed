"""What stands still is put back where that is safe, and else called out once, by place; what moves is left alone."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.stuck_states import MOVING, stuck_outcome
from tests.sandbox_process import Sandbox
from tests.workflows.agency_work import database_away
from tests.workflows.lead_work import master_rows, tenant_rows, variant
from tests.workflows.post_reviews import OWNER, add_post, mailed
from tests.workflows.publish_work import connect

INBOX = (
    "insert into inbox (organization_id, topic, source, delivery_id, received_at, not_before, state, batch_id,"
    " lease_until, raw_sealed) values (%s, %s, 'test', %s, %s, %s, %s, %s, %s, '')"
)


def ago(**time: float) -> datetime:
    return datetime.now(UTC) - timedelta(**time)


async def received(stack: Stack, organization: Organization, *, hours: float, again_hours: float | None = None) -> None:
    at = ago(hours=hours)
    not_before = at if again_hours is None else ago(hours=again_hours)
    await master_rows(stack, INBOX, organization.id, "leads", str(uuid4()), at, not_before, "received", None, None)


async def claimed(stack: Stack, organization: Organization, *, minutes: float) -> None:
    lease = ago(minutes=minutes)
    values = (organization.id, "leads", str(uuid4()), lease, lease, "claimed", uuid4(), lease)
    await master_rows(stack, INBOX, *values)


async def queued(stack: Stack, organization: Organization, status: str, **columns: Any) -> None:
    """A row of the publish ledger in this state, of a post that is scheduled."""
    account = (await connect(stack, organization, Platform.LINKEDIN))[Platform.LINKEDIN]
    post_id = await add_post(stack, organization, status="scheduled", platform_ids=["linkedin"])
    values = {"post_id": post_id, "platform_id": "linkedin", "account_id": account, "revision": 1, "status": status}
    values |= {"publish_at": ago(hours=9)} | columns
    names, places = ", ".join(values), ", ".join(["%s"] * len(values))
    await tenant_rows(stack, organization, f"insert into content_queue ({names}) values ({places})", *values.values())


async def alerts(stack: Stack, organization: Organization) -> list[dict[str, Any]]:
    return await tenant_rows(
        stack, organization, "select event, subject, lines, acknowledged_by from alerts order by subject"
    )


def table_of(outcome: Any) -> str:
    return str(outcome.metadata["stuck"].text)


async def test_where_everything_moves_nobody_is_called(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await received(stack, agency, hours=1.9)
    await received(stack, agency, hours=50, again_hours=1.9)
    await claimed(stack, outsider, minutes=29)
    await queued(stack, agency, "scheduled", due_at=ago(minutes=59))

    outcome = await stuck_outcome(stack)

    assert (outcome.passed, outcome.description) == (True, "everything moves")
    assert outcome.metadata == {"places looked at": len(MOVING)}
    assert await alerts(stack, agency) == []
    assert mailed(sandbox) == []


async def test_rows_that_stand_still_call_the_agencys_owners_once_for_each_place(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await received(stack, agency, hours=3)
    await received(stack, outsider, hours=5.5)
    await claimed(stack, outsider, minutes=31)
    await queued(stack, outsider, "scheduled", due_at=ago(minutes=61))

    outcome, again = await stuck_outcome(stack), await stuck_outcome(stack)

    assert outcome.passed is False
    assert outcome.description == "content_queue: scheduled: 1 row; inbox: claimed: 1 row; inbox: received: 2 rows"
    assert again.description == outcome.description
    assert "| content\\_queue: scheduled | 1 | outsider | 1.0 h | 1 h |" in table_of(outcome)
    assert "| inbox: received | 2 |  | 5.5 h | 2 h |" in table_of(outcome)
    subjects = [
        "Stuck: 1 row of 1 client, content_queue: scheduled",
        "Stuck: 1 row, inbox: claimed",
        "Stuck: 2 rows, inbox: received",
    ]
    raised = await alerts(stack, agency)
    assert [(row["event"], row["subject"]) for row in raised] == [("something_stuck", one) for one in subjects]
    assert raised[0]["lines"][0] == "Clients: outsider."
    assert raised[0]["lines"][3].startswith("What to do: Look at the runs of publish_due_posts: ")
    assert mailed(sandbox) == [(OWNER, subject) for subject in subjects]
    assert await alerts(stack, outsider) == []


async def test_an_alert_closes_by_itself_once_its_place_moves_again(stack: Stack, agency: Organization) -> None:
    await received(stack, agency, hours=3)
    await claimed(stack, agency, minutes=31)
    await stuck_outcome(stack)

    await master_rows(stack, "update inbox set state = 'received', not_before = now() where state = 'claimed'")
    outcome = await stuck_outcome(stack)

    assert outcome.description == "inbox: received: 1 row"
    assert [(row["subject"], row["acknowledged_by"]) for row in await alerts(stack, agency)] == [
        ("Stuck: 1 row, inbox: claimed", "the system: it is settled"),
        ("Stuck: 1 row, inbox: received", None),
    ]


async def test_what_a_dead_run_held_in_the_publish_ledger_is_put_back_and_nobody_is_called(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await queued(stack, outsider, "claimed", run_id="dead", lease_until=ago(minutes=31), due_at=ago(minutes=1))

    outcome = await stuck_outcome(stack)

    assert outcome.passed is True
    assert outcome.metadata["put back"].text == "- outsider: publish_ledger"
    rows = await tenant_rows(stack, outsider, "select status, run_id, lease_until from content_queue")
    assert rows == [{"status": "scheduled", "run_id": None, "lease_until": None}]
    assert mailed(sandbox) == []


async def test_a_mail_that_was_cut_off_goes_out_and_a_reservation_whose_holder_died_is_free(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await tenant_rows(
        stack,
        outsider,
        "insert into notification_deliveries (topic, event_key, event, recipient, channel, payload, message_id, status,"
        " lease_until, attempt_started_at, created_at) values ('notices', 'k', 'usage_alert', 'a@b.example', 'email',"
        """ '{"subject": "Fresh beans", "text": "t", "html": "<p>t</p>", "files": []}', '<1@x.example>', 'sending',"""
        " %s, %s, %s)",
        *[ago(hours=2)] * 3,
    )
    await tenant_rows(
        stack,
        outsider,
        "with c as (insert into usage_counters (metric, period_start, period_end, reserved) values"
        " ('posts_monthly', '2026-11-01', '2026-12-01', 2) returning metric, period_start)"
        " insert into usage_reservations (metric, period_start, amount, key, expires_at)"
        " select metric, period_start, 2, 'k', %s from c",
        ago(minutes=61),
    )

    outcome = await stuck_outcome(stack)

    assert outcome.passed is True
    assert outcome.metadata["put back"].text == "- outsider: outbox\n- outsider: reservations"
    assert mailed(sandbox) == [("a@b.example", "Fresh beans")]
    assert await tenant_rows(stack, outsider, "select reserved from usage_counters") == [{"reserved": 0}]
    assert await tenant_rows(stack, outsider, "select state from usage_reservations") == [{"state": "released"}]
    assert await alerts(stack, agency) == []


@pytest.mark.parametrize(
    ("change", "undo"),
    [
        (
            "update social_accounts set status = 'reconnect_needed'",
            "update social_accounts set status = 'connected'",
        ),
        (
            "update social_accounts set paused_until = now() + interval '1 hour'",
            "update social_accounts set paused_until = null",
        ),
    ],
)
async def test_a_post_that_waits_for_its_account_is_not_stuck(
    stack: Stack, agency: Organization, outsider: Organization, change: str, undo: str
) -> None:
    await queued(stack, outsider, "scheduled", due_at=ago(hours=5))
    await tenant_rows(stack, outsider, change)

    waiting = await stuck_outcome(stack)
    await tenant_rows(stack, outsider, undo)
    due = await stuck_outcome(stack)

    assert waiting.description == "everything moves"
    assert due.description == "content_queue: scheduled: 1 row"


async def test_what_belongs_to_a_suspended_client_waits_without_calling_anybody(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await received(stack, outsider, hours=90)
    await queued(stack, outsider, "scheduled", due_at=ago(hours=90))
    await master_rows(stack, "update organizations set status = 'suspended' where slug = 'outsider'")
    try:
        outcome = await stuck_outcome(stack)
    finally:
        await master_rows(stack, "update organizations set status = 'active' where slug = 'outsider'")

    assert outcome.passed is True
    assert mailed(sandbox) == []


async def test_a_client_whose_database_is_away_is_named_and_holds_up_nobody(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await queued(stack, agency, "unknown", due_at=ago(hours=2))

    async with database_away(stack, outsider):
        outcome = await stuck_outcome(stack)
    back = await stuck_outcome(stack)

    away = "the databases of outsider are away"
    assert outcome.description == f"content_queue: unknown, undo_requested: 1 row; {away}"
    assert back.description == "content_queue: unknown, undo_requested: 1 row"
    assert mailed(sandbox) == [
        (OWNER, "Stuck: 1 row of 1 client, content_queue: unknown, undo_requested"),
        (OWNER, "The databases of 1 client are away"),
    ]


async def test_what_stands_at_a_client_whose_database_is_away_is_neither_settled_nor_told_twice(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await queued(stack, outsider, "unknown", due_at=ago(hours=2))
    await claimed(stack, outsider, minutes=31)
    await stuck_outcome(stack)
    await master_rows(stack, "update inbox set state = 'received', not_before = now()")
    ledger, inbox = (
        "Stuck: 1 row of 1 client, content_queue: unknown, undo_requested",
        "Stuck: 1 row, inbox: claimed",
    )

    async with database_away(stack, outsider):
        await stuck_outcome(stack)
        meanwhile = {row["subject"]: row["acknowledged_by"] for row in await alerts(stack, agency)}
    await stuck_outcome(stack)
    back = {row["subject"]: row["acknowledged_by"] for row in await alerts(stack, agency)}
    await tenant_rows(stack, outsider, "update content_queue set status = 'scheduled', due_at = now()")
    await stuck_outcome(stack)

    away, settled = "The databases of 1 client are away", "the system: it is settled"
    assert meanwhile == {ledger: None, inbox: settled, away: None}
    assert back == {ledger: None, inbox: settled, away: settled}
    assert mailed(sandbox) == [(OWNER, ledger), (OWNER, inbox), (OWNER, away)]
    assert {row["acknowledged_by"] for row in await alerts(stack, agency)} == {settled}


async def test_an_agency_that_cannot_be_told_is_told_by_the_next_look(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await received(stack, outsider, hours=3)

    async with database_away(stack, agency):
        outcome = await stuck_outcome(stack)
    before = mailed(sandbox)
    await stuck_outcome(stack)

    assert outcome.passed is False
    assert "nobody could be told: " in outcome.description
    assert before == []
    assert mailed(sandbox) == [(OWNER, "Stuck: 1 row, inbox: received")]


async def test_a_clock_that_is_an_hour_behind_calls_nobody_too_early(stack: Stack, agency: Organization) -> None:
    await received(stack, agency, hours=2.5)

    behind = await stuck_outcome(variant(stack, now=lambda: ago(hours=1)))

    assert behind.passed is True
    assert await alerts(stack, agency) == []
