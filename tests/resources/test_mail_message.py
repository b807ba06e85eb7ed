"""A mail with images and attachments, read back as a mail program reads it."""

import email
import email.policy
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.mail_message import Mail, MailFile, on_the_wire

SENDER = Address("DraggonnB", addr_spec="hello@draggonnb.example")
NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
PNG = MailFile("days.png", "image/png", b"\x89PNG\r\n\x1a\n.\n..\r" + bytes(range(256)), "days@reports.example")
PDF = MailFile("report.pdf", "application/pdf", b"%PDF-1.3\n.\n\r%%EOF")
HTML = '<p>Week</p><img src="cid:days@reports.example">'


def read_back(*files: MailFile, html: str | None = HTML, calendar: str | None = None) -> EmailMessage:
    mail = Mail("<1@x.example>", "a@x.example", "Your week", "Week\n", html, calendar, files=files)
    wire, _ = on_the_wire(mail, SENDER, NOW)
    assert wire.endswith(b"\r\n.\r\n")
    unstuffed = wire[:-3].replace(b"\r\n..", b"\r\n.")
    return email.message_from_bytes(unstuffed, policy=email.policy.default)  # pyright: ignore[reportReturnType]


def outline(part: EmailMessage) -> object:
    if part.is_multipart():
        return [part.get_content_subtype(), *(outline(below) for below in part.iter_parts())]  # pyright: ignore
    return part.get_content_type()


def test_images_stand_beside_the_html_and_documents_are_attached() -> None:
    message = read_back(PNG, PDF)

    assert outline(message) == [
        "mixed",
        ["alternative", "text/plain", ["related", "text/html", "image/png"]],
        "application/pdf",
    ]
    image = next(part for part in message.walk() if part.get_content_type() == "image/png")
    assert (image["content-id"], image["content-disposition"]) == (
        "<days@reports.example>",
        'inline; filename="days.png"',
    )
    assert image.get_payload(decode=True) == PNG.content
    [attached] = message.iter_attachments()
    assert (attached.get_filename(), attached.get_payload(decode=True)) == ("report.pdf", PDF.content)
    html = message.get_body(("html",))
    text = message.get_body(("plain",))
    assert html is not None
    assert text is not None
    assert html.get_content().strip() == HTML
    assert text.get_content().strip() == "Week"


def test_a_mail_without_html_has_its_image_attached_and_one_without_files_is_as_it_was() -> None:
    assert outline(read_back(PNG, html=None)) == ["mixed", "text/plain", "image/png"]
    assert outline(read_back()) == ["alternative", "text/plain", "text/html"]
    assert outline(read_back(html=None)) == "text/plain"


def test_an_invitation_stays_the_richest_alternative_beside_files() -> None:
    assert outline(read_back(PNG, PDF, calendar="BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n")) == [
        "mixed",
        ["alternative", "text/plain", ["related", "text/html", "image/png"], "text/calendar"],
        "application/pdf",
    ]


@pytest.mark.parametrize(
    "file",
    [
        MailFile("a\r\nBcc: x@x.example", "image/png", b"1", "a@x"),
        MailFile("a.png", "image/png", b"1", "a>\r\nBcc: x@x.example"),
        MailFile("a.png", "image", b"1"),
        MailFile("a.png", "image/png\r\nX-Y: z", b"1"),
    ],
)
def test_a_file_that_would_write_headers_is_refused(file: MailFile) -> None:
    with pytest.raises(VendorError) as refused:
        read_back(file)

    assert refused.value.error_class is ErrorClass.INPUT


def test_the_address_that_ends_such_mails_is_one_plain_line_on_the_wire() -> None:
    """An encoded word, or a fold in the middle of it, would be no address to a mail program (RFC 8058, 3.1)."""
    url = f"https://app.draggonnb.example/unsubscribe/kloof-coffee.{'0123456789abcdef' * 2}.{'Ab-_' * 40}"
    one_click = "List-Unsubscribe=One-Click"
    headers = {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": one_click}

    wire, _ = on_the_wire(Mail("<1@x.example>", "a@x.example", "Köffie " * 20, "Week", headers=headers), SENDER, NOW)

    lines = wire.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert f"List-Unsubscribe: <{url}>".encode() in lines
    assert f"List-Unsubscribe-Post: {one_click}".encode() in lines
    assert [line for line in lines if len(line) > 78] == [f"List-Unsubscribe: <{url}>".encode()]


@pytest.mark.parametrize("value", ["<https://a.example/\r\nBcc: b@c.example>", "<https://a.example/\u00fc>"])
def test_an_address_that_would_break_its_line_or_is_not_ascii_is_refused(value: str) -> None:
    with pytest.raises(VendorError) as raised:
        on_the_wire(Mail("<1@x.example>", "a@x.example", "S", "T", headers={"List-Unsubscribe": value}), SENDER, NOW)

    assert raised.value.error_class is ErrorClass.INPUT
