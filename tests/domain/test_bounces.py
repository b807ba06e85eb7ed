"""Reports of non-delivery as mail servers write them."""

from draggonnb_pipelines.domain.bounces import Bounce, read_bounce

READER = "Gone@kloof.example"
ADDRESSES = frozenset({READER.lower()})
MESSAGE_ID = "<" + "a1" * 20 + "@kloof-coffee.draggonnb.app>"


def report(
    *,
    action: str = "failed",
    status: str = "5.1.1",
    about: str = MESSAGE_ID,
    kind: str = "text/rfc822-headers",
    recipient: str = READER,
) -> bytes:
    """A report as Postfix writes it (RFC 3464): words, fields, the headers of what came back."""
    return (
        "From: MAILER-DAEMON@mail.example\r\nTo: hello@draggonnb.example\r\nMessage-ID: <report-1@mail.example>\r\n"
        "Subject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b1"\r\n\r\n'
        "--b1\r\nContent-Type: text/plain\r\n\r\nI'm sorry to have to inform you that your message could not\r\n"
        "be delivered to one or more recipients.\r\n"
        "--b1\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 unknown user\r\n\r\n"
        f"--b1\r\nContent-Type: {kind}\r\n\r\nSubject: Your week\r\nMessage-ID: {about}\r\n\r\n--b1--\r\n"
    ).encode()


def test_a_report_names_the_mail_that_came_back_and_the_organization_that_sent_it():
    bounce = read_bounce(report())

    assert bounce == Bounce(MESSAGE_ID, "5.1.1", is_final=True, addresses=ADDRESSES)
    assert bounce
    assert bounce.slug == "kloof-coffee"


def test_the_mail_may_be_quoted_whole():
    assert read_bounce(report(kind="message/rfc822")) == Bounce(MESSAGE_ID, "5.1.1", is_final=True, addresses=ADDRESSES)


def test_the_reader_is_found_behind_an_alias_where_the_server_says_whom_we_wrote_to():
    raw = report(recipient="alias@internal.example").replace(
        b"Action:", b"Original-Recipient: rfc822;<Gone@Kloof.example>\r\nAction:"
    )

    bounce = read_bounce(raw)

    assert bounce
    assert bounce.addresses == {"alias@internal.example", READER.lower()}


def test_a_report_of_delay_or_success_is_not_final():
    assert read_bounce(report(action="delayed", status="4.4.1")) == Bounce(
        MESSAGE_ID, "4.4.1", is_final=False, addresses=ADDRESSES
    )
    assert read_bounce(report(action="relayed", status="2.1.5")) == Bounce(
        MESSAGE_ID, "2.1.5", is_final=False, addresses=ADDRESSES
    )


def test_what_is_no_report_about_a_mail_of_ours_is_nothing():
    assert read_bounce(report(about="<somebody-elses@mail.example>")) is None
    assert read_bounce(report(status="unknown")) is None
    assert (
        read_bounce(b"Subject: Out of office\r\nMessage-ID: " + MESSAGE_ID.encode() + b"\r\n\r\nBack on Monday") is None
    )
    assert read_bounce(b"") is None
    assert read_bounce(b"\x00\xff\xfe") is None
