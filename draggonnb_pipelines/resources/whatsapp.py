"""WhatsApp Cloud API: template messages out, status webhooks in, and what the vendor says of the templates.

Lives here: the calls, the vendor's error table, the webhook's signature and reading. Does not live here: what a
message says (templates are approved at the vendor), and the settling of an unknown outcome: a status webhook with
our `callback_data` tells, or after the settle time a person.
Sources: the vendor's OpenAPI v23 and error page of 15 May 2026.
"""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.whatsapp_templates import FIELDS, MAX_PAGES, PER_PAGE, MessageTemplate, read_page

VENDOR = "whatsapp"
MAX_CALLBACK_DATA = 512
MAX_MESSAGE_ID = 250
MAX_TEXT = 200
STATUSES = frozenset({"sent", "delivered", "read", "failed"})
_READ_TIMEOUT_SECONDS = 30.0
_NUMBER = re.compile(r"[1-9][0-9]{6,14}", re.ASCII)
_MAX_PARAMETER = 900
_MAX_RECIPIENT = 64
_MAX_ERROR_CODE = 10**9

_BY_CODE = {
    **dict.fromkeys((130429, 131056, 80007, 4), ErrorClass.THROTTLED),
    # The vendor's own trouble: the message may be on its way.
    **dict.fromkeys((131000, 131016, 1, 2), ErrorClass.AMBIGUOUS),
    **dict.fromkeys((131048, 368, 131031), ErrorClass.BLOCKED),
    # Not for this recipient (again today); the account is fine, so it is not BLOCKED.
    **dict.fromkeys((131049, 131026, 131047), ErrorClass.INPUT),
    **dict.fromkeys((132000, 132001, 132005, 132007, 132012, 131008, 131009, 131051, 100), ErrorClass.INPUT),
    **dict.fromkeys((132015, 132016, 131042, 131045), ErrorClass.CONFIG),
    **dict.fromkeys((190, 0), ErrorClass.AUTH),
    **dict.fromkeys((3, 10, 131005), ErrorClass.PERMISSION),
}


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """One status of one message; `status` is sent, delivered, read or failed. Phone numbers may be missing."""

    message_id: str
    status: str
    callback_data: str | None
    recipient: str | None
    timestamp: datetime | None
    error_code: int | None


@dataclass(frozen=True, slots=True)
class IncomingText:
    """What somebody wrote to our number, in one line; `sender` is their number in E.164, as the vendor vouches for."""

    sender: str
    text: str


class WhatsApp:
    """The agency's WhatsApp number."""

    def __init__(self, door: HttpDoor, *, base_url: str, token: str, phone_number_id: str) -> None:
        self._door = door
        self._base_url = base_url.rstrip("/")
        self._url = f"{self._base_url}/{phone_number_id}/messages"
        # In a header, never in the body or the URL: those reach logs.
        self._headers = {"Authorization": f"Bearer {token}"}

    async def send_template(
        self, *, to_e164: str, template: str, language: str, parameters: list[str], callback_data: str
    ) -> str:
        """Send an approved template; the message's id (`wamid...`). Accepted is not delivered: the webhook tells.

        Raises:
            VendorError: sorted. AMBIGUOUS (timeout, cut answer, 5xx) means that it may arrive: never send it again
                blindly, the status webhook brings `callback_data` if it was sent.
        """
        if len(callback_data) > MAX_CALLBACK_DATA:
            raise VendorError(VENDOR, ErrorClass.INPUT, f"callback_data is over {MAX_CALLBACK_DATA} characters")
        body: dict[str, Any] = {"type": "body", "parameters": [{"type": "text", "text": _plain(p)} for p in parameters]}
        response = await self._door.call(
            VENDOR,
            "POST",
            self._url,
            idempotent=False,
            sort=_sort,
            headers=self._headers,
            json={
                "messaging_product": "whatsapp",
                "to": to_e164.removeprefix("+"),
                "type": "template",
                "template": {"name": template, "language": {"code": language}, "components": [body]},
                "biz_opaque_callback_data": callback_data,
            },
            read_timeout_seconds=_READ_TIMEOUT_SECONDS,
        )
        return _message_id(response)

    async def list_templates(self, waba_id: str) -> list[MessageTemplate]:
        """All templates of a WhatsApp Business Account, over all pages.

        Raises:
            VendorError: sorted; also where one page could not be read, since half a list looks like missing templates.
        """
        templates: list[MessageTemplate] = []
        after: str | None = None
        for _ in range(MAX_PAGES):
            response = await self._door.call(
                VENDOR,
                "GET",
                f"{self._base_url}/{waba_id}/message_templates",
                idempotent=True,
                sort=_sort_read,
                headers=self._headers,
                params={"fields": FIELDS, "limit": str(PER_PAGE)} | ({"after": after} if after else {}),
                read_timeout_seconds=_READ_TIMEOUT_SECONDS,
            )
            page = read_page(_json(response))
            if page is None:
                raise VendorError(VENDOR, ErrorClass.RETRY, "a list of templates without a list")
            templates += page[0]
            if (after := page[1]) is None:
                return templates
        raise VendorError(VENDOR, ErrorClass.RETRY, f"more than {MAX_PAGES} pages of templates")


