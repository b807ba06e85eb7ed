"""The sales team is told once on each channel, whatever becomes of the answers."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from draggonnb_pipelines.domain.inbox import parsed_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.message_statuses import apply_statuses
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import (
    count,
    deliver,
    enquiry,
    inbox_states,
    master_rows,
    tenant_rows,
    variant,
    work_through,
)

SEND = "POST /graph/*"
SMTP_DATA = "SMTP DATA"
SMTP_RCPT = "SMTP RCPT"
ONE_CHANNEL = "select status, attempts, last_error from notification_deliveries where channel = %s"


@pytest.fixture
async def body(stack: Stack, agency: Organization) -> dict[str, Any]:
    """An enquiry that waits in the inbox."""
    body = enquiry("walmer-dental.example")
    await deliver(stack, agency, body, "form-1")
    return body


@pytest.fixture
async def colleague(stack: Stack, agency: Organization) -> AsyncIterator[str]:
    """A second person who is told about leads, without a phone, and a third who is not."""
    for email, notified in (("second@draggonnb.example", True), ("third@draggonnb.example", False)):
        await tenant_rows(
            stack,
            agency,
            "insert into users (organization_id, email, role, notify_leads) values (%s, %s, 'editor', %s)",
            agency.id,
            email,
            notified,
        )
    yield "second@draggonnb.example"
    await tenant_rows(stack, agency, "delete from users where role = 'editor'")


@pytest.mark.usefixtures("body")
async def test_each_recipient_is_told_once_on_each_channel_that_they_have(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization, colleague: str
) -> None:
    await work_through(stack)
    await master_rows(stack, "update inbox set state = 'received', stage = 0, batch_id = null")
    worked = await work_through(stack, "run-2")

    assert worked.problems == {}
    assert sorted(mail["recipient"] for mail in sandbox.public("mail")) == ["sales@draggonnb.example", colleague]
    assert [mail["transmissions"] for mail in sandbox.public("mail")] == [1, 1]
    [message] = sandbox.public("whatsapp")
    assert (message["template"], message["to"]) == ("new_lead_analysed", "27821234567")
    assert await count(stack, agency, "notification_deliveries", "notifications") == {
        "notification_deliveries": 5,
        "notifications": 2,
    }
    assert await count(stack, outsider, "notification_deliveries") == {"notification_deliveries": 0}


@pytest.mark.usefixtures("body")
async def test_a_message_whose_answer_was_lost_is_settled_by_its_status_and_not_sent_again(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SEND, {"kind": "accept_then_drop"})

    first = await work_through(stack)
    assert [outcome.waits for outcome in first.outcomes["notify_sales"]] == [True]
    assert (await _delivery(stack, agency, "whatsapp"))["status"] == "unknown"
    second = await work_through(stack, "run-2")
    assert [outcome.waits for outcome in second.outcomes["notify_sales"]] == [True]

    [message] = sandbox.public("whatsapp")
    await _bring_status(stack, agency, "sent", message_id=message["id"])
    third = await work_through(stack, "run-3")

    assert third.problems == {}
    assert await tenant_rows(
        stack, agency, "select status, vendor_message_id from notification_deliveries where channel = 'whatsapp'"
    ) == [{"status": "sent", "vendor_message_id": message["id"]}]
    assert len(sandbox.journal("whatsapp")) == 1
    assert await inbox_states(stack) == [("done", 6, 0)]
    assert await master_rows(stack, "select state from inbox where topic = 'whatsapp_status'") == [{"state": "done"}]


@pytest.mark.usefixtures("body")
async def test_a_message_that_was_never_accepted_goes_out_once_the_channel_shows_life(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SEND, {"kind": "drop_before_accept"})

    await work_through(stack)
    assert sandbox.public("whatsapp") == []
    later = variant(stack, now=_after(minutes=5))
    await _bring_status(stack, agency, "delivered", delivery_id=uuid4(), received_at=later.now())
    worked = await work_through(later, "run-2")

    assert worked.problems == {}
    assert len(sandbox.public("whatsapp")) == 1
    assert [entry["accepted"] for entry in sandbox.journal("whatsapp")] == [False, True]
    assert (await _delivery(stack, agency, "whatsapp"))["status"] == "sent"


@pytest.mark.usefixtures("body")
async def test_life_of_the_channel_before_the_settle_time_proves_nothing(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SEND, {"kind": "drop_before_accept"})

    await work_through(variant(stack, notification_settle_seconds=600))
    soon = variant(stack, now=_after(minutes=5), notification_settle_seconds=600)
    await _bring_status(stack, agency, "delivered", delivery_id=uuid4(), received_at=soon.now())
    worked = await work_through(soon, "run-2")

    assert [outcome.waits for outcome in worked.outcomes["notify_sales"]] == [True]
    assert len(sandbox.journal("whatsapp")) == 1


@pytest.mark.usefixtures("body")
async def test_on_a_silent_channel_a_message_stays_unknown_until_a_person_is_asked(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SEND, {"kind": "accept_then_drop"})

    await work_through(stack)
    await work_through(variant(stack, now=_after(hours=23)), "run-2")
    assert (await _delivery(stack, agency, "whatsapp"))["status"] == "unknown"
    worked = await work_through(variant(stack, now=_after(hours=25)), "run-3")

    assert worked.problems == {}
    assert await _delivery(stack, agency, "whatsapp") == {
        "status": "needs_review",
        "attempts": 1,
        "last_error": "no status webhook came; look into WhatsApp Manager before sending again",
    }
    assert len(sandbox.journal("whatsapp")) == 1
    assert await inbox_states(stack) == [("done", 6, 0)]


@pytest.mark.usefixtures("body")
async def test_a_status_that_comes_after_a_person_was_asked_settles_it_after_all(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SEND, {"kind": "accept_then_drop"})
    await work_through(stack)
    await work_through(variant(stack, now=_after(hours=25)), "run-2")

    await _bring_status(stack, agency, "delivered")
    assert await apply_statuses(stack, agency) == 1

    assert await _delivery(stack, agency, "whatsapp") == {"status": "delivered", "attempts": 1, "last_error": None}


@pytest.mark.usefixtures("body")
async def test_statuses_in_any_order_and_number_end_with_the_furthest(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await work_through(stack)

    for status in ("delivered", "sent", "read", "delivered", "sent"):
        await _bring_status(stack, agency, status)
    await _bring_status(stack, agency, "failed", delivery_id="not-one-of-ours")

    assert await apply_statuses(stack, agency) == 6
    assert await apply_statuses(stack, agency) == 0
    assert await apply_statuses(stack, outsider) == 0
    assert (await _delivery(stack, agency, "whatsapp"))["status"] == "delivered"


@pytest.mark.usefixtures("body")
async def test_a_message_that_whatsapp_could_not_deliver_shows_as_failed_with_the_code(
    stack: Stack, agency: Organization
) -> None:
    await work_through(stack)

    await _bring_status(stack, agency, "failed", error_code=131026)
    await apply_statuses(stack, agency)

    delivery = await _delivery(stack, agency, "whatsapp")
    assert (delivery["status"], delivery["last_error"]) == ("failed", "WhatsApp error 131026")


@pytest.mark.usefixtures("body")
async def test_a_vendor_that_never_says_what_it_did_is_not_asked_for_ever(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SEND, {"kind": "drop_before_accept"}, repeat=True)
    await work_through(stack)

    for number in range(1, 10):
        later = variant(stack, now=_after(minutes=5 * number))
        await _bring_status(stack, agency, "delivered", delivery_id=uuid4(), received_at=later.now())
        worked = await work_through(later, f"run-{number + 1}")

    assert worked.problems == {}
    delivery = await _delivery(stack, agency, "whatsapp")
    assert (delivery["status"], delivery["attempts"]) == ("needs_review", 6)
    assert len(sandbox.journal("whatsapp")) == 6


@pytest.mark.usefixtures("body")
async def test_a_mail_cut_off_after_its_data_is_repeated_under_the_same_id_and_seen_once(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SMTP_DATA, {"kind": "drop_after_data"})

    first = await work_through(stack)
    assert [outcome.waits for outcome in first.outcomes["notify_sales"]] == [True]
    assert (await _delivery(stack, agency, "email"))["status"] == "unknown"
    second = await work_through(stack, "run-2")

    assert second.problems == {}
    [mail] = sandbox.public("mail")
    assert mail["transmissions"] == 2
    assert len({entry["headers"]["message-id"] for entry in sandbox.journal("mail")}) == 1
    assert await _delivery(stack, agency, "email") == {"status": "sent", "attempts": 2, "last_error": None}
    assert len(sandbox.public("whatsapp")) == 1


@pytest.mark.usefixtures("body")
async def test_a_recipient_who_does_not_exist_is_a_failed_delivery_and_the_lead_is_done(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SMTP_RCPT, {"kind": "status", "status": 550}, repeat=True)

    worked = await work_through(stack)

    assert worked.problems == {}
    assert await _delivery(stack, agency, "email") == {
        "status": "failed",
        "attempts": 1,
        "last_error": "mail: input: recipient: SMTP 550 5.1.1",
    }
    assert await inbox_states(stack) == [("done", 6, 0)]
    assert await tenant_rows(stack, agency, "select status from leads") == [{"status": "proposed"}]
    assert len(sandbox.public("whatsapp")) == 1


@pytest.mark.usefixtures("body")
async def test_a_mail_server_that_is_busy_gets_the_mail_later(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SMTP_DATA, {"kind": "status", "status": 451})

    first = await work_through(stack)
    assert [outcome.waits for outcome in first.outcomes["notify_sales"]] == [True]
    assert sandbox.public("mail") == []
    assert await inbox_states(stack) == [("received", 5, 0)]
    second = await work_through(stack, "run-2")

    assert second.problems == {}
    assert [mail["transmissions"] for mail in sandbox.public("mail")] == [1]
    assert await _delivery(stack, agency, "email") == {"status": "sent", "attempts": 2, "last_error": None}


@pytest.mark.usefixtures("body")
async def test_a_mail_server_that_stays_busy_is_left_to_a_person_after_six_attempts(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SMTP_DATA, {"kind": "status", "status": 451}, repeat=True)

    for number in range(1, 8):
        worked = await work_through(stack, f"run-{number}")

    assert worked.problems == {}
    assert await _delivery(stack, agency, "email") == {
        "status": "needs_review",
        "attempts": 6,
        "last_error": "mail: retry: content: SMTP 451 4.3.0",
    }
    assert await inbox_states(stack) == [("done", 6, 0)]


@pytest.mark.usefixtures("body")
async def test_sends_that_were_cut_off_by_a_kill_are_settled_by_the_next_run(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await work_through(stack)
    await tenant_rows(
        stack,
        agency,
        "update notification_deliveries set status = 'sending', attempt_started_at = now(), lease_until = now()"
        " where channel in ('email', 'whatsapp')",
    )
    await master_rows(stack, "update inbox set state = 'received', batch_id = null")

    later = variant(stack, now=_after(minutes=5))
    first = await work_through(later, "run-2")
    assert [outcome.waits for outcome in first.outcomes["notify_sales"]] == [True]
    await _bring_status(stack, agency, "sent")
    second = await work_through(later, "run-3")

    assert second.problems == {}
    assert len(sandbox.public("whatsapp")) == 1
    [mail] = sandbox.public("mail")
    assert mail["transmissions"] == 2
    assert await tenant_rows(
        stack, agency, "select distinct status from notification_deliveries where channel <> 'in_app'"
    ) == [{"status": "sent"}]


@pytest.mark.usefixtures("body")
async def test_a_lead_in_review_that_recovers_is_told_of_again_as_analysed(
    stack: Stack, sandbox: Sandbox, agency: Organization, body: dict[str, Any]
) -> None:
    sandbox.faults("POST /anthropic/v1/messages", {"kind": "refusal", "match": "quick_win_1"})
    await work_through(stack)
    assert [mail["subject"] for mail in sandbox.public("mail")] == ["A lead needs you: Walmer Dental"]

    await deliver(stack, agency, body, "form-2")
    worked = await work_through(stack, "run-2")

    assert worked.problems == {}
    subjects = [mail["subject"] for mail in sandbox.public("mail")]
    assert len(subjects) == 2
    assert subjects[1].startswith("New lead: Walmer Dental (")
    assert [message["template"] for message in sandbox.public("whatsapp")] == ["lead_needs_review", "new_lead_analysed"]


def _after(**duration: float) -> Any:
    at = datetime.now(UTC) + timedelta(**duration)
    return lambda: at


async def _delivery(stack: Stack, organization: Organization, channel: str) -> dict[str, Any]:
    [row] = await tenant_rows(stack, organization, ONE_CHANNEL, channel)
    return row


async def _bring_status(
    stack: Stack,
    organization: Organization,
    status: str,
    *,
    delivery_id: UUID | str | None = None,
    message_id: str = "wamid.of-the-status",
    received_at: datetime | None = None,
    error_code: int | None = None,
) -> None:
    """A status webhook as the API stores it; without `delivery_id` it is about our one WhatsApp message."""
    [ours] = await tenant_rows(stack, organization, "select id from notification_deliveries where channel = 'whatsapp'")
    parsed = {
        "message_id": message_id,
        "status": status,
        "callback_data": f"{organization.slug}:{delivery_id or ours['id']}",
        "timestamp": None,
        "error_code": error_code,
    }
    sealed = stack.tenants.key(organization).seal(json.dumps(parsed).encode(), parsed_context(organization.id))
    await master_rows(
        stack,
        "insert into inbox (organization_id, topic, source, delivery_id, parsed_sealed, received_at)"
        " values (%s, 'whatsapp_status', 'whatsapp', %s, %s, %s)",
        organization.id,
        str(uuid4()),
        sealed,
        received_at or datetime.now(UTC),
    )
