"""What a refused request gets: RFC 9457 problem details that say what to do. Never an echo of what was
sent, beyond a time, a platform or a field's name.

Lives here: the kinds of problem, the exception that carries one, its response. Not here: who raises which.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from draggonnb_pipelines.domain.submissions import Fault


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem; `/docs` explains each under the anchor that its `type` points to."""

    slug: str
    status: int
    title: str
    remedy: str


MALFORMED = Kind("malformed", 400, "The request cannot be read", "Send what the content type promises.")
UNAUTHORIZED = Kind(
    "unauthorized", 401, "Who sends this is not proven", "Send X-Webhook-Token, or sign with X-Draggonnb-Signature."
)
INACTIVE = Kind("organization-inactive", 403, "The organization takes nothing now", "Ask the agency to resume it.")
REFUSED = Kind("refused", 403, "The request is refused", "Check the verify token in the settings of both sides.")
UNKNOWN = Kind("unknown", 404, "There is nothing at this address", "Check the address.")
METHOD = Kind("method-not-allowed", 405, "This address does not take this method", "See /docs.")
TOO_SLOW = Kind("too-slow", 408, "The body did not arrive in time", "Send it again.")
TOO_LARGE = Kind("too-large", 413, "The body is too large", "Send less; attachments are not taken.")
UNSUPPORTED = Kind(
    "unsupported-media-type",
    415,
    "The content type is not taken here",
    "Send application/json, application/x-www-form-urlencoded or multipart/form-data.",
)
INVALID = Kind("invalid-lead", 422, "The lead cannot be taken", "Correct the named fields and send it again.")
INVALID_CONTENT = Kind(
    "invalid-content-request",
    422,
    "The request for content cannot be taken",
    "Correct the named fields and send it again; nothing was charged.",
)
INVALID_MESSAGE = Kind(
    "invalid-message", 422, "The message cannot be taken", "Correct the named fields and send it again."
)
INVALID_NUMBERS = Kind(
    "invalid-numbers-request", 422, "The request for numbers cannot be taken", "Send an empty object: {}."
)
THROTTLED = Kind("too-many-requests", 429, "Too many requests", "Wait as long as Retry-After says.")
OVER_PLAN = Kind(
    "over-plan",
    429,
    "The plan has no call left this month",
    "Change to a larger plan, or wait until the month ends in the organization's zone.",
)
INTERNAL = Kind("internal", 500, "We failed", "Send it again later; nothing was stored.")
UNAVAILABLE = Kind("unavailable", 503, "We cannot store anything now", "Send it again; a repeat is recognised.")
KINDS = (MALFORMED, UNAUTHORIZED, INACTIVE, REFUSED, UNKNOWN, METHOD, TOO_SLOW, TOO_LARGE, UNSUPPORTED, INVALID)
KINDS += (INVALID_CONTENT, INVALID_MESSAGE, INVALID_NUMBERS, THROTTLED, OVER_PLAN, INTERNAL, UNAVAILABLE)


class Problem(Exception):
    """Ends a request with problem details. `detail` is for the sender and must not quote the request."""

    def __init__(
        self, kind: Kind, detail: str, *, faults: Sequence[Fault] = (), retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(f"{kind.slug}: {detail}")
        self.kind = kind
        self.detail = detail
        self.faults = tuple(faults)
        self.retry_after_seconds = retry_after_seconds

    def response(self) -> Response:
        """`application/problem+json`; `errors` names each wrong field."""
        body: dict[str, object] = {
            "type": f"/docs#{self.kind.slug}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
        }
        if self.faults:
            body["errors"] = [{"field": fault.field, "detail": fault.detail} for fault in self.faults]
        headers = {"cache-control": "no-store"}
        if self.retry_after_seconds is not None:
            headers["retry-after"] = str(self.retry_after_seconds)
        content = json.dumps(body, ensure_ascii=False).encode()
        return Response(content, self.kind.status, headers, "application/problem+json")


async def answer_problem(request: Request, problem: Exception) -> Response:
    """Exception handler for `Problem`."""
    assert isinstance(problem, Problem)
    return problem.response()


async def answer_http_error(request: Request, error: Exception) -> Response:
    """Exception handler for what the framework itself refuses: unknown paths and methods."""
    status = getattr(error, "status_code", 500)
    kind = {404: UNKNOWN, 405: METHOD}.get(status, INTERNAL if status >= 500 else MALFORMED)
    response = Problem(kind, kind.remedy).response()
    for name, value in (getattr(error, "headers", None) or {}).items():
        response.headers[name] = value
    return response
