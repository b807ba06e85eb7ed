"""LinkedIn on the wire: encoding of URNs, which class a refusal has, reading JSON that may be anything.

Lives here: the error table and what a 429 says about quotas. Does not live here: the calls (`linkedin.py`,
`linkedin_images.py`, `linkedin_readback.py`).
Sources: Microsoft Learn, LinkedIn API error handling, rate limits, protocol version 2.0.0; the wording of 422 and 426
as their users report it.
"""

import json
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from draggonnb_pipelines.domain.publishing import Limits
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer

VENDOR = "linkedin"
_BY_STATUS = {
    401: ErrorClass.AUTH,
    403: ErrorClass.PERMISSION,
    426: ErrorClass.CONFIG,
    429: ErrorClass.THROTTLED,
}
_POST_URN = re.compile(r"urn:li:(?:share|ugcPost|activity):\d{1,30}")
_SAFE = re.compile(r"[^\w/.:-]+")

# (method, path or URL, **arguments of the door) -> answer; with the headers of one account.
Call = Callable[..., Awaitable[Answer]]
Sort = Callable[[Answer], VendorError | None]


def quoted(urn: str) -> str:
    """A URN as Rest.li wants it in paths and query values: colons, commas and parentheses percent-encoded."""
    return quote(urn, safe="")


def sorter(*, unknown: ErrorClass, now: Callable[[], datetime]) -> Sort:
    """The verdict on an answer.

    Args:
        unknown: what a 5xx or 408 means: AMBIGUOUS where something may be public now, else RETRY.
    """

    def sort(response: Answer) -> VendorError | None:
        status = response.status_code
        if 200 <= status < 300:
            return None
        body = json_of(response)
        faults = _dicts(body.get("errorDetails"), "inputErrors")
        code = next((fault["code"] for fault in faults if isinstance(fault.get("code"), str)), body.get("code"))
        code = _SAFE.sub(" ", code)[:60] if isinstance(code, str) else None
        error_class = unknown if status >= 500 or status == 408 else _BY_STATUS.get(status, ErrorClass.INPUT)
        existing = None
        if status == 422 and code == "DUPLICATE_POST":
            error_class = ErrorClass.DUPLICATE
            existing = _POST_URN.search(str(body.get("message")))
        seconds, limits = _quota(response, now()) if status == 429 else (None, None)
        return VendorError(
            VENDOR,
            error_class,
            ", ".join(filter(None, (f"HTTP {status}", code, _field(faults)))),
            status=status,
            code=code or _number(body.get("serviceErrorCode")),
            retry_after_seconds=seconds,
            existing_id=existing[0] if existing else None,
            limits=limits,
        )

    return sort


def json_of(response: Answer) -> dict[str, Any]:
    """The body as an object; empty where it is none."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def unreadable(what: str) -> VendorError:
    """A 200 that does not hold what it must. Reading again may help; taking it for an empty answer never does."""
    return VendorError(VENDOR, ErrorClass.RETRY, f"{what} could not be read")


def _quota(response: Answer, now: datetime) -> tuple[float | None, Limits | None]:
    """A 429 comes without headers: the day's quota is used up, and days end at 00:00 UTC. A Retry-After is obeyed.

    It may be the member's quota or our app's. The account that got it waits: if it was the app's, every other learns
    so by one call, and if not, nobody else is silenced.
    """
    if "retry-after" in response.headers:
        return None, None  # the door reads it
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - now).total_seconds(), Limits(account_remaining=0, account_resets_at=midnight)


def _field(faults: list[dict[str, Any]]) -> str | None:
    """Which field is wrong. The description is left out: it may repeat the text."""
    for fault in faults:
        place = fault.get("input")
        path = place.get("inputPath") if isinstance(place, dict) else None
        field = path.get("fieldPath") if isinstance(path, dict) else None
        if isinstance(field, str):
            return f"field {_SAFE.sub(' ', field)[:80]}"
    return None


def _number(value: Any) -> str | None:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9 else None


def _dicts(parent: Any, key: str) -> list[dict[str, Any]]:
    items = parent.get(key) if isinstance(parent, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
