"""A notice by WhatsApp, by mail in its place, and the mailboxes and templates that are not what they were."""

import dataclasses
from uuid import uuid4

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.notices import Notice, send_waiting, tell
from draggonnb_pipelines.workflows.messages.refused_addresses import tell_refusals
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import count, master_rows, tenant_rows, variant
from tests.workflows.message_work import PHONE, REPORT, WORDS, outbox, prefer, report_files
from tests.workflows.outbox import after, bring_status
from tests.workflows.post_reviews import OWNER, mailed

SEND = "POST /graph/*"
GONE = "gone@kloof.example"


async def test_a_report_goes_out_once_by_mail_by_whatsapp_and_in_the_app(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    await tell(stack, agency, [REPORT])
    await tell(stack, agency, [REPORT])
    await send_waiting(stack, agency)

    assert await outbox(stack, agency) == [("email", OWNER, "sent", 1, None), ("whatsapp", PHONE, "sent", 1, None)]
    [message] = sandbox.public("whatsapp")
    assert (message["template"], message["parameters"]) == ("weekly_analytics_report", list(WORDS))
    assert [mail["transmissions"] for mail in sandbox.public("mail")] == [1]
    assert await count(stack, agency, "notifications") == {"notifications": 1}
    assert await count(stack, outsider, "notification_deliveries", "notifications") == {
        "notification_deliveries": 0,
        "notifications": 0,
    }


async def test_a_mail_has_bodies_and_files_of_its_own(stack: Stack, sandbox: Sandbox, agency: Organization) -> None:
    chart, pdf = await report_files(stack, agency, ("chart.png", "image/png"), ("week.pdf", "application/pdf"))
    html = '<html><body><img src="cid:chart"></body></html>'
    bodies = {"mail_html": html, "mail_text": "A good week.", "files": ((chart, "chart"), (pdf, None))}

    await tell(stack, agency, [dataclasses.replace(REPORT, **bodies)])

    [mail] = sandbox.public("mail")
    assert mail["html"].startswith('<html><body><img src="cid:chart"><p style=')
    assert mail["text"].startswith("A good week.\n\nNo more such mails: http")
    [entry] = sandbox.journal("mail")
    assert "Content-ID: <chart>" in str(entry["body"])
    assert "week.pdf" in str(entry["body"])


async def test_a_phone_without_whatsapp_gets_one_mail_in_its_place(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await prefer(stack, agency, "weekly_report", "email", "off")
    await tell(stack, agency, [REPORT])
    assert mailed(sandbox) == []

    await bring_status(stack, agency, "failed", error_code=131026)
    assert await send_waiting(stack, agency) == 1
    await bring_status(stack, agency, "failed", error_code=131026, message_id="wamid.again")
    assert await send_waiting(stack, agency) == 0
    await tell(stack, agency, [REPORT])

    assert mailed(sandbox) == [(OWNER, REPORT.subject)]
    assert await outbox(stack, agency) == [
        ("email", OWNER, "sent", 1, None),
        ("whatsapp", PHONE, "failed", 1, "WhatsApp error 131026"),
    ]
    assert await tenant_rows(
        stack,
        agency,
        "select w.channel from notification_deliveries m join notification_deliveries w on w.id = m.fallback_for",
    ) == [{"channel": "whatsapp"}]
    assert len(sandbox.journal("whatsapp")) == 1


async def test_a_phone_without_whatsapp_gets_no_second_mail_beside_the_one_that_it_got(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await tell(stack, agency, [REPORT])

    await bring_status(stack, agency, "failed", error_code=131026)
    assert await send_waiting(stack, agency) == 0

    assert mailed(sandbox) == [(OWNER, REPORT.subject)]


async def test_a_template_that_whatsapp_has_paused_is_not_waited_for(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await prefer(stack, agency, "*", "email", "off")
    sandbox.whatsapp_template("weekly_analytics_report", "PAUSED")

    await tell(stack, agency, [REPORT])

    assert sandbox.public("whatsapp") == []
    assert mailed(sandbox) == [(OWNER, REPORT.subject)]
    assert await outbox(stack, agency) == [
        ("email", OWNER, "sent", 1, None),
        ("whatsapp", PHONE, "failed", 1, "whatsapp: config: HTTP 400, code 132015"),
    ]


async def test_a_template_that_is_known_to_be_paused_is_not_even_tried(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await prefer(stack, agency, "*", "email", "off")
    await master_rows(
        stack,
        "insert into message_templates (name, language, status, checked_at, changed_at)"
        " values ('weekly_analytics_report', 'en', 'PAUSED', now(), now()), ('other', 'en', 'REJECTED', now(), now())",
    )

    await tell(stack, agency, [REPORT])

    assert sandbox.journal("whatsapp") == []
    assert mailed(sandbox) == [(OWNER, REPORT.subject)]
    [_, message] = await outbox(stack, agency)
    assert message == ("whatsapp", PHONE, "failed", 1, "WhatsApp's template weekly_analytics_report is PAUSED")


async def test_a_message_whose_answer_was_lost_is_settled_by_its_status_and_not_sent_again(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SEND, {"kind": "accept_then_drop"})
    await tell(stack, agency, [REPORT])
    later = variant(stack, now=after(minutes=5))
    await send_waiting(later, agency)
    assert (await outbox(stack, agency))[1][2] == "unknown"

    [message] = sandbox.public("whatsapp")
    await bring_status(stack, agency, "delivered", message_id=message["id"])
    await send_waiting(later, agency)

    assert (await outbox(stack, agency))[1] == ("whatsapp", PHONE, "delivered", 1, None)
    assert len(sandbox.journal("whatsapp")) == 1


async def test_a_message_that_was_never_accepted_goes_out_once_the_channel_shows_life(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults(SEND, {"kind": "drop_before_accept"})
    await tell(stack, agency, [REPORT])
    later = variant(stack, now=after(minutes=5))
    await bring_status(stack, agency, "delivered", delivery_id=uuid4(), received_at=later.now())
    await send_waiting(later, agency)

    assert await send_waiting(later, agency) == 1

    assert len(sandbox.public("whatsapp")) == 1
    assert (await outbox(stack, agency))[1] == ("whatsapp", PHONE, "sent", 2, None)


async def test_a_mail_server_that_greylists_is_asked_again_later_each_time_and_holds_up_nobody_else(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    greylisted = {"kind": "status", "status": 450, "body": "4.7.1 Greylisted, come again", "match": "slow@"}
    sandbox.faults("SMTP RCPT", greylisted, repeat=True)
    both = ("slow@kloof.example", "quick@kloof.example")
    await tell(stack, agency, [Notice("post_rejected:1", "post_rejected", "Rejected", ("No",), emails=both)])
    assert mailed(sandbox) == [("quick@kloof.example", "Rejected")]

    for minutes, attempts in ((4, 1), (6, 2), (14, 2), (17, 3), (36, 3), (38, 4)):
        await send_waiting(variant(stack, now=after(minutes=minutes)), agency)
        [_, slow] = await outbox(stack, agency)
        assert (minutes, slow[2], slow[3]) == (minutes, "pending", attempts)
    assert slow[4] == "mail: throttled: recipient: SMTP 450 4.7.1"
    sandbox.clear_faults()
    await send_waiting(variant(stack, now=after(hours=2)), agency)

    assert [mail["transmissions"] for mail in sandbox.public("mail")] == [1, 1]
    assert [row[2] for row in await outbox(stack, agency)] == ["sent", "sent"]


async def test_a_mailbox_that_does_not_exist_is_never_tried_again_and_the_owners_are_told_once(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    sandbox.faults("SMTP RCPT", {"kind": "status", "status": 550, "match": "Gone@"}, repeat=True)
    for number in (1, 2):
        key = f"post_rejected:{number}"
        await tell(stack, agency, [Notice(key, "post_rejected", "Rejected", ("No",), emails=(GONE.title(),))])
    for _ in range(2):
        await tell_refusals(stack, agency)
        await tell_refusals(stack, outsider)

    reason = "mail: input: recipient: SMTP 550 5.1.1"
    assert [row[1:] for row in await outbox(stack, agency)] == [
        (GONE.title(), "failed", 1, reason),
        (GONE.title(), "failed", 0, f"nothing is sent to this address: {reason}"),
        (OWNER, "sent", 1, None),
    ]
    assert mailed(sandbox) == [(OWNER, f"No mail reaches {GONE}")]
    assert await count(stack, outsider, "refused_addresses", "notification_deliveries") == {
        "refused_addresses": 0,
        "notification_deliveries": 0,
    }


async def test_a_sender_that_is_refused_is_no_mailbox_that_does_not_exist(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    sandbox.faults("SMTP RCPT", {"kind": "status", "status": 550, "body": "5.7.1 You are on a list"})
    await tell(stack, agency, [Notice("post_rejected:1", "post_rejected", "Rejected", ("No",), emails=(GONE,))])

    assert await count(stack, agency, "refused_addresses") == {"refused_addresses": 0}
