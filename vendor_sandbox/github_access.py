"""What comes before every endpoint of GitHub's API: who asks, how often, for which repository.

Lives here: the token, the primary limit and its headers, redirects of renamed repositories, how GitHub words a refusal.
Does not live here: what an endpoint does (`github.py`, `github_data.py`, `github_actions.py`).
"""

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from vendor_sandbox.github_repos import Repo
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Handler, json_answer

ROOT = "/github/repos/{owner}/{name}"
_DOCS = "https://docs.github.com/rest"
_WORDS = {
    401: "Bad credentials",
    403: "Resource not accessible by personal access token",
    404: "Not Found",
    409: "Conflict",
    422: "Validation Failed",
    429: "API rate limit exceeded for user ID 1.",
    502: "Server Error",
    503: "Service unavailable",
}

Work = Callable[..., Awaitable[Answer]]


def guarded(work: Work) -> Handler:
    """The handler of an endpoint: agent, token and limits first, then `work(call, sandbox, ...)`."""

    async def handle(call: Call, sandbox: Sandbox, **parts: str) -> Answer:
        answer = _refused(call)
        headers: dict[str, str] = {}
        if answer is None:
            limit = sandbox.settings.github_rate_per_hour
            used, ends = sandbox.github.count_call(call.headers.get("authorization", ""))
            headers = {
                "x-ratelimit-limit": str(limit),
                "x-ratelimit-remaining": str(max(0, limit - used)),
                "x-ratelimit-used": str(used),
                "x-ratelimit-reset": str(ends),
                "x-ratelimit-resource": "core",
            }
            answer = (
                error(403, "API rate limit exceeded for user ID 1.")
                if used > limit
                else await work(call, sandbox, **parts)
            )
        answer.headers = {**headers, "x-github-request-id": secrets.token_hex(8), **answer.headers}
        return answer

    return handle


def of_repo(work: Work, *, writes: bool = False) -> Handler:
    """As `guarded`, for the endpoints below a repository: `work(call, sandbox, repo, ...)`. One that `writes` is
    refused while the repository is archived."""

    async def find(call: Call, sandbox: Sandbox, owner: str, name: str, **parts: str) -> Answer:
        repo = sandbox.github.find(owner, name)
        if repo is None:
            number = sandbox.github.old_names.get(f"{owner}/{name}".lower())
            return _moved(call, owner, name, number) if number else scripted_error(404, "unknown")
        if writes and repo.is_archived:
            return error(403, "Repository was archived so is read-only.")
        return await work(call, sandbox, repo, **parts)

    return guarded(find)


def with_content(work: Work, *, writes: bool = False) -> Handler:
    """As `of_repo`, for Git's objects: a repository whose copy has not arrived has none."""

    async def check(call: Call, sandbox: Sandbox, repo: Repo, **parts: str) -> Answer:
        if repo.is_empty:
            return error(409, "Git Repository is empty.")
        return await work(call, sandbox, repo, **parts)

    return of_repo(check, writes=writes)


def error(status: int, message: str, *faults: dict[str, str]) -> Answer:
    body: dict[str, Any] = {"message": message}
    if faults:
        body["errors"] = list(faults)
    return json_answer(status, {**body, "documentation_url": _DOCS, "status": str(status)})


def invalid(resource: str, field: str, code: str) -> Answer:
    return error(422, "Validation Failed", {"resource": resource, "field": field, "code": code})


def scripted_error(status: int, kind: str) -> Answer:
    """The error that a fault script asks for by its status."""
    if status < 400:
        return json_answer(status, {})
    return error(status, _WORDS.get(status, f"scripted {kind}"))


def object_of(call: Call) -> dict[str, Any]:
    """The body as an object; empty where it is none."""
    try:
        body = call.json
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _refused(call: Call) -> Answer | None:
    if not call.headers.get("user-agent"):
        return Answer(
            403, b"Request forbidden by administrative rules. Please make sure your request has a User-Agent."
        )
    token = call.headers.get("authorization", "").partition(" ")[2].strip()
    if not token:
        return error(401, "Requires authentication")
    if token.startswith("bad"):
        return scripted_error(401, "unknown")
    if call.fault_kind == "secondary_limit":
        return error(403, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
    return None


def _moved(call: Call, owner: str, name: str, number: int) -> Answer:
    rest = call.path.removeprefix(f"/github/repos/{owner}/{name}")
    url = f"http://{call.headers['host']}/github/repositories/{number}{rest}"
    status = 301 if call.method == "GET" else 307
    body = {"message": "Moved Permanently", "url": url, "documentation_url": _DOCS}
    return json_answer(status, body, {"location": url})
