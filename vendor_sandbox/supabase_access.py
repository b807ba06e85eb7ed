"""What comes before every endpoint of Supabase's Management API: who asks, how often, for which project.

Lives here: the personal access token, the rate limit and its headers, how the API words a refusal. Does not live
here: what an endpoint does (`supabase.py`, `supabase_sql.py`).
"""

from collections.abc import Awaitable, Callable
from typing import Any

import psycopg

from vendor_sandbox import supabase_databases
from vendor_sandbox.state import Sandbox
from vendor_sandbox.supabase_projects import Project
from vendor_sandbox.wire import Answer, Call, Handler, json_answer

ROOT = "/supabase/v1"
TOKEN_PREFIX = "sbp_"
_WORDS = {
    401: "Unauthorized",
    403: "Your account does not have the necessary privileges to access this endpoint.",
    404: "Not Found",
    429: "ThrottlerException: Too Many Requests",
    500: "Internal server error",
    544: "Connection terminated due to connection timeout",
}

Work = Callable[..., Awaitable[Answer]]


def guarded(work: Work) -> Handler:
    """The handler of an endpoint: token and rate limit first, then `work(call, sandbox, ...)`."""

    async def handle(call: Call, sandbox: Sandbox, **parts: str) -> Answer:
        token = call.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not token.startswith(TOKEN_PREFIX) or token.startswith(f"{TOKEN_PREFIX}bad"):
            return scripted_error(401, "unknown")
        limit = sandbox.settings.supabase_rate_per_minute
        used, seconds = sandbox.supabase.count_call(token, parts.get("ref") or parts.get("slug") or "")
        headers = {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(max(0, limit - used)),
            "x-ratelimit-reset": str(seconds),
        }
        answer = scripted_error(429, "rate") if used > limit else await work(call, sandbox, **parts)
        answer.headers.update(headers)
        return answer

    return handle


def of_project(work: Work) -> Handler:
    """As `guarded`, for the endpoints below a project: `work(call, sandbox, project, ...)`."""

    async def find(call: Call, sandbox: Sandbox, ref: str, **parts: str) -> Answer:
        project = sandbox.supabase.projects.get(ref)
        if project is None:
            return error(404, "Project not found")
        return await work(call, sandbox, project, **parts)

    return guarded(find)


def with_database(work: Work) -> Handler:
    """As `of_project`, for the endpoints that go into the database: `work(call, dsn, project, ...)`.

    A database that is still coming up or is paused does not answer in time; one that is gone neither.
    """

    async def check(call: Call, sandbox: Sandbox, project: Project, **parts: str) -> Answer:
        dsn = sandbox.settings.postgres_dsn
        if dsn is None:
            return no_server()
        if project.status != "ACTIVE_HEALTHY":
            return scripted_error(544, project.status)
        try:
            return await work(call, dsn, project, **parts)
        except psycopg.OperationalError as fault:
            if fault.sqlstate is not None:
                return error(400, f"Failed to run sql query: {supabase_databases.worded(fault)}")
            return scripted_error(544, "lost")

    return of_project(check)


def no_server() -> Answer:
    return error(503, "no database server: start the sandbox with --postgres-dsn")


def error(status: int, message: str) -> Answer:
    return json_answer(status, {"message": message})


def scripted_error(status: int, kind: str) -> Answer:
    """The error that a fault script asks for by its status."""
    if status < 400:
        return json_answer(status, {})
    return error(status, _WORDS.get(status, f"scripted {kind}"))


def object_of(call: Call) -> dict[str, Any] | None:
    """The body as an object; None where it is none."""
    try:
        body = call.json
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
