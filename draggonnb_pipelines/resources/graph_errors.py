"""What the Graph API's errors and usage headers mean, for Facebook pages and Instagram.

Lives here: Meta's error table as data, and the reading of its usage headers. Does not live here: the calls
(`graph.py`), and WhatsApp's own table (`whatsapp.py`).
Sources: Graph API "Handling Errors", "Rate Limits"; Instagram Platform "Error Codes" of 2 June 2026.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from draggonnb_pipelines.domain.publishing import Limits
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer

USAGE_STOP_PERCENT = 95.0
_MOST_PERCENT = 100_000  # beyond it a header says nothing, were it a number
USAGE_PAUSE = timedelta(hours=1)
QUOTA_WAIT_SECONDS = 3600.0
MISSING_NODE = frozenset({"100/33", "803"})
# Code 10 means that a right is lacking, except with these words about insights.
TOO_FEW_VIEWERS = "10 (not enough viewers)"

# The vendor's own trouble. An irreversible call may have had its effect.
SERVER_CODES = frozenset({-1, 1, 2, 2207001})
ERROR_CLASSES: dict[int, ErrorClass] = {
    # --- the Graph API, by `code`; the long ones also come as `error_subcode` of another code
    **dict.fromkeys((4, 17, 32, 341, 613, *range(80000, 80015)), ErrorClass.THROTTLED),
    **dict.fromkeys((102, 190), ErrorClass.AUTH),
    **dict.fromkeys((3, 10, *range(200, 300)), ErrorClass.PERMISSION),
    **dict.fromkeys((368, 1390008, 4854002, 1404112), ErrorClass.BLOCKED),
    **dict.fromkeys((506, 1366051), ErrorClass.DUPLICATE),
    **dict.fromkeys((100, 1609005, 1609008, 2061006, 1349125, 1366046, 1346003, 1404102), ErrorClass.INPUT),
    **dict.fromkeys((1363047, 1609010), ErrorClass.RETRY),
    # --- Instagram, by `error_subcode`
    2207003: ErrorClass.RETRY,  # -2: the download of the medium took too long
    2207020: ErrorClass.RETRY,  # -2: the container expired; prepare() makes a new one
    2207032: ErrorClass.RETRY,  # -1: the container failed; the same
    2207053: ErrorClass.RETRY,  # -1: the upload failed; the same
    2207006: ErrorClass.RETRY,  # 24: no such container (any more); the same
    2207008: ErrorClass.RETRY,  # 24: temporary; the same container may work in two minutes
    2207027: ErrorClass.RETRY,  # 9007: not FINISHED yet
    2207052: ErrorClass.RETRY,  # 9004: the address cannot be fetched; once may be chance, see prepare()
    2207042: ErrorClass.THROTTLED,  # 9: the account's posts of 24 hours
    2207051: ErrorClass.BLOCKED,  # 4: looks like spam
    2207050: ErrorClass.BLOCKED,  # 25: the account is restricted
    2207057: ErrorClass.INPUT,  # 1: thumbnail offset
    2207028: ErrorClass.INPUT,  # 100: carousel
    2207040: ErrorClass.INPUT,  # tags
    2207004: ErrorClass.INPUT,  # 36000: image too large
    2207005: ErrorClass.INPUT,  # 36001: image format
    2207009: ErrorClass.INPUT,  # 36003: aspect ratio
    2207010: ErrorClass.INPUT,  # 36004: caption too long
}
# Subcodes below this number only explain their code (190/463: expired).
_FIRST_OWN_SUBCODE = 1_000_000
_RETRY_AFTER = {2207042: QUOTA_WAIT_SECONDS, 2207008: 30.0, 2207027: 30.0}


def sort_graph(vendor: str, response: Answer, *, is_irreversible: bool, now: datetime) -> VendorError | None:
    """The verdict on an answer: by subcode, code and `is_transient`, and by HTTP status only where there is no code.

    Args:
        is_irreversible: the call puts something before the public, so that the vendor's own trouble is AMBIGUOUS.
    """
    status = response.status_code
    if 200 <= status < 300:
        return None
    body = json_of(response)
    error = body.get("error") if isinstance(body, dict) else None
    error = error if isinstance(error, dict) else {}
    code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
    is_server_trouble, error_class = _class_of(code, subcode, error.get("is_transient") is True, status)
    if is_server_trouble:
        error_class = ErrorClass.AMBIGUOUS if is_irreversible else ErrorClass.RETRY
    limits = limits_of(response, now)
    name = "/".join(str(part) for part in (code, subcode) if part is not None)
    if code == 10 and "not enough viewers" in str(error.get("message")).lower():
        error_class, name = ErrorClass.INPUT, TOO_FEW_VIEWERS
    return VendorError(
        vendor,
        error_class,
        f"HTTP {status}, code {name}" if name else f"HTTP {status}",
        status=status,
        code=name or None,
        request_id=error["fbtrace_id"][:100] if isinstance(error.get("fbtrace_id"), str) else None,
        retry_after_seconds=_wait_seconds(error_class, subcode, limits, now),
        limits=limits,
    )


def limits_of(response: Answer, now: datetime) -> Limits | None:
    """Meta's usage headers: percent of the app's quota, and until when it asks for silence; None where it says nothing.

    Silence: as many minutes as `estimated_time_to_regain_access` says, or an hour at 95 percent of either quota, since
    what exceeds it is refused and counted all the same.
    """
    app = _header(response, "x-app-usage")
    app_percent = _percent(app) if isinstance(app, dict) else None
    uses = list(_business_uses(_header(response, "x-business-use-case-usage")))
    if app_percent is None and not uses:
        return None
    minutes = max((_number(use.get("estimated_time_to_regain_access")) or 0 for use in uses), default=0)
    percents = [percent for percent in (app_percent, *map(_percent, uses)) if percent is not None]
    resume_at = None
    if minutes > 0:
        resume_at = now + timedelta(minutes=min(minutes, 7 * 24 * 60))
    elif percents and max(percents) >= USAGE_STOP_PERCENT:
        resume_at = now + USAGE_PAUSE
    return Limits(app_percent=app_percent, resume_at=resume_at)


def json_of(response: Answer) -> Any:
    """The body, or None where it is not JSON."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def _class_of(code: int | None, subcode: int | None, is_transient: bool, status: int) -> tuple[bool, ErrorClass]:
    """Whether it is the vendor's own trouble, and else its class."""
    own = subcode if subcode is not None and subcode >= _FIRST_OWN_SUBCODE else None
    for number in (own, code):
        if number in SERVER_CODES:
            return True, ErrorClass.RETRY
        if number in ERROR_CLASSES:
            return False, ERROR_CLASSES[number]
    if is_transient or status >= 500 or status == 408:
        return True, ErrorClass.RETRY
    if code is not None:
        return False, ErrorClass.INPUT
    by_status = {401: ErrorClass.AUTH, 403: ErrorClass.PERMISSION, 429: ErrorClass.THROTTLED}
    return False, by_status.get(status, ErrorClass.INPUT)


def _wait_seconds(error_class: ErrorClass, subcode: int | None, limits: Limits | None, now: datetime) -> float | None:
    if error_class is ErrorClass.THROTTLED and limits and limits.resume_at:
        return (limits.resume_at - now).total_seconds()
    return _RETRY_AFTER.get(subcode or 0)


def _business_uses(header: Any) -> Iterator[dict[str, Any]]:
    for uses in header.values() if isinstance(header, dict) else ():
        yield from (use for use in uses if isinstance(use, dict)) if isinstance(uses, list) else ()


def _percent(usage: dict[str, Any]) -> float | None:
    numbers = [usage.get(name) for name in ("call_count", "total_time", "total_cputime")]
    known = (number for number in numbers if isinstance(number, int | float) and not isinstance(number, bool))
    found = [float(number) for number in known if 0 <= number <= _MOST_PERCENT]
    return max(found, default=None)


def _header(response: Answer, name: str) -> Any:
    try:
        return json.loads(response.headers.get(name, "null"))
    except (ValueError, RecursionError):
        return None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
