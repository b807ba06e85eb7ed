"""Mail, against the sandbox's real SMTP server and against one that the test speaks itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.mail import Mail, Mailer, message_id
from tests.sandbox_process import Sandbox

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
MAIL = Mail(
    message_id="<abc@draggonnb.example>",
    to="sales@kloof.example",
    subject="New lead: Köffie 😀",
    text="Goeie môre\n.\n..two dots\n" + "long " * 100,
    html="<p>Goeie môre</p>",
    headers={"List-Unsubscribe": "<https://draggonnb.example/u/1>"},
)


def mailer(port: int, **changes: object) -> Mailer:
    options: dict[str, object] = {
        "host": "127.0.0.1",
        "port": port,
        "user": None,
        "password": None,
        "starttls": False,
        "sender": "DraggonnB <hello@draggonnb.example>",
        "command_timeout_seconds": 1.0,
        "final_timeout_seconds": 1.0,
        "now": lambda: NOW,
        **changes,
    }
    return Mailer(**options)  # pyright: ignore[reportArgumentType]


async def refused(sender: Mailer, mail: Mail = MAIL) -> VendorError:
    with pytest.raises(VendorError) as raised:
        await sender.send(mail)
    return raised.value


async def test_a_mail_arrives_whole_in_text_and_html(sandbox: Sandbox):
    await mailer(sandbox.smtp_port).send(MAIL)

    [arrived] = sandbox.public("mail")
    assert (arrived["recipient"], arrived["subject"]) == ("sales@kloof.example", "New lead: Köffie 😀")
    assert arrived["from"] == "DraggonnB <hello@draggonnb.example>"
    assert arrived["text"].replace("\r\n", "\n").rstrip("\n") == MAIL.text.rstrip("\n")
    assert arrived["html"].strip() == MAIL.html
    assert arrived["message_id"] == MAIL.message_id
    assert arrived["headers"]["auto-submitted"] == "auto-generated"
    assert arrived["headers"]["list-unsubscribe"] == "<https://draggonnb.example/u/1>"
    assert arrived["headers"]["date"] == "Mon, 23 Nov 2026 06:00:00 +0000"


async def test_an_invitation_arrives_as_the_richest_alternative_with_its_method(sandbox: Sandbox):
    invitation = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nSUMMARY:Köffie 😀\r\n.dot\r\nEND:VCALENDAR\r\n"

    await mailer(sandbox.smtp_port).send(replace(MAIL, calendar=invitation))
    await mailer(sandbox.smtp_port).send(replace(MAIL, message_id="<plain@draggonnb.example>"))

    arrived, plain = sandbox.public("mail")
    assert arrived["calendar"] == invitation.replace("\r\n", "\n")
    assert (arrived["html"].strip(), arrived["subject"]) == (MAIL.html, MAIL.subject)
    assert arrived["headers"]["content-type"].startswith("multipart/alternative")
    assert plain["calendar"] is None


async def test_a_second_transmission_is_recognisable_by_its_message_id(sandbox: Sandbox):
    await mailer(sandbox.smtp_port).send(MAIL)
    await mailer(sandbox.smtp_port).send(MAIL)

    [arrived] = sandbox.public("mail")
    assert arrived["transmissions"] == 2


@pytest.mark.parametrize(
    ("route", "step", "error_class"),
    [
        ("SMTP CONNECT", {"kind": "drop_before_accept"}, ErrorClass.RETRY),
        ("SMTP CONNECT", {"kind": "status", "status": 421}, ErrorClass.RETRY),
        ("SMTP CONNECT", {"kind": "status", "status": 554}, ErrorClass.BLOCKED),
        ("SMTP RCPT", {"kind": "status", "status": 450}, ErrorClass.THROTTLED),
        ("SMTP RCPT", {"kind": "status", "status": 451}, ErrorClass.RETRY),
        ("SMTP RCPT", {"kind": "status", "status": 550}, ErrorClass.INPUT),
        ("SMTP RCPT", {"kind": "status", "status": 550, "body": "5.7.1 no relaying"}, ErrorClass.BLOCKED),
        ("SMTP RCPT", {"kind": "status", "status": 530, "body": "5.7.0 log in first"}, ErrorClass.AUTH),
        ("SMTP DATA", {"kind": "drop_before_data"}, ErrorClass.RETRY),
        ("SMTP DATA", {"kind": "status", "status": 451}, ErrorClass.RETRY),
        ("SMTP DATA", {"kind": "status", "status": 452, "body": "4.3.1 full"}, ErrorClass.THROTTLED),
        ("SMTP DATA", {"kind": "status", "status": 554}, ErrorClass.BLOCKED),
        ("SMTP DATA", {"kind": "status", "status": 550, "body": "looks like spam"}, ErrorClass.BLOCKED),
        ("SMTP DATA", {"kind": "status", "status": 552, "body": "5.3.4 too big"}, ErrorClass.INPUT),
    ],
)
async def test_a_refusal_is_sorted_and_nothing_arrives(
    sandbox: Sandbox, route: str, step: dict[str, object], error_class: ErrorClass
):
    sandbox.faults(route, step)

    error = await refused(mailer(sandbox.smtp_port))

    assert error.error_class is error_class
    assert sandbox.public("mail") == []
    assert "kloof" not in str(error)


async def test_a_connection_lost_after_the_final_dot_is_ambiguous_and_the_mail_is_there(sandbox: Sandbox):
    sandbox.faults("SMTP DATA", {"kind": "drop_after_data"})

    error = await refused(mailer(sandbox.smtp_port))

    assert error.error_class is ErrorClass.AMBIGUOUS
    assert [mail["message_id"] for mail in sandbox.public("mail")] == [MAIL.message_id]


async def test_nobody_listening_is_transient():
    assert (await refused(mailer(9))).error_class is ErrorClass.RETRY


async def test_a_wrong_password_is_an_auth_failure(sandbox: Sandbox):
    error = await refused(mailer(sandbox.smtp_port, user="agency", password="bad-one"))

    assert (error.error_class, error.status) == (ErrorClass.AUTH, 535)


async def test_a_server_without_starttls_is_not_trusted_with_plain_text(sandbox: Sandbox):
    error = await refused(mailer(sandbox.smtp_port, starttls=True, user="agency", password="good"))

    assert error.error_class is ErrorClass.CONFIG
    assert sandbox.public("mail") == []


@pytest.mark.parametrize(
    "mail",
    [
        replace(MAIL, subject="Hello\r\nBcc: victim@elsewhere.example"),
        replace(MAIL, subject="Hello\nX: y"),
        replace(MAIL, subject="Hello\u2028X: y"),
        replace(MAIL, message_id="<a>\r\nBcc: x@y.example"),
        replace(MAIL, headers={"X-Lead": "a\nBcc: x@y.example"}),
        replace(MAIL, headers={"Bcc": "x@y.example"}),
        replace(MAIL, headers={"X-Lead: a\r\nBcc": "x@y.example"}),
        replace(MAIL, to="sales@kloof.example, other@kloof.example"),
        replace(MAIL, to="sales@kloof.example\r\nRCPT TO:<other@kloof.example>"),
        replace(MAIL, to="=?utf-8?q?a=0d=0aBcc:_b?=@kloof.example"),
        replace(MAIL, to="no address"),
        replace(MAIL, to="@kloof.example"),
        replace(MAIL, to="sälés@kloof.example"),
        replace(MAIL, to=""),
    ],
)
async def test_injected_headers_and_odd_recipients_are_refused_before_any_connection(mail: Mail):
    error = await refused(mailer(9), mail)

    assert error.error_class is ErrorClass.INPUT


ENCODED_WORD = "=?utf-8?q?x=0d=0aReply-To:_b@evil.example=0d=0aContent-Type:_text/html=0d=0a=0d=0a<h1>Pay_here</h1>?="


@pytest.mark.parametrize(
    "mail",
    [
        replace(MAIL, subject=ENCODED_WORD),
        replace(MAIL, subject=f"New lead: {ENCODED_WORD}"),
        replace(MAIL, subject=f"Köffie {ENCODED_WORD}"),
        replace(MAIL, headers={"X-Lead": ENCODED_WORD}),
    ],
)
async def test_an_encoded_word_in_a_name_stays_text_and_adds_no_header_and_no_body(mail: Mail):
    async with speaking(final=b"250 queued\r\n") as (port, contents):
        await mailer(port).send(mail)

    head, _, body = contents[0].partition(b"\r\n\r\n")
    names = [line.split(b":")[0].lower() for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    extra = [name.lower().encode() for name in mail.headers]
    own = [b"from", b"to", b"subject", b"date", b"message-id", b"auto-submitted"]
    assert names == [*own, *extra, b"mime-version", b"content-type"]
    assert b"Pay" not in body
    message = message_from_bytes(contents[0], policy=policy.default)
    assert (message["subject"], message.get_content_type()) == (
        mail.subject.replace("=?", "= ?"),
        "multipart/alternative",
    )


@pytest.mark.parametrize("mail", [replace(MAIL, subject="\ud800"), replace(MAIL, text="\ud800")])
async def test_a_mail_that_cannot_be_written_is_the_fault_of_its_content(mail: Mail):
    assert (await refused(mailer(9), mail)).error_class is ErrorClass.INPUT


async def test_a_sender_whose_name_hides_a_line_break_is_refused():
    hidden = "=?utf-8?b?eA0KQmNjOiBiQGV2aWwuZXhhbXBsZQ0K?="  # a line break and a Bcc

    error = await refused(mailer(9, sender=f"{hidden} <hello@draggonnb.example>"))

    assert error.error_class is ErrorClass.INPUT


async def test_an_international_domain_is_written_in_ascii(sandbox: Sandbox):
    await mailer(sandbox.smtp_port).send(replace(MAIL, to="sales@köffie.example"))

    assert sandbox.public("mail")[0]["recipient"] == "sales@xn--kffie-jua.example"


async def test_many_mails_at_once_all_arrive(sandbox: Sandbox):
    sender = mailer(sandbox.smtp_port)

    await asyncio.gather(*(sender.send(replace(MAIL, message_id=f"<{n}@draggonnb.example>")) for n in range(30)))

    assert len(sandbox.public("mail")) == 30


@asynccontextmanager
async def speaking(*, final: bytes | None, quits: bool = True) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that says 250 to everything, and `final` (None: silence) after the dot."""
    contents: list[bytes] = []
    handlers: list[asyncio.Task[None] | None] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.append(asyncio.current_task())
        try:
            writer.write(b"220 ready\r\n")
            while line := await reader.readline():
                if line == b"QUIT\r\n" and not quits:
                    return
                if line != b"DATA\r\n":
                    writer.write(b"250 fine\r\n")
                    continue
                writer.write(b"354 go on\r\n")
                contents.append(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(final or b"")
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], contents
    finally:
        server.close()
        await asyncio.gather(*(task for task in handlers if task), return_exceptions=True)


