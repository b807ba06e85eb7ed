"""The SMTP sink: accepts every mail, shows mailboxes as recipients see them, and fails as scripted.

The journal holds every transmission. A mailbox shows one mail per Message-ID and recipient, as Exchange, Gmail and
Cyrus do, and counts how often it was transmitted. Fault routes: `SMTP CONNECT`, `SMTP RCPT`, `SMTP DATA`.
"""

import asyncio
import hashlib
import logging
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from vendor_sandbox.state import Sandbox

DATA_SIZE_MAX = 25_000_000


async def start_mail_server(sandbox: Sandbox, host: str, port: int) -> asyncio.Server:
    """Listen for SMTP."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    loop = asyncio.get_running_loop()

    def protocol() -> asyncio.Protocol:
        fault = sandbox.faults.take("SMTP", "CONNECT")
        return _Refusal(fault) if fault else _Connection(sandbox, loop)

    return await loop.create_server(protocol, host, port)


def mailbox(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Every mail that a recipient can see, oldest first."""
    return list(sandbox.mailbox.values())


class _Refusal(asyncio.Protocol):
    """A connection that is greeted with a refusal, or closed without a greeting."""

    def __init__(self, fault: dict[str, Any]) -> None:
        self.fault = fault

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.fault["kind"] == "status":
            transport.write(_reply(self.fault).encode() + b"\r\n")  # pyright: ignore[reportAttributeAccessIssue]
        transport.close()


class _Connection(SMTP):
    """One SMTP session."""

    def __init__(self, sandbox: Sandbox, loop: asyncio.AbstractEventLoop) -> None:
        self.sandbox = sandbox
        super().__init__(
            _Handler(sandbox),
            data_size_limit=DATA_SIZE_MAX,
            enable_SMTPUTF8=True,
            hostname="mail.sandbox.example",
            ident="sandbox",
            auth_require_tls=False,
            authenticator=_authenticate,
            loop=loop,
        )
        self.data_fault: dict[str, Any] | None = None

    async def smtp_DATA(self, arg: str) -> None:
        """Take the next DATA fault before the 354, so that a connection can be lost on either side of it."""
        if self.envelope and self.envelope.rcpt_tos:
            recipients = ", ".join(self.envelope.rcpt_tos)
            self.data_fault = self.sandbox.faults.take("SMTP", "DATA", content=recipients)
            if self.data_fault and self.data_fault["kind"] in ("drop_before_data", "drop_before_accept"):
                entry = self.sandbox.journal.open_entry("mail", "SMTP DATA", "DATA", recipients, {}, b"")
                self.sandbox.journal.close_entry(entry, status=None, accepted=False, fault=self.data_fault["kind"])
                self.hang_up()
                return
        await super().smtp_DATA(arg)

    def hang_up(self) -> None:
        if self.transport is not None:
            self.transport.close()


class _Handler:
    """What happens with recipients and messages; aiosmtpd finds the hooks by name."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    async def handle_RCPT(
        self, server: _Connection, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        fault = self.sandbox.faults.take("SMTP", "RCPT", content=address)
        if fault is None:
            envelope.rcpt_tos.append(address)
            return "250 OK"
        entry = self.sandbox.journal.open_entry("mail", "SMTP RCPT", "RCPT", address, {}, b"")
        status = int(fault.get("status", 550)) if fault["kind"] == "status" else None
        self.sandbox.journal.close_entry(entry, status=status, accepted=False, fault=fault["kind"])
        if status is None:
            server.hang_up()
            return "421 closing"
        return _reply(fault)

    async def handle_DATA(self, server: _Connection, session: Session, envelope: Envelope) -> str:
        fault, server.data_fault = server.data_fault, None
        kind = fault["kind"] if fault else None
        raw = envelope.original_content or b""
        message = message_from_bytes(raw, policy=policy.default)
        headers = {name.lower(): str(value) for name, value in message.items()}
        path = ", ".join(envelope.rcpt_tos)
        entry = self.sandbox.journal.open_entry("mail", "SMTP DATA", "DATA", path, headers, raw)
        if fault and "seconds" in fault:
            await asyncio.sleep(float(fault["seconds"]))
        await asyncio.sleep(self.sandbox.settings.mail_latency_seconds)
        if fault and kind == "status":
            self.sandbox.journal.close_entry(entry, status=int(fault.get("status", 451)), accepted=False, fault=kind)
            return _reply(fault)
        for recipient in envelope.rcpt_tos:
            _deliver(self.sandbox, recipient, message, envelope.mail_from)  # pyright: ignore[reportArgumentType]
        is_dropped = kind in ("drop_after_data", "accept_then_drop")
        is_silent = is_dropped or kind == "accept_then_hang"
        self.sandbox.journal.close_entry(entry, status=None if is_silent else 250, accepted=True, fault=kind)
        if kind == "accept_then_hang":
            await asyncio.Event().wait()  # until the client hangs up, which ends this handler
        if is_dropped:
            server.hang_up()
        return "250 OK: queued"


def _deliver(sandbox: Sandbox, recipient: str, message: EmailMessage, sender: str | None) -> None:
    message_id = str(message["message-id"] or "").strip()
    # Without a Message-ID nothing can be suppressed: every transmission is a mail of its own.
    key = (recipient.lower(), message_id or f"none-{len(sandbox.mailbox)}")
    if key in sandbox.mailbox:
        sandbox.mailbox[key]["transmissions"] += 1
        return
    sandbox.mailbox[key] = {
        "kind": "mail",
        "recipient": recipient,
        "message_id": message_id,
        "subject": str(message["subject"] or ""),
        "from": str(message["from"] or sender or ""),
        "to": str(message["to"] or ""),
        "text": _part(message, "plain"),
        "html": _part(message, "html"),
        "calendar": _calendar(message),
        "files": [_file(part) for part in message.walk() if part.get_filename()],
        "headers": {name.lower(): str(value) for name, value in message.items()},
        "transmissions": 1,
        "at": datetime.now(UTC).isoformat(),
    }


def _part(message: EmailMessage, subtype: str) -> str | None:
    part = message.get_body(preferencelist=(subtype,))
    return part.get_content().replace("\r\n", "\n") if part is not None else None


def _calendar(message: EmailMessage) -> str | None:
    """An invitation, as a calendar would take it: the method in the part's type is that of its object."""
    parts = (part for part in message.walk() if part.get_content_type() == "text/calendar")
    part = next((part for part in parts if part.get_param("method")), None)
    return part.get_content().replace("\r\n", "\n") if part is not None else None


def _file(part: EmailMessage) -> dict[str, Any]:
    """An attachment, or (with a `cid`) an image that the HTML shows; its content by length and hash."""
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    cid = str(part["content-id"] or "").strip("<> ")
    return {
        "name": part.get_filename(),
        "content_type": part.get_content_type(),
        "cid": cid or None,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _reply(fault: dict[str, Any]) -> str:
    status = int(fault.get("status", 451))
    default = {
        421: "4.3.2 Service not available, closing transmission channel",
        450: "4.2.1 Mailbox is receiving too much mail",
        451: "4.3.0 Requested action aborted: local error in processing",
        550: "5.1.1 The email account that you tried to reach does not exist",
        554: "5.7.1 Message rejected as spam",
    }.get(status, "scripted")
    return f"{status} {fault.get('body', default)}"


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    """Any login is right, unless its password starts with `bad`."""
    is_wrong = isinstance(data, LoginPassword) and data.password.startswith(b"bad")
    return AuthResult(success=not is_wrong, handled=not is_wrong)