def is_signed_by_meta(app_secret: str, raw: bytes, header: str | None) -> bool:
    """True if `X-Hub-Signature-256` is the HMAC of the raw body under the app's secret; constant time."""
    expected = "sha256=" + hmac.new(app_secret.encode(), raw, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), (header or "").encode("utf-8", "surrogateescape"))


def parse_statuses(payload: Any) -> list[MessageStatus]:
    """The statuses in a webhook's payload. Anything else in it (messages, unknown fields, rubbish) is passed over, and
    so is a status that cannot be about a message of ours or that no database would take."""
    statuses: list[MessageStatus] = []
    for entry in _dicts(payload, "entry"):
        for change in _dicts(entry, "changes"):
            for status in _dicts(change.get("value"), "statuses"):
                if _is_usable(status):
                    statuses.append(_status(status))
    return statuses


def parse_texts(payload: Any) -> list[IncomingText]:
    """The short texts in a webhook's payload that people wrote to us. Whoever hides their number is passed over, and so
    is everything else."""
    texts: list[IncomingText] = []
    for entry in _dicts(payload, "entry"):
        for change in _dicts(entry, "changes"):
            for message in _dicts(change.get("value"), "messages"):
                sender, content = message.get("from"), message.get("text")
                body = _line(content.get("body"), MAX_TEXT) if isinstance(content, dict) else None
                if body and isinstance(sender, str) and _NUMBER.fullmatch(sender):
                    texts.append(IncomingText(f"+{sender}", body))
    return texts


def _is_usable(status: dict[str, Any]) -> bool:
    word, callback_data = status.get("status"), status.get("biz_opaque_callback_data")
    return (
        isinstance(word, str)
        and word in STATUSES
        and bool(_line(status.get("id"), MAX_MESSAGE_ID))
        and (callback_data in (None, "") or bool(_line(callback_data, MAX_CALLBACK_DATA)))
    )


def _status(status: dict[str, Any]) -> MessageStatus:
    errors = _dicts(status, "errors")
    code = errors[0].get("code") if errors else None
    return MessageStatus(
        message_id=status["id"],
        status=status["status"],
        callback_data=_text(status.get("biz_opaque_callback_data")),
        recipient=_line(status.get("recipient_id"), _MAX_RECIPIENT),
        timestamp=_time(status.get("timestamp")),
        error_code=code if isinstance(code, int) and abs(code) < _MAX_ERROR_CODE else None,
    )


def _message_id(response: Answer) -> str:
    messages = _dicts(_json(response), "messages")
    if not messages or not isinstance(messages[0].get("id"), str):
        raise VendorError(VENDOR, ErrorClass.AMBIGUOUS, "accepted without a message id", status=response.status_code)
    return messages[0]["id"]


def _sort(response: Answer) -> VendorError | None:
    """Sort an answer to a POST by `error.code`, and by the HTTP status where there is none that we know."""
    status = response.status_code
    if 200 <= status < 300:
        return None
    body = _json(response)
    error = body.get("error") if isinstance(body, dict) else None
    error = error if isinstance(error, dict) else {}
    code = error.get("code")
    known = _class_of_code(code) if isinstance(code, int) else None
    return VendorError(
        VENDOR,
        known or _class_of_status(status),
        f"HTTP {status}, code {code}" if code is not None else f"HTTP {status}",
        status=status,
        code=None if code is None else str(code),
        request_id=_text(error.get("fbtrace_id")) or response.headers.get("x-fb-trace-id"),
        retry_after_seconds=_seconds(response.headers.get("retry-after")),
    )


def _sort_read(response: Answer) -> VendorError | None:
    """As `_sort`, for a call without any effect: what is unclear after a POST may simply be asked again."""
    error = _sort(response)
    if error is not None and error.error_class is ErrorClass.AMBIGUOUS:
        error.error_class = ErrorClass.RETRY
    return error


def _class_of_code(code: int) -> ErrorClass | None:
    if code in _BY_CODE:
        return _BY_CODE[code]
    if 200 <= code <= 299:
        return ErrorClass.PERMISSION
    return ErrorClass.CONFIG if 133000 <= code <= 133999 else None


def _class_of_status(status: int) -> ErrorClass:
    if status >= 500 or status == 408:
        return ErrorClass.AMBIGUOUS
    by_status = {401: ErrorClass.AUTH, 403: ErrorClass.PERMISSION, 404: ErrorClass.CONFIG, 429: ErrorClass.THROTTLED}
    return by_status.get(status, ErrorClass.INPUT)


def _plain(parameter: str) -> str:
    """A parameter as the vendor takes it: no line breaks, tabs or runs of spaces, never empty."""
    return " ".join(parameter.split())[:_MAX_PARAMETER] or "-"


def _json(response: Answer) -> Any:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def _dicts(parent: Any, key: str) -> list[dict[str, Any]]:
    items = parent.get(key) if isinstance(parent, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _line(value: Any, max_length: int) -> str | None:
    """Printable text of at most so many characters: no NUL, no lone surrogates, no line breaks."""
    text = _text(value)
    return text if text and len(text) <= max_length and text.isprintable() else None


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _seconds(value: str | None) -> float | None:
    return float(value) if value and value.isdigit() else None