async def test_silence_after_the_final_dot_is_ambiguous():
    async with speaking(final=None) as (port, contents):
        error = await refused(mailer(port, final_timeout_seconds=0.2))

    assert error.error_class is ErrorClass.AMBIGUOUS
    assert len(contents) == 1


async def test_gibberish_after_the_final_dot_is_ambiguous():
    async with speaking(final=b"what?\r\n") as (port, _):
        assert (await refused(mailer(port))).error_class is ErrorClass.AMBIGUOUS


async def test_a_server_that_hangs_up_at_quit_has_taken_the_mail():
    async with speaking(final=b"250 queued\r\n", quits=False) as (port, contents):
        await mailer(port).send(MAIL)

    wire = contents[0]
    assert b"\n." not in wire.removesuffix(b"\r\n.\r\n").replace(b"\n..", b"")
    message = message_from_bytes(wire.replace(b"\r\n..", b"\r\n."), policy=policy.default)
    assert wire.isascii()
    assert max(len(line) for line in wire.splitlines()) <= 998
    assert message["to"] == "sales@kloof.example"


def test_the_message_id_depends_on_event_and_recipient_only():
    one = message_id("lead:1:analysed", "Sales@Kloof.example", "draggonnb.example")

    assert one == message_id("lead:1:analysed", "sales@kloof.example ", "draggonnb.example")
    assert one == "<" + one[1:41] + "@draggonnb.example>"
    assert len({one, message_id("lead:2:analysed", "sales@kloof.example", "draggonnb.example")}) == 2
