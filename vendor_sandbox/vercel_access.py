"""What comes before every endpoint of Vercel's API: who asks, for which project.

Lives here: the token, how Vercel words a refusal. Does not live here: what an endpoint does (`vercel.py`,
`vercel_deployments.py`).
"""

import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Handler, json_answer

_CODES = {
    401: ("unauthorized", "You are not authorized to perform this action."),
    402: ("payment_required", "Payment required"),
    403: ("forbidden", "You don't have permission to access this resource."),
    404: ("not_found", "Not Found"),
    409: ("conflict", "Conflict"),
    429: ("rate_limited", "Rate limit exceeded"),
    500: ("internal_server_error", "An unexpected internal error occurred"),
}
LIMIT_SECONDS = 60

Work = Callable[..., Awaitable[Answer]]


def guarded(work: Work) -> Handler:
    """The handler of an endpoint: the token first, then `work(call, sandbox, ...)`."""

    async def handle(call: Call, sandbox: Sandbox, **parts: str) -> Answer:
        token = call.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not token:
            answer = error(403, "forbidden", "The request is missing an authentication token", missingToken=True)
        elif token.startswith("bad"):
            answer = scripted_error(403, "expired_token")
        else:
            answer = await work(call, sandbox, **parts)
        answer.headers.setdefault("x-vercel-id", f"sandbox::{secrets.token_hex(8)}")
        return answer

    return handle


def of_project(work: Work) -> Handler:
    """As `guarded`, for the endpoints below a project: `work(call, sandbox, project, ...)`."""

    async def find(call: Call, sandbox: Sandbox, project: str, **parts: str) -> Answer:
        found = sandbox.vercel.find(project)
        if found is None:
            return error(404, "not_found", "Project not found.")
        return await work(call, sandbox, found, **parts)

    return guarded(find)


def error(status: int, code: str, message: str, **more: Any) -> Answer:
    return json_answer(status, {"error": {"code": code, "message": message, **more}})


def scripted_error(status: int, kind: str) -> Answer:
    """The error that a fault script asks for by its status. A spent token is a 403 here."""
    if status < 400:
        return json_answer(status, {})
    if kind == "expired_token":
        return error(403, "forbidden", "Not authorized", invalidToken=True)
    code, message = _CODES.get(status, ("internal_server_error", f"scripted {kind}"))
    if status != 429:
        return error(status, code, message)
    reset = int(time.time()) + LIMIT_SECONDS
    answer = error(429, code, message, limit={"total": 100, "remaining": 0, "reset": reset})
    answer.headers |= {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset)}
    return answer


def object_of(call: Call) -> dict[str, Any]:
    """The body as an object; empty where it is none."""
    try:
        body = call.json
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
