"""Notices reach each person once on each channel, whatever becomes of the answers."""

import asyncio

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.notices import Notice, send_waiting, tell
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import count, deliver, enquiry, tenant_rows, variant, work_through
from tests.workflows.outbox import after
from tests.workflows.post_reviews import APPROVER, EDITOR, OWNER, mailed

STRANGER = "requests@kloof-coffee.example"
NOTICE = Notice(
    event_key="account:1:reconnect_needed:1",
    type="account_trouble",
    subject="Please connect Facebook again",
    lines=("Facebook refuses our token.", "3 posts wait for it."),
    link="https://app.example/accounts",
    emails=(STRANGER, f" {EDITOR.upper()} "),
    roles=("owner", "approver"),
)
pytestmark = pytest.mark.usefixtures("people")
STATES = "select recipient, channel, status, attempts from notification_deliveries order by channel, recipient"


async def test_roles_and_addresses_get_the_mail_and_people_of_the_organization_see_it_in_the_app(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await tell(stack, agency, [NOTICE])
    await tell(stack, agency, [NOTICE])

    assert mailed(sandbox) == [(who, NOTICE.subject) for who in (APPROVER, EDITOR, STRANGER, OWNER)]
    assert [mail["transmissions"] for mail in sandbox.public("mail")] == [1, 1, 1, 1]
    for mail in sandbox.public("mail"):
        assert mail["text"].strip() == (
            "Please connect Facebook again\n\nFacebook refuses our token.\n\n3 posts wait for it.\n\n"
            "https://app.example/accounts\n\nDraggonnb"
        )
        assert 'href="https://app.example/accounts"' in mail["html"]
    bells = await tenant_rows(
        stack,
        agency,
        "select u.email, n.type, n.message, n.metadata from notifications n join users u on u.id = n.user_id"
        " order by u.email",
    )
    assert bells == [
        {
            "email": email,
            "type": "account_trouble",
            "message": NOTICE.subject,
            "metadata": {"link": NOTICE.link, "post_id": None},
        }
        for email in (APPROVER, EDITOR, OWNER)
    ]
    assert await count(stack, outsider, "notification_deliveries", "notifications") == {
        "notification_deliveries": 0,
        "notifications": 0,
    }
    assert sandbox.public("whatsapp") == []


async def test_text_of_strangers_stays_text(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    await tell(
        stack, agency, [Notice("post_rejected:1", "post_rejected", "Rejected", ("<b>No</b>",), emails=(STRANGER,))]
    )

    [mail] = sandbox.public("mail")
    assert "<b>No</b>" in mail["text"]
    assert "&lt;b&gt;No&lt;/b&gt;" in mail["html"]
    assert "<b>No</b>" not in mail["html"]


async def test_a_notice_to_nobody_is_no_row(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    await tell(stack, agency, [Notice("post_rejected:1", "post_rejected", "Rejected", ("No",), roles=("nobody",))])
    await tell(stack, agency, [])

    assert await count(stack, agency, "notification_deliveries") == {"notification_deliveries": 0}
    assert mailed(sandbox) == []


async def test_a_mail_server_that_is_busy_gets_the_mail_when_waiting_mails_are_sent(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults("SMTP DATA", {"kind": "status", "status": 451})
    notice = Notice("post_rejected:1", "post_rejected", "Rejected", ("No",), emails=(STRANGER,))

    await tell(stack, agency, [notice])
    assert mailed(sandbox) == []
    assert await send_waiting(variant(stack, now=after(minutes=4)), agency) == 0
    assert len(sandbox.journal("mail")) == 1
    later = variant(stack, now=after(minutes=6))
    assert await send_waiting(later, agency) == 1

    assert mailed(sandbox) == [(STRANGER, "Rejected")]
    assert await send_waiting(later, agency) == 0
    assert await tenant_rows(stack, agency, STATES) == [
        {"recipient": STRANGER, "channel": "email", "status": "sent", "attempts": 2}
    ]


async def test_a_mail_whose_fate_is_unknown_is_repeated_under_its_id_and_seen_once(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults("SMTP DATA", {"kind": "drop_after_data"})
    await tell(stack, agency, [Notice("post_rejected:1", "post_rejected", "Rejected", ("No",), emails=(STRANGER,))])
    assert await tenant_rows(stack, agency, STATES) == [
        {"recipient": STRANGER, "channel": "email", "status": "unknown", "attempts": 1}
    ]

    await send_waiting(stack, agency)

    [mail] = sandbox.public("mail")
    assert (mail["recipient"], mail["transmissions"]) == (STRANGER, 2)


async def test_what_a_kill_cut_off_is_sent_again_only_when_its_lease_is_over(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await tell(stack, agency, [Notice("post_rejected:1", "post_rejected", "Rejected", ("No",), emails=(STRANGER,))])
    await tenant_rows(
        stack,
        agency,
        "update notification_deliveries set status = 'sending', lease_until = now() + interval '90 seconds'",
    )

    assert await send_waiting(stack, agency) == 0
    assert await send_waiting(variant(stack, now=after(minutes=5)), agency) == 1

    [mail] = sandbox.public("mail")
    assert mail["transmissions"] == 2
    assert len({entry["headers"]["message-id"] for entry in sandbox.journal("mail")}) == 1


async def test_forty_notices_told_by_two_runs_at_once_go_out_once_each(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.settings(mail_latency_seconds=0.02)
    notices = [
        Notice(f"post_rejected:{n}", "post_rejected", f"Rejected {n}", ("No",), emails=(STRANGER,)) for n in range(40)
    ]

    await asyncio.gather(tell(stack, agency, notices), tell(stack, agency, notices))

    assert [mail["transmissions"] for mail in sandbox.public("mail")] == [1] * 40
    assert await tenant_rows(stack, agency, "select distinct status from notification_deliveries") == [
        {"status": "sent"}
    ]


async def test_waiting_notices_are_not_sent_by_the_news_of_leads_nor_the_other_way_round(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults("SMTP DATA", {"kind": "status", "status": 451}, {"kind": "status", "status": 451})
    await tell(stack, agency, [Notice("post_rejected:1", "post_rejected", "Rejected", ("No",), emails=(STRANGER,))])
    await deliver(stack, agency, enquiry("walmer-dental.example"), "form-1")
    await work_through(stack)
    assert mailed(sandbox) == []

    assert await send_waiting(variant(stack, now=after(minutes=6)), agency) == 1
    assert mailed(sandbox) == [(STRANGER, "Rejected")]
    await work_through(stack, "run-2")

    assert [recipient for recipient, _ in mailed(sandbox)] == [STRANGER, OWNER]
