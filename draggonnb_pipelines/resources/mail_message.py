"""One mail as it travels: its parts, and the bytes that a server is given (RFC 5322, MIME).

Lives here: what a mail consists of, the making of the message, what is refused in it. Not here: the dialogue with the
server and its failures (`mail.py`), what a mail says.
The Message-ID is deterministic, so that a mailbox can recognise a second transmission.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime

from draggonnb_pipelines.errors import ErrorClass, VendorError

VENDOR = "mail"
_OWN_HEADERS = frozenset(
    {"from", "to", "cc", "bcc", "sender", "subject", "date", "message-id", "return-path", "auto-submitted"}
    | {"mime-version", "content-type", "content-transfer-encoding"}
)
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_ENCODED_WORD = re.compile(r"=(?=\?)")  # where one may begin, RFC 2047
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)
_BARE_NEWLINE = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class MailFile:
    """A file that travels in a mail.

    Args:
        content_type: such as "image/png".
        cid: under which the HTML shows it, `src="cid:..."` (RFC 2392); None for an attachment.
    """

    name: str
    content_type: str
    content: bytes = field(repr=False)
    cid: str | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail. `message_id` is from `message_id()`; `headers` are extra ones, such as List-Unsubscribe.

    `calendar` is an iCalendar object (RFC 6047): with METHOD:REQUEST an invitation, which calendars offer to accept,
    with METHOD:CANCEL its end.
    """

    message_id: str
    to: str
    subject: str
    text: str
    html: str | None = None
    calendar: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    files: tuple[MailFile, ...] = ()


def message_id(event_key: str, recipient: str, domain: str) -> str:
    """The Message-ID of what this recipient is told about this event: the same whenever it is asked."""
    digest = hashlib.sha256(f"{event_key}\0{recipient.strip().lower()}".encode()).hexdigest()
    return f"<{digest[:40]}@{domain}>"


def on_the_wire(mail: Mail, sender: Address, now: datetime) -> tuple[bytes, str]:
    """The message on the wire (dot-stuffed, with its final dot) and the envelope's recipient.

    Raises:
        VendorError: INPUT; a recipient, a header or a content that cannot be sent.
    """
    recipient = _address(mail.to)
    headers = _headers(mail, recipient, sender, now)
    try:
        wire = _written(headers, mail)
    except (MessageError, ValueError) as error:
        # From None: such an error quotes the text that it stumbled over.
        kind = type(error).__name__
        raise VendorError(VENDOR, ErrorClass.INPUT, f"the message cannot be written ({kind})") from None
    wire = _LEADING_DOT.sub(b"..", wire)
    return wire + (b"" if wire.endswith(b"\r\n") else b"\r\n") + b".\r\n", recipient


class _Policy(EmailPolicy):
    """Headers as `EmailMessage` folds them, but addresses of lists whole: an encoded word in their place, as it writes
    them where no space is, would be no address (RFC 2369, section 2)."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower().startswith("list-"):
            return f"{name}: {value}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


def _headers(mail: Mail, recipient: str, sender: Address, now: datetime) -> dict[str, str]:
    """All headers but those of MIME.

    `EmailMessage` decodes encoded words in what it is given and then writes the line breaks that were hidden in
    them, so a name such as `=?utf-8?q?x=0d=0aBcc:...?=` would add headers and a body. A space makes it plain text.
    """
    headers = {
        "From": str(sender),
        "To": recipient,
        "Subject": mail.subject,
        "Date": format_datetime(now),
        "Message-ID": mail.message_id,
        "Auto-Submitted": "auto-generated",  # RFC 3834: keeps out-of-office answers away
    }
    for name, value in mail.headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS:
            raise VendorError(VENDOR, ErrorClass.INPUT, f"header {name[:60]!r} may not be set")
        headers[name] = value
    for name, value in headers.items():
        if _CONTROL.search(value):
            raise _control_characters(name)
    # A space would break an address; what hides in one is found when the message is written.
    plain = {name: _ENCODED_WORD.sub("= ", value) for name, value in headers.items() if name not in ("From", "To")}
    return headers | plain


def _written(headers: Mapping[str, str], mail: Mail) -> bytes:
    message = EmailMessage(policy=_Policy(linesep="\r\n", max_line_length=78))
    for name, value in headers.items():
        message[name] = value
        if _CONTROL.search(str(message[name])):  # as it was understood, no longer as it was given
            raise _control_characters(name)
    message.set_content(mail.text, cte="quoted-printable")
    if mail.html is not None:
        message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
        _put_inline(message, [file for file in mail.files if file.cid])
    if mail.calendar is not None:
        # The last alternative is the richest one (RFC 2046, 5.1.4); the parameter says what the object does.
        method = {"method": "CANCEL" if "\r\nMETHOD:CANCEL\r\n" in mail.calendar else "REQUEST"}
        message.add_alternative(mail.calendar, subtype="calendar", cte="quoted-printable", params=method)
    for file in mail.files:
        if not file.cid or mail.html is None:
            main, sub = file.content_type.split("/")
            message.add_attachment(file.content, main, sub, filename=file.name)
    return _BARE_NEWLINE.sub(b"\r\n", message.as_bytes())


def _put_inline(message: EmailMessage, files: Sequence[MailFile]) -> None:
    """Next to the HTML that shows them, in multipart/related (RFC 2387)."""
    html = message.get_body(("html",))
    assert isinstance(html, EmailMessage)
    for file in files:
        main, sub = file.content_type.split("/")
        html.add_related(file.content, main, sub, cid=f"<{file.cid}>", filename=file.name, disposition="inline")


def _control_characters(header: str) -> VendorError:
    return VendorError(VENDOR, ErrorClass.INPUT, f"header {header}: control characters are refused")


def _address(text: str) -> str:
    """The recipient as one plain address; an international domain becomes ASCII."""
    local, at, domain = text.strip().rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
        address = Address(addr_spec=f"{local}@{domain}")
    except (ValueError, IndexError, MessageError) as error:
        raise VendorError(VENDOR, ErrorClass.INPUT, "the recipient is no e-mail address") from error
    if not at or not local or not domain or not address.addr_spec.isascii() or _CONTROL.search(text):
        raise VendorError(VENDOR, ErrorClass.INPUT, "the recipient is no e-mail address that this server can take")
    return address.addr_spec
