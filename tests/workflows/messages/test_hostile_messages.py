"""Messages whose readers, servers and networks do not keep still between the planning and the sending."""

import dataclasses
from collections.abc import AsyncIterator

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.notices import Notice, send_waiting, tell
from draggonnb_pipelines.workflows.messages.unsubscribing import subscription_of
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import count, tenant_rows, variant
from tests.workflows.message_work import REPORT, add_contact, outbox, prefer, record_consent
from tests.workflows.outbox import after
from tests.workflows.post_reviews import APPROVER, EDITOR, OWNER, mailed

NEW = "New@kloof.example"
DOWN = {"kind": "drop_before_accept"}
SCHEDULED = Notice("c:1", "content_scheduled", "Scheduled", ("Fine.",), roles=("editor",))


async def waiting_for(stack: Stack, sandbox: Sandbox, organization: Organization, *notices: Notice) -> None:
    """The notices in the outbox, of which the mail server has taken none."""
    sandbox.faults("SMTP CONNECT", DOWN, repeat=True)
    await tell(stack, organization, notices)
    sandbox.clear_faults()


async def states(stack: Stack, organization: Organization) -> list[tuple[str, str, str | None]]:
    return [(row[1], row[2], row[4]) for row in await outbox(stack, organization)]


@pytest.mark.usefixtures("people")
async def test_who_has_left_between_planning_and_sending_gets_nothing(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await waiting_for(stack, sandbox, agency, dataclasses.replace(SCHEDULED, roles=("editor", "approver")))
    await tenant_rows(stack, agency, "update users set is_active = false where email = %s", EDITOR)

    assert await send_waiting(stack, agency) == 1

    assert mailed(sandbox) == [(APPROVER, "Scheduled")]
    assert await states(stack, agency) == [
        (APPROVER, "sent", None),
        (EDITOR, "skipped", "its reader is not active here any more"),
    ]


@pytest.mark.usefixtures("people")
async def test_who_was_removed_between_planning_and_sending_gets_nothing(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    contact = await add_contact(stack, agency, "reader@kloof.example")
    to_both = Notice("m:1", "client_message", "Hello", ("-",), roles=("editor",), contacts=(contact,))
    await waiting_for(stack, sandbox, agency, to_both)
    await tenant_rows(stack, agency, "delete from users where email = %s", EDITOR)
    await tenant_rows(stack, agency, "delete from contacts where id = %s", contact)

    assert await send_waiting(stack, agency) == 0

    assert sandbox.public("mail") == []
    assert [row[1] for row in await states(stack, agency)] == ["skipped", "skipped"]


@pytest.mark.usefixtures("people")
async def test_a_reader_with_a_new_address_reads_it_there_once(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await waiting_for(stack, sandbox, agency, SCHEDULED)
    await tenant_rows(stack, agency, "update users set email = %s where email = %s", NEW, EDITOR)

    await tell(stack, agency, [SCHEDULED])
    await send_waiting(stack, agency)

    assert mailed(sandbox) == [(NEW, "Scheduled")]
    assert len(sandbox.journal("mail")) == 1


async def test_an_address_in_capitals_is_the_same_address(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    for address in ("reader@kloof.example", "Reader@Kloof.EXAMPLE"):
        await tell(stack, agency, [Notice("r:1", "post_rejected", "Rejected", ("No",), emails=(address,))])

    assert mailed(sandbox) == [("reader@kloof.example", "Rejected")]
    assert len(sandbox.journal("mail")) == 1


async def test_who_switches_an_event_off_while_its_mail_waits_gets_none_of_it_and_still_what_must_be_known(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    invoice = Notice("invoice:1", "invoice_issued", "Invoice 7", ("Paid.",), roles=("owner",))
    await waiting_for(stack, sandbox, agency, dataclasses.replace(SCHEDULED, roles=("owner",)), invoice)
    await prefer(stack, agency, "*", "email", "off")

    assert await send_waiting(stack, agency) == 1

    assert mailed(sandbox) == [(OWNER, "Invoice 7")]
    assert ("skipped", "its reader wants no more of these") in [row[1:] for row in await states(stack, agency)]


@pytest.fixture
async def moving(stack: Stack, agency: Organization) -> AsyncIterator[None]:
    """The owner gets a new address for one test."""
    yield
    await tenant_rows(stack, agency, "update users set email = %s where email = %s", OWNER, NEW)


@pytest.mark.usefixtures("moving")
async def test_a_digest_leaves_out_what_its_reader_has_switched_off_and_goes_where_they_are_now(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await prefer(stack, agency, "*", "email", "digest")
    for key, event in (("c:1", "content_scheduled"), ("c:2", "content_blocked")):
        await tell(stack, agency, [Notice(key, event, key, ("-",), roles=("owner",))])
    await prefer(stack, agency, "content_blocked", "email", "off")
    await tenant_rows(stack, agency, "update users set email = %s where email = %s", NEW, OWNER)

    tomorrow = variant(stack, now=after(days=2))
    assert await send_waiting(tomorrow, agency) == 1

    [mail] = sandbox.public("mail")
    assert (mail["recipient"], mail["subject"]) == (NEW, "Draggonnb: 1 message")
    assert "c:2" not in mail["text"]
    query = "select event_key, status from notification_deliveries where event <> 'digest' and channel = 'email'"
    assert await tenant_rows(stack, agency, f"{query} order by 1") == [
        {"event_key": "c:1", "status": "sent"},
        {"event_key": "c:2", "status": "skipped"},
    ]


async def test_a_digest_whose_mailbox_does_not_exist_takes_its_messages_with_it(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await prefer(stack, agency, "*", "email", "digest")
    await tell(stack, agency, [dataclasses.replace(SCHEDULED, roles=("owner",))])
    await tenant_rows(
        stack, agency, "insert into refused_addresses (address, reason) values (lower(%s), 'it is gone')", OWNER
    )

    await send_waiting(variant(stack, now=after(days=2)), agency)

    assert sandbox.public("mail") == []
    assert {row[1] for row in await states(stack, agency)} == {"failed"}


async def test_two_hundred_messages_in_a_digest_are_one_mail_of_a_size_that_is_read(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await prefer(stack, agency, "*", "email", "digest")
    await tell(
        stack,
        agency,
        [Notice(f"c:{n}", "content_scheduled", f"Scheduled {n}", ("-",), roles=("owner",)) for n in range(200)],
    )

    assert await send_waiting(variant(stack, now=after(days=2)), agency) == 1

    [mail] = sandbox.public("mail")
    assert mail["subject"] == "Draggonnb: 200 messages"
    assert mail["text"].count("\nScheduled ") == 50
    assert "and 150 more" in mail["text"]
    assert "and 150 more" in mail["html"]


async def test_a_message_to_a_contact_offers_no_link_that_ends_nothing(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    contact = await add_contact(stack, agency, "reader@kloof.example")
    await record_consent(stack, agency, contact, True, "2026-01-01")

    await tell(stack, agency, [Notice("m:1", "client_message", "Service", ("-",), contacts=(contact,))])
    await tell(stack, agency, [Notice("m:2", "client_campaign", "Marketing", ("-",), contacts=(contact,))])

    by_subject = {mail["subject"]: mail for mail in sandbox.public("mail")}
    assert "list-unsubscribe" not in by_subject["Service"]["headers"]
    assert "No more such mails" not in by_subject["Service"]["text"]
    token = by_subject["Marketing"]["headers"]["list-unsubscribe"].strip("<>").rpartition("/")[2]
    assert await subscription_of(stack.master, stack.tenants, token)


async def test_who_works_here_and_is_a_contact_too_reads_service_messages_in_the_app(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    contact = await add_contact(stack, agency, OWNER)

    await tell(stack, agency, [Notice("m:1", "client_message", "Hello", ("-",), roles=("owner",), contacts=(contact,))])

    assert mailed(sandbox) == [(OWNER, "Hello")]
    assert await count(stack, agency, "notifications") == {"notifications": 1}


async def test_the_record_of_consent_is_named_only_where_it_allowed_the_mail(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    contact = await add_contact(stack, agency, "reader@kloof.example")
    await record_consent(stack, agency, contact, False, "2026-01-01")

    await tell(stack, agency, [Notice("m:1", "client_campaign", "Marketing", ("-",), contacts=(contact,))])

    query = "select status, consent_id from notification_deliveries"
    assert await tenant_rows(stack, agency, query) == [{"status": "skipped", "consent_id": None}]


async def test_names_with_line_breaks_forge_no_header_and_stop_no_mail(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    subject = "The X account kloof\r\nBcc: all@b.example\u2028\u202e stands\x07 still"

    await tell(stack, agency, [Notice("t:1", "account_trouble", subject, ("-",), roles=("owner",))])

    [mail] = sandbox.public("mail")
    assert mail["subject"] == "The X account kloof Bcc: all@b.example stands still"
    assert "bcc" not in mail["headers"]
    assert await tenant_rows(stack, agency, "select message from notifications") == [{"message": mail["subject"]}]


async def test_who_has_switched_every_channel_off_is_told_of_the_week_when_it_is_told_again_and_they_want_it(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    """Being told is of persons, not of weeks: nobody has had this mail, so it is the first one and the only one."""
    for channel in ("email", "whatsapp", "in_app"):
        await prefer(stack, agency, "weekly_report", channel, "off")
    await tell(stack, agency, [REPORT])
    assert await count(stack, agency, "notification_deliveries") == {"notification_deliveries": 0}
    await tenant_rows(stack, agency, "delete from notification_preferences where channel = 'email'")

    for _ in range(2):
        await tell(stack, agency, [REPORT])

    assert mailed(sandbox) == [(OWNER, REPORT.subject)]
    assert len(sandbox.journal("mail")) == 1
