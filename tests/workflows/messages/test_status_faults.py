"""Statuses that cannot be applied, and organizations that cannot be reached: neither stops the others."""

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.message_statuses import apply_all_statuses, apply_statuses
from tests.workflows.lead_work import deliver, enquiry, master_rows, tenant_rows, variant, work_through
from tests.workflows.outbox import after, bring_status, delivery_on

STATES = "select state, attempts, last_error from inbox where topic = 'whatsapp_status' order by received_at"


@pytest.fixture
async def message(stack: Stack, agency: Organization) -> None:
    """A WhatsApp message that was sent."""
    await deliver(stack, agency, enquiry("walmer-dental.example"), "form-1")
    await work_through(stack)


@pytest.mark.usefixtures("message")
async def test_a_status_that_cannot_be_applied_is_dead_with_its_reason_and_the_others_are_applied(
    stack: Stack, agency: Organization
) -> None:
    await bring_status(stack, agency, "sent", received_at=after(minutes=1)())
    await bring_status(stack, agency, "sent", message_id="wamid.\x00", received_at=after(minutes=2)())
    await bring_status(stack, agency, "sent", message_id="wamid.\ud800", received_at=after(minutes=3)())
    await bring_status(stack, agency, "sent", received_at=after(minutes=4)())
    await bring_status(stack, agency, "delivered", received_at=after(minutes=5)())
    await master_rows(
        stack,
        "update inbox set parsed_sealed = 'x' where id = (select id from inbox"
        " where topic = 'whatsapp_status' order by received_at offset 3 limit 1)",
    )

    assert await apply_statuses(stack, agency) == 2

    assert [tuple(row.values()) for row in await master_rows(stack, STATES)] == [
        ("done", 1, None),
        ("dead", 1, "the database does not take it: DataError"),
        ("dead", 1, "the database does not take it: UnicodeEncodeError"),
        ("dead", 1, "it cannot be read: SealBroken"),
        ("done", 1, None),
    ]
    assert (await delivery_on(stack, agency, "whatsapp"))["status"] == "delivered"


@pytest.mark.usefixtures("message")
async def test_a_status_is_applied_only_where_its_slug_names_the_organization(
    stack: Stack, agency: Organization
) -> None:
    [ours] = await tenant_rows(stack, agency, "select id from notification_deliveries where channel = 'whatsapp'")

    await bring_status(stack, agency, "delivered", callback_data=f"outsider:{ours['id']}")
    await apply_statuses(stack, agency)

    assert (await delivery_on(stack, agency, "whatsapp"))["status"] == "sent"


@pytest.mark.usefixtures("message")
async def test_an_organization_whose_database_is_away_keeps_its_statuses_and_stops_nobody_elses(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    await bring_status(stack, agency, "delivered", received_at=after(minutes=-5)())
    await master_rows(
        stack,
        "insert into inbox (organization_id, topic, source, delivery_id)"
        " values (%s, 'whatsapp_status', 'whatsapp', '1')",
        outsider.id,
    )
    away = "update organizations set database_name = %s where id = %s"
    await master_rows(stack, away, "no_such_database", outsider.id)
    try:
        done = await apply_all_statuses(variant(stack, now=after(minutes=1)))
    finally:
        await master_rows(stack, away, outsider.database_name, outsider.id)

    assert done.applied == 1
    assert list(done.waiting) == ["outsider"]
    assert "no_such_database" in done.waiting["outsider"]
    assert (await delivery_on(stack, agency, "whatsapp"))["status"] == "delivered"
    states = await master_rows(stack, "select organization_id, state from inbox where topic = 'whatsapp_status'")
    assert {row["organization_id"]: row["state"] for row in states} == {agency.id: "done", outsider.id: "received"}
