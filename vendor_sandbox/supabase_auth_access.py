"""Supabase Auth (GoTrue) of the sandbox: which project, who asks, how Auth words a refusal.

Lives here: the gateway in front of it, API keys and their roles, error bodies of both versions of the API. Does not
live here: what an endpoint does (`supabase_auth.py`, `supabase_auth_links.py`).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from vendor_sandbox import supabase_databases
from vendor_sandbox.state import Sandbox
from vendor_sandbox.supabase_databases import Connection
from vendor_sandbox.supabase_projects import Project
from vendor_sandbox.wire import Answer, Call, Handler, json_answer

ROOT = "/supabase/projects/{ref}/auth/v1"
API_VERSION_HEADER = "x-supabase-api-version"
API_VERSION = "2024-01-01"
_SCRIPTED = {
    401: ("no_authorization", "This endpoint requires a valid Bearer token"),
    403: ("bad_jwt", "invalid JWT: unable to parse or verify signature"),
    404: ("user_not_found", "User not found"),
    422: ("email_exists", "A user with this email address has already been registered"),
    429: ("over_request_rate_limit", "Request rate limit reached"),
}


@dataclass(frozen=True)
class Visit:
    """One request to a project's Auth, with its database open in one transaction."""

    call: Call
    sandbox: Sandbox
    project: Project
    conn: Connection

    @property
    def base(self) -> str:
        """The address of this Auth, as links name it."""
        return f"http://{self.call.headers['host']}{ROOT.replace('{ref}', self.project.ref)}"


class Refused(Exception):
    """What Auth refuses; the transaction is undone."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


Work = Callable[..., Awaitable[Answer]]


def for_anybody(work: Work) -> Handler:
    """The handler of an endpoint that needs no key: `work(visit, ...)`."""

    async def handle(call: Call, sandbox: Sandbox, ref: str, **parts: str) -> Answer:
        project, dsn = sandbox.supabase.projects.get(ref), sandbox.settings.postgres_dsn
        if project is None or dsn is None:
            return json_answer(404, {"message": "no such host"})
        if project.status in ("PAUSING", "INACTIVE"):
            return json_answer(540, {"message": "Project paused"})
        if project.status != "ACTIVE_HEALTHY":
            return json_answer(503, {"message": "name resolution failed"})
        try:
            async with supabase_databases.as_vendor(dsn, ref) as conn:
                answer = await work(Visit(call, sandbox, project, conn), **parts)
        except Refused as refusal:
            answer = _error(refusal.status, refusal.code, refusal.message, call.headers.get(API_VERSION_HEADER))
        return answer

    return handle


def for_keys(work: Work, *, is_admin: bool = False) -> Handler:
    """As `for_anybody`, behind the gateway's check of `apikey`; with `is_admin` only for a secret key's bearer."""

    async def check(visit: Visit, **parts: str) -> Answer:
        headers = visit.call.headers
        if "apikey" not in headers:
            hint = "No `apikey` request header or url param was found."
            return json_answer(401, {"message": "No API key found in request", "hint": hint})
        if visit.project.role_of(headers["apikey"]) is None:
            return json_answer(401, {"message": "Invalid API key", "hint": "Double check your API key."})
        if is_admin:
            bearer = headers.get("authorization", "").removeprefix("Bearer ").strip()
            if not bearer:
                raise Refused(401, "no_authorization", "This endpoint requires a valid Bearer token")
            role = visit.project.role_of(bearer)
            if role is None:
                raise Refused(403, "bad_jwt", "invalid JWT: unable to parse or verify signature, token is malformed")
            if role != "service_role":
                raise Refused(403, "not_admin", "User not allowed")
        return await work(visit, **parts)

    return for_anybody(check)


def scripted_error(status: int, kind: str) -> Answer:
    """The error that a fault script asks for by its status."""
    if status < 400:
        return json_answer(status, {})
    code, message = _SCRIPTED.get(status, ("unexpected_failure", f"scripted {kind}"))
    return _error(status, code, message, None)


def _error(status: int, code: str, message: str, version: str | None) -> Answer:
    if version == API_VERSION:
        headers = {"x-sb-error-code": code, API_VERSION_HEADER: version}
        return json_answer(status, {"code": code, "message": message}, headers)
    return json_answer(status, {"code": status, "error_code": code, "msg": message}, {"x-sb-error-code": code})
