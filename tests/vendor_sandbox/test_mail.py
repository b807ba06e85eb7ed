"""The SMTP sink, seen by Python's own SMTP client."""

import smtplib
from email.message import EmailMessage

import pytest

from tests.sandbox_process import Sandbox


def mail(message_id: str = "<one@draggonnb.example>", to: str = "owner@kloof-books.example") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "DraggonnB <hello@draggonnb.example>"
    message["To"] = to
    message["Subject"] = "New lead: Café Naïve"
    message["Message-ID"] = message_id
    message.set_content("Scored 82.\n")
    message.add_alternative("<p>Scored 82.</p>\n", subtype="html")
    return message


def send(sandbox: Sandbox, message: EmailMessage | None = None) -> None:
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=5) as client:
        client.send_message(message or mail())


def test_a_mail_arrives_as_the_recipient_sees_it(sandbox: Sandbox) -> None:
    send(sandbox)

    (seen,) = sandbox.public("mail")
    assert (seen["recipient"], seen["subject"]) == ("owner@kloof-books.example", "New lead: Café Naïve")
    assert (seen["text"], seen["html"]) == ("Scored 82.\n", "<p>Scored 82.</p>\n")
    assert (seen["message_id"], seen["transmissions"]) == ("<one@draggonnb.example>", 1)


def test_a_second_transmission_is_journalled_but_not_seen_again(sandbox: Sandbox) -> None:
    send(sandbox)
    send(sandbox)
    send(sandbox, mail(to="other@kloof-books.example"))
    send(sandbox, mail("<two@draggonnb.example>"))

    seen = [(item["recipient"], item["message_id"], item["transmissions"]) for item in sandbox.public("mail")]
    assert seen == [
        ("owner@kloof-books.example", "<one@draggonnb.example>", 2),
        ("other@kloof-books.example", "<one@draggonnb.example>", 1),
        ("owner@kloof-books.example", "<two@draggonnb.example>", 1),
    ]
    assert [entry["status"] for entry in sandbox.journal("mail")] == [250, 250, 250, 250]


def test_a_connection_lost_after_the_final_dot_leaves_a_mail_that_was_accepted(sandbox: Sandbox) -> None:
    sandbox.faults("SMTP DATA", {"kind": "drop_after_data"})

    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(sandbox)

    (entry,) = sandbox.journal("mail")
    assert (entry["status"], entry["accepted"], entry["fault"]) == (None, True, "drop_after_data")
    assert len(sandbox.public("mail")) == 1


def test_a_connection_lost_before_the_data_leaves_nothing(sandbox: Sandbox) -> None:
    sandbox.faults("SMTP DATA", {"kind": "drop_before_data"})

    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(sandbox)

    assert [entry["accepted"] for entry in sandbox.journal("mail")] == [False]
    assert sandbox.public("mail") == []


@pytest.mark.parametrize("status", [421, 451, 550])
def test_a_refusal_after_the_data_has_its_code(sandbox: Sandbox, status: int) -> None:
    sandbox.faults("SMTP DATA", {"kind": "status", "status": status})

    with pytest.raises(smtplib.SMTPDataError) as caught:
        send(sandbox)

    assert caught.value.smtp_code == status
    assert sandbox.public("mail") == []


def test_a_refused_recipient_is_named_and_only_that_one(sandbox: Sandbox) -> None:
    sandbox.faults("SMTP RCPT", {"kind": "status", "status": 550, "match": "gone@"})

    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        send(sandbox, mail(to="gone@kloof-books.example"))
    send(sandbox)

    code, words = caught.value.recipients["gone@kloof-books.example"]
    assert (code, words) == (550, b"5.1.1 The email account that you tried to reach does not exist")
    assert [item["recipient"] for item in sandbox.public("mail")] == ["owner@kloof-books.example"]


def test_a_refused_or_dropped_connection(sandbox: Sandbox) -> None:
    sandbox.faults("SMTP CONNECT", {"kind": "status", "status": 421}, {"kind": "drop_before_accept"})

    with pytest.raises(smtplib.SMTPConnectError) as refused:
        send(sandbox)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(sandbox)

    assert refused.value.smtp_code == 421
    send(sandbox)
    assert len(sandbox.public("mail")) == 1


def test_a_login_is_checked(sandbox: Sandbox) -> None:
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=5) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            client.login("agency", "bad")
        client.login("agency", "good")
        client.send_message(mail())

    assert caught.value.smtp_code == 535
    assert len(sandbox.public("mail")) == 1
