"""Supabase Auth (GoTrue) of the sandbox: which project, who asks, how Auth words a refusal.

Lives here: the admin's key, error bodies of both versions of the API. Does not live here: what stands before it
(`supabase_gateway.py`), what an endpoint does (`supabase_auth.py` and its neighbours).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from vendor_sandbox import supabase_databases
from vendor_sandbox.state import Sandbox
from vendor_sandbox.supabase_access import object_of
from vendor_sandbox.supabase_databases import Connection
from vendor_sandbox.supabase_gateway import key_refusal, project_of, with_cors
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

    @property
    def body(self) -> dict[str, Any]:
        """What was sent, as an object.

        Raises:
            Refused: it is none.
        """
        body = object_of(self.call)
        if body is None:
            raise Refused(400, "bad_json", "Could not read request body as JSON")
        return body

    def bearer(self) -> str:
        """The token that the asker shows.

        Raises:
            Refused: there is none.
        """
        token = self.call.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not token:
            raise Refused(401, "no_authorization", "This endpoint requires a valid Bearer token")
        return token


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
        project, dsn = project_of(sandbox, ref), sandbox.settings.postgres_dsn
        if isinstance(project, Answer) or dsn is None:
            return with_cors(project if isinstance(project, Answer) else json_answer(404, {}))
        try:
            async with supabase_databases.as_vendor(dsn, ref) as conn:
                answer = await work(Visit(call, sandbox, project, conn), **parts)
        except Refused as refusal:
            answer = refused(call, refusal.status, refusal.code, refusal.message)
        return with_cors(answer)

    return handle


def for_keys(work: Work, *, is_admin: bool = False) -> Handler:
    """As `for_anybody`, behind the gateway's check of `apikey`; with `is_admin` only for a secret key's bearer."""

    async def check(visit: Visit, **parts: str) -> Answer:
        if refusal := key_refusal(visit.call, visit.project):
            return refusal
        if is_admin:
            role = visit.project.role_of(visit.bearer())
            if role is None:
                raise Refused(403, "bad_jwt", "invalid JWT: unable to parse or verify signature, token is malformed")
            if role != "service_role":
                raise Refused(403, "not_admin", "User not allowed")
        return await work(visit, **parts)

    return for_anybody(check)


def scripted_error(status: int, kind: str) -> Answer:
    """The error that a fault script asks for by its status."""
    if status < 400:
        return with_cors(json_answer(status, {}))
    code, message = _SCRIPTED.get(status, ("unexpected_failure", f"scripted {kind}"))
    return with_cors(_error(status, code, message, None))


def refused(call: Call, status: int, code: str, message: str) -> Answer:
    """A refusal in the words of the version of the API that the asker speaks; the transaction stays."""
    return _error(status, code, message, call.headers.get(API_VERSION_HEADER))


def _error(status: int, code: str, message: str, version: str | None) -> Answer:
    if version == API_VERSION:
        headers = {"x-sb-error-code": code, API_VERSION_HEADER: version}
        return json_answer(status, {"code": code, "message": message}, headers)
    return json_answer(status, {"code": status, "error_code": code, "msg": message}, {"x-sb-error-code": code})
