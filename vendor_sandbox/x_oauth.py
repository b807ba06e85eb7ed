"""X's token endpoint: refresh tokens are good for one use and rotate; using one again revokes the whole family.

`sandbox-refresh-<account id>` is the first refresh token of every account. An access token lives `x_token_seconds`.
"""

import asyncio
import base64
import binascii
import secrets
from typing import Any
from urllib.parse import parse_qsl

from vendor_sandbox.social import Grant
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, json_answer

SCOPES = ("tweet.read", "tweet.write", "users.read", "media.write", "offline.access")
_FIRST = "sandbox-refresh-"
_REFRESH = "x:refresh"


async def token(call: Call, sandbox: Sandbox) -> Answer:
    """POST /2/oauth2/token with grant_type=refresh_token, as a confidential client."""
    await asyncio.sleep(sandbox.settings.social_latency_seconds)
    if not _is_client(call.headers.get("authorization", "")):
        return _refusal(401, "unauthorized_client", "Missing valid authorization header")
    form = dict(parse_qsl(call.body.decode("utf-8", "replace")))
    if form.get("grant_type") != "refresh_token":
        return _refusal(400, "invalid_request", "Value passed for the grant type was invalid.")
    old = form.get("refresh_token", "")
    grant = _grant_of(sandbox, old)
    if grant is None:
        return _refusal(400, "invalid_request", "Value passed for the token was invalid.")
    family = sandbox.social.limits.setdefault((_REFRESH, old), {"used": set(), "grants": []})
    if old in family["used"] or grant.is_revoked:
        for member in family["grants"]:
            member.is_revoked = True
        return _refusal(400, "invalid_request", "Value passed for the token was invalid.")
    return _rotate(sandbox, old, grant.account, family)


def _rotate(sandbox: Sandbox, old: str, account: str, family: dict[str, Any]) -> Answer:
    social, seconds = sandbox.social, sandbox.settings.x_token_seconds
    access, refresh = f"x-access-{secrets.token_urlsafe(24)}", f"x-refresh-{secrets.token_urlsafe(24)}"
    social.grant("x", access, account, seconds=seconds, scopes=list(SCOPES))
    social.grant(_REFRESH, refresh, account)
    family["used"].add(old)
    family["grants"] += [social.grants["x", access], social.grants[_REFRESH, refresh]]
    social.limits[_REFRESH, refresh] = family
    content = {
        "token_type": "bearer",
        "expires_in": int(seconds),
        "access_token": access,
        "refresh_token": refresh,
        "scope": " ".join(SCOPES),
    }
    return json_answer(200, content, {"cache-control": "no-store"})


def _grant_of(sandbox: Sandbox, refresh_token: str) -> Grant | None:
    if refresh_token.startswith(_FIRST):
        return sandbox.social.grants.get((_REFRESH, refresh_token)) or Grant(refresh_token.removeprefix(_FIRST))
    return sandbox.social.grants.get((_REFRESH, refresh_token))


def _is_client(header: str) -> bool:
    """HTTP Basic with some client id and secret; those that begin with `bad` are refused."""
    try:
        client, _, secret = base64.b64decode(header.removeprefix("Basic "), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return bool(header.startswith("Basic ") and client and secret) and not secret.startswith("bad")


def _refusal(status: int, error: str, description: str) -> Answer:
    return json_answer(status, {"error": error, "error_description": description})
