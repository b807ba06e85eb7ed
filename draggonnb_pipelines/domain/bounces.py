"""Reports of non-delivery: what a mail server says that it could not deliver after it had taken the mail.

Lives here: reading such a report (RFC 3464 in the frame of RFC 6522). Not here: what becomes of the mail
(`workflows/messages/refused_addresses.py`).
"""

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import Message

_MESSAGE_ID = re.compile(r"<[0-9a-f]{40}@[a-z0-9.-]{4,200}>")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


@dataclass(frozen=True, slots=True)
class Bounce:
    """A mail of ours that did not arrive.

    Args:
        message_id: with its angle brackets.
        status: as in RFC 3463.
        addresses: whom it did not reach, in lower case. One that our reader forwards to is not our reader's.
    """

    message_id: str
    status: str
    is_final: bool
    addresses: frozenset[str] = frozenset()

    @property
    def slug(self) -> str:
        """The organization that sent it: the first label of the Message-ID's domain."""
        return self.message_id.partition("@")[2].partition(".")[0]


def read_bounce(raw: bytes) -> Bounce | None:
    """The report in a raw mail; None if it is none, or about no mail of ours.

    The mail that it is about is found in its last part: the whole mail or its headers. A report of delay, relay or
    success is no bounce in the end: `is_final` is False.
    """
    try:
        parts = list(message_from_bytes(raw, policy=policy.compat32).walk())
    except (MessageError, ValueError, RecursionError):
        return None
    fields = [part for part in parts if str(part.get("Action") or "") and part.get("Final-Recipient")]
    message_id = _original_id(parts)
    if not fields or message_id is None:
        return None
    status = _STATUS.search(str(fields[0].get("Status") or ""))
    if status is None:
        return None
    is_failed = str(fields[0]["Action"]).strip().lower() == "failed"
    return Bounce(message_id, status.group(), is_failed and status.group().startswith("5"), _addresses(fields[0]))


def _addresses(fields: Message) -> frozenset[str]:
    """Of `Final-Recipient: rfc822; who@example` (RFC 3464, 2.3.2), and as we wrote it, where the server says so."""
    named = (str(fields.get(name) or "") for name in ("Final-Recipient", "Original-Recipient"))
    return frozenset(address for field in named if (address := field.partition(";")[2].strip().strip("<>").lower()))


def _original_id(parts: list[Message]) -> str | None:
    """The Message-ID of the mail inside the report, not of the report."""
    for part in parts[1:]:
        text = str(part.get("Message-ID") or "")
        if not text and part.get_content_type() == "text/rfc822-headers":
            body = part.get_payload(decode=True)
            text = body.decode("ascii", "replace") if isinstance(body, bytes) else ""
            text = next((line for line in text.splitlines() if line.lower().startswith("message-id:")), "")
        if match := _MESSAGE_ID.search(text):
            return match.group()
    return None
