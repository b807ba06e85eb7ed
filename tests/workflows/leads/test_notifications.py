"""The sales team is told once on each channel, whatever becomes of the answers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.leads.notifications import notify_sales
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import (
    STEPS,
    count,
    deliver,
    enquiry,
    inbox_states,
    master_rows,
    tenant_rows,
    variant,
    work_through,
)
from tests.workflows.outbox import after, bring_status, delivery_on

SMTP_DATA = "SMTP DATA"
SMTP_RCPT = "SMTP RCPT"


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
async def test_a_mail_cut_off_after_its_data_is_repeated_under_the_same_id_and_seen_once(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SMTP_DATA, {"kind": "drop_after_data"})

    first = await work_through(stack)
    assert [outcome.waits for outcome in first.outcomes["notify_sales"]] == [True]
    assert (await delivery_on(stack, agency, "email"))["status"] == "unknown"
    second = await work_through(stack, "run-2")

    assert second.problems == {}
    [mail] = sandbox.public("mail")
    assert mail["transmissions"] == 2
    assert len({entry["headers"]["message-id"] for entry in sandbox.journal("mail")}) == 1
    assert await delivery_on(stack, agency, "email") == {"status": "sent", "attempts": 2, "last_error": None}
    assert len(sandbox.public("whatsapp")) == 1


@pytest.mark.usefixtures("body")
async def test_a_recipient_who_does_not_exist_is_a_failed_delivery_and_the_lead_is_done(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SMTP_RCPT, {"kind": "status", "status": 550}, repeat=True)

    worked = await work_through(stack)

    assert worked.problems == {}
    assert await delivery_on(stack, agency, "email") == {
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
    assert await delivery_on(stack, agency, "email") == {"status": "sent", "attempts": 2, "last_error": None}


@pytest.mark.usefixtures("body")
async def test_a_mail_server_that_stays_busy_for_a_day_is_left_to_a_person(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SMTP_DATA, {"kind": "status", "status": 451}, repeat=True)

    for number in range(1, 8):
        await work_through(stack, f"run-{number}")
    assert (await delivery_on(stack, agency, "email"))["status"] == "pending"
    worked = await work_through(variant(stack, now=after(hours=25)), "run-8")

    assert worked.problems == {}
    assert await delivery_on(stack, agency, "email") == {
        "status": "needs_review",
        "attempts": 8,
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

    later = variant(stack, now=after(minutes=5))
    first = await work_through(later, "run-2")
    assert [outcome.waits for outcome in first.outcomes["notify_sales"]] == [True]
    await bring_status(stack, agency, "sent")
    second = await work_through(later, "run-3")

    assert second.problems == {}
    assert len(sandbox.public("whatsapp")) == 1
    [mail] = sandbox.public("mail")
    assert mail["transmissions"] == 2
    assert await tenant_rows(
        stack, agency, "select distinct status from notification_deliveries where channel <> 'in_app'"
    ) == [{"status": "sent"}]


async def test_runs_that_tell_of_the_same_lead_at_once_tell_it_once(
    stack: Stack, sandbox: Sandbox, agency: Organization, body: dict[str, Any]
) -> None:
    sandbox.settings(mail_latency_seconds=0.1, whatsapp_latency_seconds=0.1)
    first = await work_through(stack, steps=STEPS[:5])
    await deliver(stack, agency, body, "form-2")
    second = await work_through(stack, "run-2", steps=STEPS[:5])

    await asyncio.gather(notify_sales(stack, first.batch), notify_sales(stack, second.batch))
    last = await work_through(stack, "run-3")

    assert last.problems == {}
    news = sorted(mail["subject"].partition(" (")[0] for mail in sandbox.public("mail"))
    assert news == ["New lead: Walmer Dental", "Walmer Dental wrote again"]
    assert [mail["transmissions"] for mail in sandbox.public("mail")] == [1, 1]
    assert len(sandbox.public("whatsapp")) == 1
    assert await inbox_states(stack) == [("done", 6, 0), ("done", 6, 0)]


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
    subjects = [mail["subject"].partition(" (")[0] for mail in sandbox.public("mail")]
    assert sorted(subjects) == [
        "A lead needs you: Walmer Dental",
        "New lead: Walmer Dental",
        "Walmer Dental wrote again",
    ]
    assert [message["template"] for message in sandbox.public("whatsapp")] == ["lead_needs_review", "new_lead_analysed"]
