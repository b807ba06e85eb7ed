"""Mail over SMTP: one message to one recipient, with an outcome that is known or honestly unknown.

Lives here: the dialogue with the server, the making of the MIME message, the sorting of failures by how far the
dialogue came. Does not live here: what a mail says, and the log of what was sent.
Until the final dot nothing has been sent (RFC 5321, 4.2.5), so a failure before it is RETRY, and a connection lost
after it is AMBIGUOUS. The Message-ID is deterministic, so that a mailbox can recognise a second transmission.
"""

import asyncio
import contextlib
import hashlib
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from draggonnb_pipelines.errors import ErrorClass, VendorError

VENDOR = "mail"
CONNECT_TIMEOUT_SECONDS = 5.0
COMMAND_TIMEOUT_SECONDS = 30.0
FINAL_TIMEOUT_SECONDS = 60.0

_OWN_HEADERS = frozenset(
    {"from", "to", "cc", "bcc", "sender", "subject", "date", "message-id", "return-path", "auto-submitted"}
    | {"mime-version", "content-type", "content-transfer-encoding"}
)
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_ENCODED_WORD = re.compile(r"=(?=\?)")  # where one may begin, RFC 2047
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)
_BARE_NEWLINE = re.compile(rb"\r\n|\r|\n")
_ENHANCED = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_BLOCKING_WORDS = re.compile(r"spam|block(?:ed|list)|black-?list|reputation|abuse|banned", re.IGNORECASE)
_AUTH_CODES = frozenset({530, 534, 535, 538})


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


def message_id(event_key: str, recipient: str, domain: str) -> str:
    """The Message-ID of what this recipient is told about this event: the same whenever it is asked."""
    digest = hashlib.sha256(f"{event_key}\0{recipient.strip().lower()}".encode()).hexdigest()
    return f"<{digest[:40]}@{domain}>"


