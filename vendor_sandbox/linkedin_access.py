"""LinkedIn: which version is asked for, who asks, and how LinkedIn words a refusal.

Lives here: the checks that come before every endpoint, error bodies, tokens. Does not live here: what an endpoint
does (`linkedin.py`, `linkedin_images.py`, `linkedin_comments.py`).
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from vendor_sandbox.social import Grant
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Handler, json_answer

READ, WRITE, ADMIN = "r_organization_social", "w_organization_social", "rw_organization_admin"
TOKEN_SECONDS = 5_184_000
REFRESH_TOKEN_SECONDS = 31_536_000
_FIRST_REFRESH_TOKEN = "sandbox-refresh-"
_WORDS = {
    401: ("INVALID_ACCESS_TOKEN", 65600, "Invalid access token"),
    403: ("ACCESS_DENIED", 100, "Not enough permissions to access: posts.CREATE.NO_VERSION"),
    404: ("NOT_FOUND", 0, "Entity not found"),
    426: ("NONEXISTENT_VERSION", None, "Requested version is not active"),
    429: (
        "TOO_MANY_REQUESTS",
        101,
        "Resource level throttle APPLICATION DAY limit for calls to this resource is reached.",
    ),
}

Work = Callable[..., Answer]


def guarded(scope: str, work: Work) -> Handler:
    """The handler of an endpoint: latency, version and token first, then `work(call, sandbox, account, ...)`."""

    async def handle(call: Call, sandbox: Sandbox, **parts: str) -> Answer:
        await asyncio.sleep(sandbox.settings.social_latency_seconds)
        if call.fault_kind == "daily_limit":
            return scripted_error(429, "daily_limit")
        refused = _check_version(call, sandbox)
        if refused:
            return refused
        grant = grant_of(call, sandbox)
        if isinstance(grant, Answer):
            return grant
        if grant.scopes is not None and scope not in grant.scopes:
            return scripted_error(403, "scope")
        return work(call, sandbox, grant.account, **parts)

    return handle


def grant_of(call: Call, sandbox: Sandbox) -> Grant | Answer:
    """Whom the bearer token speaks for, or LinkedIn's 401."""
    grant = sandbox.social.account_of("linkedin", call.headers.get("authorization", "").removeprefix("Bearer ").strip())
    if grant is None:
        return scripted_error(401, "unknown")
    if grant.is_revoked:
        return error(401, "REVOKED_ACCESS_TOKEN", "The token used in the request has been revoked by the user", 65601)
    return scripted_error(401, "expired_token") if grant.is_expired else grant


def is_account(urn: object, account: str) -> bool:
    """True if an organization's URN means this account, which tokens may name with or without `urn:li:...`."""
    return isinstance(urn, str) and bare(urn) == bare(account)


def bare(account: str) -> str:
    return account.removeprefix("urn:li:organization:")


def error(status: int, code: str, message: str, service_code: int | None = None) -> Answer:
    body: dict[str, Any] = {"status": status, "code": code, "message": message}
    if service_code is not None:
        body["serviceErrorCode"] = service_code
    return json_answer(status, body, {"x-li-uuid": secrets.token_urlsafe(16)})


def input_error(status: int, code: str, message: str, field: str | None = None) -> Answer:
    """A refusal of the content, as /rest/posts words it."""
    where = {"inputPath": {"fieldPath": field}} if field else {}
    body = {
        "errorDetailType": "com.linkedin.common.error.BadRequest",
        "message": message,
        "errorDetails": {"inputErrors": [{"description": message, "input": where, "code": code}]},
        "status": status,
    }
    return json_answer(status, body, {"x-li-uuid": secrets.token_urlsafe(16)})


def scripted_error(status: int, kind: str) -> Answer:
    """The error that a fault script asks for by its status."""
    if status < 400:
        return json_answer(status, {})
    if kind == "expired_token":
        return error(401, "EXPIRED_ACCESS_TOKEN", "The token used in the request has expired", 65602)
    code, service_code, message = _WORDS.get(status, ("INTERNAL_SERVER_ERROR", 0, "Internal Server Error"))
    return error(status, code, message, service_code)


async def token(call: Call, sandbox: Sandbox) -> Answer:
    """POST /oauth/v2/accessToken with grant_type=refresh_token. The refresh token stays the same.

    `sandbox-refresh-<account id>` is a refresh token of every account.
    """
    await asyncio.sleep(sandbox.settings.social_latency_seconds)
    form = dict(parse_qsl(call.body.decode("utf-8", "replace")))
    if form.get("grant_type") != "refresh_token":
        return _oauth_error(400, "unsupported_grant_type", "Unsupported grant type")
    if not form.get("client_id") or form.get("client_secret", "bad").startswith("bad"):
        return _oauth_error(401, "invalid_client", "Client authentication failed")
    old = form.get("refresh_token", "")
    grant = sandbox.social.grants.get(("linkedin:refresh", old))
    if grant is None and old.startswith(_FIRST_REFRESH_TOKEN):
        grant = Grant(old.removeprefix(_FIRST_REFRESH_TOKEN))
    if grant is None or grant.is_revoked or grant.is_expired:
        return _oauth_error(400, "invalid_grant", "The provided authorization grant or refresh token is invalid")
    access = f"linkedin-access-{secrets.token_urlsafe(24)}"
    sandbox.social.grant("linkedin", access, grant.account, seconds=TOKEN_SECONDS)
    content = {
        "access_token": access,
        "expires_in": TOKEN_SECONDS,
        "refresh_token": old,
        "refresh_token_expires_in": REFRESH_TOKEN_SECONDS,
        "scope": f"{READ},{WRITE},{ADMIN}",
    }
    return json_answer(200, content)


def _check_version(call: Call, sandbox: Sandbox) -> Answer | None:
    version = call.headers.get("linkedin-version")
    if not version:
        message = "A version must be present. Please specify a version by adding the LinkedIn-Version header."
        return error(400, "VERSION_MISSING", message)
    if version not in sandbox.settings.linkedin_versions.split(","):
        return error(426, "NONEXISTENT_VERSION", f"Requested version {version}01 is not active")
    if call.headers.get("x-restli-protocol-version") != "2.0.0":
        return error(400, "ILLEGAL_ARGUMENT", "Syntax exception in path variables")
    return None


def _oauth_error(status: int, name: str, description: str) -> Answer:
    return json_answer(status, {"error": name, "error_description": description})
