"""Messages whose mail servers and networks refuse, go away, stay silent, or say things late and in the wrong order."""

import dataclasses
from math import ceil
from uuid import uuid4

import psycopg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.mail import (
    ENVELOPE_TIMEOUT_SECONDS,
    FINAL_TIMEOUT_SECONDS,
    MAX_CONNECTIONS,
    message_id,
)
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.messages.deliveries import mail_id
from draggonnb_pipelines.workflows.messages.notices import Notice, send_waiting, tell
from draggonnb_pipelines.workflows.messages.outbox import TAKE_AT_ONCE
from draggonnb_pipelines.workflows.messages.unsent_messages import messages_outcome
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import tenant_rows, variant
from tests.workflows.message_work import PHONE, REPORT, outbox, prefer
from tests.workflows.outbox import after, bring_status
from tests.workflows.post_reviews import OWNER, mailed

DOWN = {"kind": "drop_before_accept"}


async def states(stack: Stack, organization: Organization) -> list[tuple[str, str, str | None]]:
    return [(row[1], row[2], row[4]) for row in await outbox(stack, organization)]


async def test_quiet_hours_until_the_end_of_the_day_keep_nobody_else_from_being_told(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    for begin, end in (("00:00", "24:00"), ("24:00", "06:00"), ("08:00", "08:00")):
        with pytest.raises(psycopg.errors.CheckViolation):
            await tenant_rows(stack, agency, "update users set quiet_from = %s, quiet_until = %s", begin, end)


async def test_a_network_that_takes_nothing_does_not_hold_up_the_other(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await prefer(stack, agency, "weekly_report", "email", "off")
    sandbox.faults("POST /graph/*", {"kind": "status", "status": 401}, repeat=True)
    reports = [dataclasses.replace(REPORT, event_key=f"weekly_report:{n}") for n in range(TAKE_AT_ONCE + 5)]
    await tell(stack, agency, reports)
    tried = len(sandbox.journal("whatsapp"))

    await tell(stack, agency, [Notice("r:1", "post_rejected", "Rejected", ("No",), emails=("a@b.example",))])

    assert mailed(sandbox) == [("a@b.example", "Rejected")]
    assert tried == TAKE_AT_ONCE
    assert {row[2] for row in await outbox(stack, agency) if row[0] == "whatsapp"} == {"pending"}


async def test_a_mail_server_that_is_away_is_not_asked_for_each_of_many_mails(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults("SMTP CONNECT", DOWN, repeat=True)
    emails = tuple(f"reader-{n}@kloof.example" for n in range(3 * TAKE_AT_ONCE))

    await tell(stack, agency, [Notice("r:1", "post_rejected", "Rejected", ("No",), emails=emails)])

    assert sum(row[3] for row in await outbox(stack, agency)) == TAKE_AT_ONCE
    sandbox.clear_faults()
    assert await send_waiting(stack, agency) == len(emails)
    assert [mail["transmissions"] for mail in sandbox.public("mail")] == [1] * len(emails)


async def test_a_mail_server_that_refuses_for_two_days_gets_the_mail_on_the_third_and_not_after_five(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults("SMTP RCPT", {"kind": "status", "status": 451, "match": "late@"}, repeat=True)
    await tell(stack, agency, [Notice("r:1", "post_rejected", "Rejected", ("No",), emails=("late@b.example",))])
    for hours in range(3, 48, 3):
        await send_waiting(variant(stack, now=after(hours=hours)), agency)
    assert [row[1] for row in await states(stack, agency)] == ["pending"]
    sandbox.clear_faults()

    assert await send_waiting(variant(stack, now=after(hours=51)), agency) == 1

    sandbox.faults("SMTP RCPT", {"kind": "status", "status": 451, "match": "never@"}, repeat=True)
    await tell(stack, agency, [Notice("r:2", "post_rejected", "Rejected", ("No",), emails=("never@b.example",))])
    await send_waiting(variant(stack, now=after(days=5)), agency)
    assert [row[1] for row in await states(stack, agency)] == ["sent", "needs_review"]
    outcome = await messages_outcome(stack)
    assert (outcome.passed, outcome.description) == (False, "1 messages wait for a person")
    assert "never@b.example" not in str(outcome.metadata)
    assert (await messages_outcome(variant(stack, now=after(days=20)))).passed


async def test_patience_counts_from_the_first_try_and_not_from_the_planning(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    """Mails that wait through quiet hours, or are planned under a clock that was set since, have their full time."""
    sandbox.faults("SMTP CONNECT", DOWN)
    await tell(stack, agency, [Notice("c:1", "content_scheduled", "Scheduled", ("Fine.",), roles=("owner",))])
    await tenant_rows(
        stack,
        agency,
        "update notification_deliveries set created_at = '2020-01-01', tried_since = null where channel = 'email'",
    )
    sandbox.faults("SMTP RCPT", {"kind": "status", "status": 451})

    await send_waiting(stack, agency)

    assert [row[1] for row in await states(stack, agency)] == ["pending"]


async def test_what_whatsapp_failed_to_deliver_stays_failed_when_its_sending_is_reported_late(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await prefer(stack, agency, "weekly_report", "email", "off")
    await tell(stack, agency, [REPORT])

    for status in ("failed", "sent"):
        await bring_status(stack, agency, status, error_code=131049 if status == "failed" else None)
    assert await send_waiting(stack, agency) == 1

    assert mailed(sandbox) == [(OWNER, REPORT.subject)]
    assert (await outbox(stack, agency))[1] == ("whatsapp", PHONE, "failed", 1, "WhatsApp error 131049")


async def test_what_arrived_does_not_fail_afterwards(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    await prefer(stack, agency, "weekly_report", "email", "off")
    await tell(stack, agency, [REPORT])

    for status in ("read", "failed"):
        await bring_status(stack, agency, status, error_code=131026 if status == "failed" else None)
    assert await send_waiting(stack, agency) == 0

    assert sandbox.public("mail") == []
    assert (await outbox(stack, agency))[0] == ("whatsapp", PHONE, "delivered", 1, None)


async def test_the_lease_of_a_message_outlasts_the_slowest_handing_over() -> None:
    rounds = ceil(TAKE_AT_ONCE / MAX_CONNECTIONS)

    longest = rounds * (ENVELOPE_TIMEOUT_SECONDS + FINAL_TIMEOUT_SECONDS)

    assert Settings.model_fields["notification_lease_seconds"].default > longest


async def test_statuses_of_another_tenants_messages_change_nothing(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await tell(stack, agency, [REPORT])
    [row] = await tenant_rows(stack, agency, "select id from notification_deliveries where channel = 'whatsapp'")

    for data in (f"{outsider.slug}:{row['id']}", f"{agency.slug}:{uuid4()}", str(row["id"]), f"{agency.slug}:\u0661"):
        await bring_status(stack, agency, "failed", callback_data=data, error_code=131026)
    await bring_status(stack, outsider, "failed", callback_data=f"{agency.slug}:{row['id']}", error_code=131026)
    await send_waiting(stack, agency)
    await send_waiting(stack, outsider)

    assert (await outbox(stack, agency))[1] == ("whatsapp", PHONE, "sent", 1, None)
    assert mailed(sandbox) == [(OWNER, REPORT.subject)]


async def test_nobody_works_out_the_id_of_a_mail_to_report_it_as_undeliverable(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    """Who knew it could have the owner's mailbox taken for one that does not exist."""
    await tell(stack, agency, [REPORT])

    [row] = await tenant_rows(stack, agency, "select message_id from notification_deliveries where channel = 'email'")
    key = stack.tenants.key(agency)
    assert row["message_id"] == mail_id(agency, key, REPORT.event_key, OWNER.upper())
    assert row["message_id"] != message_id(REPORT.event_key, OWNER, f"{agency.slug}.draggonnb.app")
    assert sandbox.public("mail")[0]["message_id"] == row["message_id"]
