"""X's answers, sorted into our classes, and what its headers say about quotas.

Lives here: the error table, the rate-limit headers. Does not live here: the calls (`x.py`, `x_media.py`).
Sources: docs.x.com "Response codes & errors" and "Rate limits", OpenAPI 2.167; refusals that X only words in `detail`
as reported by users of its API.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from draggonnb_pipelines.domain.publishing import Limits
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer

VENDOR = "x"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a refusal means, in our words: X's own may quote the text of a post."""

    error_class: ErrorClass
    code: str
    words: str


# By a part of `detail`, in lower case; the first that fits decides, whatever the type says.
BY_DETAIL = {
    "duplicate content": Refusal(ErrorClass.DUPLICATE, "duplicate-content", "a post with this text exists already"),
    "daily status update limit": Refusal(ErrorClass.THROTTLED, "daily-limit", "the account's daily limit is reached"),
    "unsupported authentication": Refusal(ErrorClass.AUTH, "unsupported-authentication", "the wrong kind of token"),
    "temporarily locked": Refusal(ErrorClass.BLOCKED, "account-locked", "X has locked the account until a person acts"),
    "might be automated": Refusal(ErrorClass.BLOCKED, "automated", "X takes the account for a spammer"),
    "account is suspended": Refusal(ErrorClass.BLOCKED, "user-suspended", "X has suspended the account"),
    "maximum of one cashtag": Refusal(ErrorClass.INPUT, "cashtags", "X takes at most one cashtag in a post"),
    "invalid url": Refusal(ErrorClass.INPUT, "invalid-url", "X does not take a link in the text"),
    "text is too long": Refusal(ErrorClass.INPUT, "text-too-long", "the text is too long for X"),
    "media ids are invalid": Refusal(ErrorClass.INPUT, "invalid-media", "X does not take the media, or it expired"),
    "deleted or not visible": Refusal(ErrorClass.INPUT, "parent-gone", "the post to reply to is gone"),
    "not permitted to perform": Refusal(ErrorClass.PERMISSION, "not-permitted", "the account lacks the right to do it"),
}
# By the last part of `type`.
BY_TYPE = {
    "usage-capped": Refusal(ErrorClass.BLOCKED, "usage-capped", "the usage cap at X is reached"),
    "user-suspended": Refusal(ErrorClass.BLOCKED, "user-suspended", "X has suspended the account"),
    "client-forbidden": Refusal(ErrorClass.PERMISSION, "client-forbidden", "the app may not do this at X"),
    "oauth1-permissions": Refusal(ErrorClass.PERMISSION, "oauth1-permissions", "the app lacks a right at X"),
    "not-authorized-for-resource": Refusal(ErrorClass.PERMISSION, "not-authorized-for-resource", "not ours to see"),
    "unsupported-authentication": Refusal(ErrorClass.AUTH, "unsupported-authentication", "the wrong kind of token"),
    "duplicate-rules": Refusal(ErrorClass.INPUT, "duplicate-rules", "the rule exists already"),
    "invalid-request": Refusal(ErrorClass.INPUT, "invalid-request", "X does not take the request"),
    "resource-not-found": Refusal(ErrorClass.INPUT, "resource-not-found", "X does not know it (any more)"),
}
BY_STATUS = {
    400: ErrorClass.INPUT,
    401: ErrorClass.AUTH,
    402: ErrorClass.CONFIG,  # our credits at X are used up: nobody's posts go out
    403: ErrorClass.PERMISSION,
    404: ErrorClass.INPUT,
    410: ErrorClass.CONFIG,
    429: ErrorClass.THROTTLED,
}


def sort_by(
    *, may_repeat: bool, now: Callable[[], datetime], is_post: bool = False
) -> Callable[..., VendorError | None]:
    """The verdict on an answer.

    Args:
        may_repeat: the call changes nothing in public, so that a server's error is RETRY and not AMBIGUOUS.
        is_post: the call is POST /2/tweets, whose windows are the ones that publishing waits for.
    """

    def sort(response: Answer) -> VendorError | None:
        status = response.status_code
        if 200 <= status < 300:
            return None
        error_class, code, words = _meaning(response, may_repeat)
        limits = limits_of(response, is_post=is_post)
        wait = None
        if error_class is ErrorClass.THROTTLED and limits and limits.resume_at:
            wait = max(0.0, (limits.resume_at - now()).total_seconds())
        message = f"HTTP {status}, {words}" if words else f"HTTP {status}"
        return VendorError(
            VENDOR, error_class, message, status=status, code=code, retry_after_seconds=wait, limits=limits
        )

    return sort


def limits_of(response: Answer, *, is_post: bool = True) -> Limits | None:
    """What the headers say. Windows are per endpoint: those of other calls than POST /2/tweets say nothing about
    posting, so only a 429's `resume_at` is taken from them. Of two windows of the account the tighter one counts."""
    account = min(
        (window for name in ("rate-limit", "user-limit-24hour") if (window := _window(response, name))),
        key=lambda window: window[0],
        default=None,
    )
    app = _window(response, "app-limit-24hour")
    resume_at = None
    if response.status_code == 429:
        resume_at = max((window[1] for window in (account, app) if window and not window[0]), default=None)
    if not is_post:
        return Limits(resume_at=resume_at) if resume_at else None
    if not (account or app):
        return None
    return Limits(
        account_remaining=account[0] if account else None,
        account_resets_at=account[1] if account else None,
        app_remaining=app[0] if app else None,
        app_resets_at=app[1] if app else None,
        resume_at=resume_at,
    )


def json_of(response: Answer) -> dict[str, Any]:
    """The body as an object; empty where it is none."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _meaning(response: Answer, may_repeat: bool) -> tuple[ErrorClass, str | None, str | None]:
    status, body = response.status_code, json_of(response)
    if status >= 500 or status == 408:
        return (ErrorClass.RETRY if may_repeat else ErrorClass.AMBIGUOUS), None, None
    kind = str(body.get("type", "")).rpartition("/")[2]
    refusal = _by_detail(body) or BY_TYPE.get(kind)
    if status == 401 or refusal is None:
        code = kind if kind.replace("-", "").isalpha() and len(kind) <= 60 else None
        return BY_STATUS.get(status, ErrorClass.INPUT), code, None
    return refusal.error_class, refusal.code, refusal.words


def _by_detail(body: dict[str, Any]) -> Refusal | None:
    errors = body.get("errors")
    details = [body.get("detail"), body.get("title")]
    details += [one.get("message") for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    said = " ".join(detail for detail in details if isinstance(detail, str)).lower()
    return next((refusal for words, refusal in BY_DETAIL.items() if words in said), None)


def _window(response: Answer, name: str) -> tuple[int, datetime] | None:
    """(remaining calls, when the window ends) of `x-{name}-*`; None unless both are said."""
    try:
        remaining = int(response.headers[f"x-{name}-remaining"])
        return remaining, datetime.fromtimestamp(int(response.headers[f"x-{name}-reset"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return None
