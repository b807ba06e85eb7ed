"""WhatsApp messages whose answer was lost: settled by status webhooks, by the channel's life, or by a person."""

from typing import Any
from uuid import uuid4

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.message_statuses import apply_statuses
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import (
    deliver,
    enquiry,
    inbox_states,
    master_rows,
    tenant_rows,
    variant,
    work_through,
)
from tests.workflows.outbox import after, bring_status, delivery_on

SEND = "POST /graph/*"


@pytest.fixture
async def body(stack: Stack, agency: Organization) -> dict[str, Any]:
    """An enquiry that waits in the inbox."""
    body = enquiry("walmer-dental.example")
    await deliver(stack, agency, body, "form-1")
    return body


@pytest.mark.usefixtures("body")
async def test_a_message_whose_answer_was_lost_is_settled_by_its_status_and_not_sent_again(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SEND, {"kind": "accept_then_drop"})

    first = await work_through(stack)
    assert [outcome.waits for outcome in first.outcomes["notify_sales"]] == [True]
    assert (await delivery_on(stack, agency, "whatsapp"))["status"] == "unknown"
    second = await work_through(stack, "run-2")
    assert [outcome.waits for outcome in second.outcomes["notify_sales"]] == [True]

    [message] = sandbox.public("whatsapp")
    await bring_status(stack, agency, "sent", message_id=message["id"])
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
    later = variant(stack, now=after(minutes=5))
    await bring_status(stack, agency, "delivered", delivery_id=uuid4(), received_at=later.now())
    await apply_statuses(later, agency)
    worked = await work_through(later, "run-2")

    assert worked.problems == {}
    assert len(sandbox.public("whatsapp")) == 1
    assert [entry["accepted"] for entry in sandbox.journal("whatsapp")] == [False, True]
    assert (await delivery_on(stack, agency, "whatsapp"))["status"] == "sent"


@pytest.mark.usefixtures("body")
async def test_life_of_the_channel_before_the_settle_time_proves_nothing(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SEND, {"kind": "drop_before_accept"})

    await work_through(variant(stack, notification_settle_seconds=600))
    soon = variant(stack, now=after(minutes=5), notification_settle_seconds=600)
    await bring_status(stack, agency, "delivered", delivery_id=uuid4(), received_at=soon.now())
    await apply_statuses(soon, agency)
    worked = await work_through(soon, "run-2")

    assert [outcome.waits for outcome in worked.outcomes["notify_sales"]] == [True]
    assert len(sandbox.journal("whatsapp")) == 1


@pytest.mark.usefixtures("body")
async def test_on_a_silent_channel_a_message_stays_unknown_until_a_person_is_asked(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SEND, {"kind": "accept_then_drop"})

    await work_through(stack)
    await work_through(variant(stack, now=after(hours=23)), "run-2")
    assert (await delivery_on(stack, agency, "whatsapp"))["status"] == "unknown"
    worked = await work_through(variant(stack, now=after(hours=25)), "run-3")

    assert worked.problems == {}
    assert await delivery_on(stack, agency, "whatsapp") == {
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
    await work_through(variant(stack, now=after(hours=25)), "run-2")

    await bring_status(stack, agency, "delivered")
    assert await apply_statuses(stack, agency) == 1

    assert await delivery_on(stack, agency, "whatsapp") == {"status": "delivered", "attempts": 1, "last_error": None}


@pytest.mark.usefixtures("body")
async def test_statuses_in_any_order_and_number_end_with_the_furthest(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await work_through(stack)

    for status in ("delivered", "sent", "read", "delivered", "sent"):
        await bring_status(stack, agency, status)
    await bring_status(stack, agency, "failed", delivery_id="not-one-of-ours")

    assert await apply_statuses(stack, agency) == 6
    assert await apply_statuses(stack, agency) == 0
    assert await apply_statuses(stack, outsider) == 0
    assert (await delivery_on(stack, agency, "whatsapp"))["status"] == "delivered"


@pytest.mark.usefixtures("body")
async def test_a_message_that_whatsapp_could_not_deliver_shows_as_failed_with_the_code(
    stack: Stack, agency: Organization
) -> None:
    await work_through(stack)

    await bring_status(stack, agency, "failed", error_code=131026)
    await apply_statuses(stack, agency)

    delivery = await delivery_on(stack, agency, "whatsapp")
    assert (delivery["status"], delivery["last_error"]) == ("failed", "WhatsApp error 131026")


@pytest.mark.usefixtures("body")
async def test_a_vendor_that_never_says_what_it_did_is_not_asked_for_ever(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SEND, {"kind": "drop_before_accept"}, repeat=True)
    worked = await work_through(stack)

    for number in range(1, 10):
        later = variant(stack, now=after(minutes=5 * number))
        await bring_status(stack, agency, "delivered", delivery_id=uuid4(), received_at=later.now())
        await apply_statuses(later, agency)
        worked = await work_through(later, f"run-{number + 1}")

    assert worked.problems == {}
    delivery = await delivery_on(stack, agency, "whatsapp")
    assert (delivery["status"], delivery["attempts"]) == ("needs_review", 6)
    assert len(sandbox.journal("whatsapp")) == 6