class Mailer:
    """One SMTP account. A connection for each mail, a bounded number of them at once.

    Args:
        host, port: port 465 speaks TLS from the first byte; others upgrade by STARTTLS if `starttls`.
        user, password: None for a relay without authentication.
        sender: `Name <address>`; its domain also makes the Message-IDs.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        user: str | None,
        password: str | None,
        starttls: bool,
        sender: str,
        max_connections: int = 8,
        command_timeout_seconds: float = COMMAND_TIMEOUT_SECONDS,
        final_timeout_seconds: float = FINAL_TIMEOUT_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        name, address = parseaddr(sender)
        self._sender = Address(name, addr_spec=address)
        self._host, self._port = host, port
        self._user, self._password = user, password
        self._use_tls = port == 465
        self._starttls = starttls and not self._use_tls
        self._command_timeout = command_timeout_seconds
        self._final_timeout = final_timeout_seconds
        self._now = now
        self._places = asyncio.Semaphore(max_connections)

    @property
    def domain(self) -> str:
        return self._sender.domain

    @property
    def address(self) -> str:
        """Whom a reply reaches."""
        return self._sender.addr_spec

    async def send(self, mail: Mail) -> None:
        """Hand the mail to the server; returns once the server has taken it.

        Raises:
            VendorError: INPUT (recipient or content refused), AUTH, BLOCKED (spam or policy, 5.7.x), THROTTLED and
                RETRY (4xx, no connection), CONFIG (TLS, sender), AMBIGUOUS (taken or not, nobody knows).
        """
        message, recipient = self._message(mail)
        async with self._places:
            smtp = aiosmtplib.SMTP(
                hostname=self._host,
                port=self._port,
                use_tls=self._use_tls,
                start_tls=False,
                timeout=CONNECT_TIMEOUT_SECONDS,
                local_hostname=self._sender.domain,
            )
            try:
                protocol = await self._open_envelope(smtp, recipient)
                await self._transmit(protocol, message)
                with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                    await smtp.quit(timeout=2.0)
            finally:
                smtp.close()

    async def _open_envelope(self, smtp: aiosmtplib.SMTP, recipient: str) -> SMTPProtocol:
        """Everything up to the server's 354. Nothing is sent yet, so each failure is certain."""
        stage = "connect"
        try:
            await smtp.connect()
            smtp.timeout = self._command_timeout
            if self._starttls:
                stage = "starttls"
                await smtp.starttls()
            if self._user is not None:
                stage = "auth"
                await smtp.login(self._user, self._password or "")
            stage = "sender"
            await smtp.mail(self._sender.addr_spec)
            stage = "recipient"
            await smtp.rcpt(recipient)
            stage = "data"
            response = await smtp.execute_command(b"DATA")
            if response.code != 354 or smtp.protocol is None:
                raise aiosmtplib.SMTPDataError(response.code, response.message)
            return smtp.protocol
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise _sorted(error, stage) from error

    async def _transmit(self, protocol: SMTPProtocol, message: bytes) -> None:
        """The content and the final dot. From the first byte on, silence means that we do not know."""
        try:
            protocol.write(message)
        except aiosmtplib.SMTPServerDisconnected as error:
            raise _sorted(error, "data") from error
        try:
            response = await protocol.read_response(timeout=self._final_timeout)
        except aiosmtplib.SMTPResponseException as error:
            raise VendorError(VENDOR, ErrorClass.AMBIGUOUS, "an unreadable answer to the final dot") from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise VendorError(VENDOR, ErrorClass.AMBIGUOUS, "no answer to the final dot") from error
        if not 200 <= response.code < 300:
            raise _sorted(aiosmtplib.SMTPDataError(response.code, response.message), "content")

    def _message(self, mail: Mail) -> tuple[bytes, str]:
        """The message on the wire (dot-stuffed, with its final dot) and the envelope's recipient."""
        recipient = _address(mail.to)
        headers = self._headers(mail, recipient)
        try:
            wire = _written(headers, mail.text, mail.html, mail.calendar)
        except (MessageError, ValueError) as error:
            # From None: such an error quotes the text that it stumbled over.
            kind = type(error).__name__
            raise VendorError(VENDOR, ErrorClass.INPUT, f"the message cannot be written ({kind})") from None
        wire = _LEADING_DOT.sub(b"..", wire)
        return wire + (b"" if wire.endswith(b"\r\n") else b"\r\n") + b".\r\n", recipient

    def _headers(self, mail: Mail, recipient: str) -> dict[str, str]:
        """All headers but those of MIME.

        `EmailMessage` decodes encoded words in what it is given and then writes the line breaks that were hidden in
        them, so a name such as `=?utf-8?q?x=0d=0aBcc:...?=` would add headers and a body. A space makes it plain text.
        """
        headers = {
            "From": str(self._sender),
            "To": recipient,
            "Subject": mail.subject,
            "Date": format_datetime(self._now()),
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


def _written(headers: Mapping[str, str], text: str, html: str | None, calendar: str | None) -> bytes:
    message = EmailMessage(policy=SMTP.clone(max_line_length=78))
    for name, value in headers.items():
        message[name] = value
        if _CONTROL.search(str(message[name])):  # as it was understood, no longer as it was given
            raise _control_characters(name)
    message.set_content(text, cte="quoted-printable")
    if html is not None:
        message.add_alternative(html, subtype="html", cte="quoted-printable")
    if calendar is not None:
        # The last alternative is the richest one (RFC 2046, 5.1.4); the parameter says what the object does.
        method = {"method": "CANCEL" if "\r\nMETHOD:CANCEL\r\n" in calendar else "REQUEST"}
        message.add_alternative(calendar, subtype="calendar", cte="quoted-printable", params=method)
    return _BARE_NEWLINE.sub(b"\r\n", message.as_bytes())


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


def _sorted(error: Exception, stage: str) -> VendorError:
    """Sort a failure before or at the final answer. The server's words stay out of the message: they name people."""
    if isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= 0:
        enhanced = _ENHANCED.search(error.message)
        status = enhanced.group(1) if enhanced else ""
        error_class = _class_of(error.code, status, error.message, stage)
        words = f"{stage}: SMTP {error.code} {status}".strip()
        return VendorError(VENDOR, error_class, words, status=error.code, code=status or str(error.code))
    # The client raises its bare base class where the server lacks STARTTLS or AUTH.
    if type(error) is aiosmtplib.SMTPException or isinstance(error, aiosmtplib.SMTPNotSupported):
        return VendorError(VENDOR, ErrorClass.CONFIG, f"{stage}: the server does not offer it")
    if _is_certificate_trouble(error):
        return VendorError(VENDOR, ErrorClass.CONFIG, f"{stage}: the server's certificate is not valid")
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        return VendorError(VENDOR, ErrorClass.INPUT, f"{stage}: refused by the SMTP client")
    return VendorError(VENDOR, ErrorClass.RETRY, f"{stage}: no connection or no answer")


def _class_of(code: int, enhanced: str, text: str, stage: str) -> ErrorClass:
    if code < 500:
        is_quota = code in (450, 452) or enhanced.startswith(("4.7.", "4.5.3", "4.2.1"))
        return ErrorClass.THROTTLED if is_quota else ErrorClass.RETRY
    if stage == "auth" or code in _AUTH_CODES:
        return ErrorClass.AUTH
    if stage == "connect" or enhanced.startswith("5.7.") or _BLOCKING_WORDS.search(text):
        return ErrorClass.BLOCKED
    return ErrorClass.CONFIG if stage in ("sender", "starttls") else ErrorClass.INPUT


def _is_certificate_trouble(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
