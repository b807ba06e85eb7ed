"""Mail over SMTP: one message to one recipient, with an outcome that is known or honestly unknown.

Lives here: the dialogue with the server, the sorting of failures by how far the dialogue came. Does not live here: the
message itself (`mail_message.py`), what a mail says, and the log of what was sent.
Until the final dot nothing has been sent (RFC 5321, 4.2.5), so a failure before it is RETRY, and a connection lost
after it is AMBIGUOUS.
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from email.headerregistry import Address
from email.utils import parseaddr

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from draggonnb_pipelines.errors import ErrorClass, VendorError

# Who sends a mail writes it too.
from draggonnb_pipelines.resources.mail_message import VENDOR, Mail, on_the_wire
from draggonnb_pipelines.resources.mail_message import MailFile as MailFile
from draggonnb_pipelines.resources.mail_message import message_id as message_id

CONNECT_TIMEOUT_SECONDS = 5.0
COMMAND_TIMEOUT_SECONDS = 30.0
ENVELOPE_TIMEOUT_SECONDS = 45.0  # of all commands together: a server that drags each of them out is no use either
FINAL_TIMEOUT_SECONDS = 60.0
MAX_CONNECTIONS = 8

_ENHANCED = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_BLOCKING_WORDS = re.compile(r"spam|block(?:ed|list)|black-?list|reputation|abuse|banned", re.IGNORECASE)
_AUTH_CODES = frozenset({530, 534, 535, 538})


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
        max_connections: int = MAX_CONNECTIONS,
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
        message, recipient = on_the_wire(mail, self._sender, self._now())
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
            async with asyncio.timeout(ENVELOPE_TIMEOUT_SECONDS):
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
