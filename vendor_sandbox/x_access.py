"""X: who asks, how often they may, and how X words a refusal.

Lives here: the token check, the rate-limit windows with their headers, problem+json. Does not live here: what an
endpoint does (`x.py`, `x_media.py`) and how tokens come into being (`x_oauth.py`).
"""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Handler, json_answer

PROBLEMS = "https://api.x.com/2/problems/"
_TITLES = {
    400: "Invalid Request",
    401: "Unauthorized",
    402: "CreditsDepleted",
    403: "Forbidden",
    404: "Not Found Error",
    429: "Too Many Requests",
    503: "Service Unavailable",
}
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Endpoint:
    """One row of X's table of limits per user. `limit` None: as the sandbox's settings say."""

    name: str
    scope: str
    limit: int | None = None


CREATE = Endpoint("create", "tweet.write")
DELETE = Endpoint("delete", "tweet.write", 50)
LOOKUP = Endpoint("lookup", "tweet.read", 5_000)
TIMELINE = Endpoint("timeline", "tweet.read", 900)
ME = Endpoint("me", "users.read", 75)
UPLOAD = Endpoint("upload", "media.write", 1_875)
UPLOAD_STATUS = Endpoint("upload_status", "media.write", 1_000)

Work = Callable[..., Answer]


def guarded(endpoint: Endpoint, work: Work) -> Handler:
    """The handler of an endpoint: latency, token, scope and window first, then `work(call, sandbox, account, ...)`."""

    async def handle(call: Call, sandbox: Sandbox, **parts: str) -> Answer:
        await asyncio.sleep(sandbox.settings.social_latency_seconds)
        grant = sandbox.social.account_of("x", _bearer(call))
        if grant is None or grant.is_revoked or grant.is_expired:
            return problem(401, "Unauthorized")
        headers, is_over = _count(sandbox, endpoint, grant.account)
        if is_over:
            answer = problem(429, "Too Many Requests")
        elif grant.scopes is not None and endpoint.scope not in grant.scopes:
            answer = problem(403, "You are not permitted to perform this action.")
        else:
            answer = work(call, sandbox, grant.account, **parts)
        answer.headers.update(headers)
        return answer

    return handle


def problem(status: int, detail: str, kind: str | None = None, **more: Any) -> Answer:
    """A refusal as X words it; `kind` is the last part of its type."""
    body = {
        "title": _TITLES.get(status, "Error"),
        "detail": detail,
        "type": f"{PROBLEMS}{kind}" if kind else "about:blank",
        "status": status,
        **more,
    }
    answer = json_answer(status, body)
    answer.headers["content-type"] = "application/problem+json"
    answer.headers["x-transaction-id"] = _transaction_id()
    return answer


def invalid(parameter: str, message: str) -> Answer:
    """400 for a wrong parameter."""
    errors = [{"parameters": {parameter: []}, "message": message}]
    return problem(400, "One or more parameters to your request was invalid.", "invalid-request", errors=errors)


def data_answer(status: int, content: Any) -> Answer:
    return json_answer(status, content, {"x-transaction-id": _transaction_id(), "api-version": "2.167"})


def scripted_error(status: int, kind: str) -> Answer:
    """The error that a fault script asks for by its status."""
    if status < 400:
        return json_answer(status, {})
    answer = problem(status, _TITLES.get(status, "Something went wrong"))
    if status == 429:
        answer.headers |= {"x-rate-limit-limit": "100", "x-rate-limit-remaining": "0"}
    return answer


def _bearer(call: Call) -> str:
    return call.headers.get("authorization", "").removeprefix("Bearer ").strip()


def _count(sandbox: Sandbox, endpoint: Endpoint, account: str) -> tuple[dict[str, str], bool]:
    """Count this call in its fixed windows. The headers, and whether one of the windows was full already."""
    settings = sandbox.settings
    limit = settings.social_window_limit if endpoint.limit is None else endpoint.limit
    key = f"{account}/{endpoint.name}"
    headers, is_over = _window(sandbox, key, "x-rate-limit", limit, settings.social_window_seconds)
    if endpoint is CREATE:
        app = _window(sandbox, "app", "x-app-limit-24hour", settings.x_app_daily_limit, _DAY_SECONDS)
        return headers | app[0], is_over or app[1]
    return headers, is_over


def _window(sandbox: Sandbox, key: str, header: str, limit: int, seconds: float) -> tuple[dict[str, str], bool]:
    now = time.time()
    window = sandbox.social.limits.get(("x", key))
    if window is None or now >= window["reset"]:
        window = sandbox.social.limits["x", key] = {"reset": now + seconds, "count": 0}
    is_over = window["count"] >= limit
    window["count"] += not is_over
    headers = {
        f"{header}-limit": str(limit),
        f"{header}-remaining": str(max(0, limit - window["count"])),
        # The header has whole seconds; rounding down would promise a window that has not opened yet.
        f"{header}-reset": str(int(window["reset"]) + 1),
    }
    return headers, is_over


def _transaction_id() -> str:
    return hashlib.sha256(str(time.monotonic_ns()).encode()).hexdigest()[:16]
