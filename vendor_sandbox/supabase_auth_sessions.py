"""Sessions of a Supabase project's Auth: signing in, refreshing, who is signed in, signing out.

Lives here: POST /token, GET and PUT /user, POST /logout, the JWKS; sessions and refresh tokens in the project's own
`auth` tables. Does not live here: becoming a person and links by mail (`supabase_auth_signup.py`,
`supabase_auth_links.py`), the signature (`supabase_tokens.py`).

Source: https://supabase.com/docs/guides/auth/sessions, and the JSON of GoTrue 2.189.
"""

import base64
import hashlib
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
from psycopg.types.json import Jsonb

from vendor_sandbox.supabase_auth_access import ROOT, Refused, Visit, for_anybody, for_keys, refused
from vendor_sandbox.supabase_auth_people import Person, encrypted, find_by_email, find_by_id, matches, shown
from vendor_sandbox.wire import Answer, Route, json_answer

# A second tab that refreshes with the same token at the same moment is no thief.
_REUSE_SECONDS = 10
_FIND_TOKEN = """
select t.*, s.user_id as person_id, t.updated_at < now() - make_interval(secs => %s) as is_old
from auth.refresh_tokens t join auth.sessions s on s.id = t.session_id where t.token = %s for update of s
"""


async def token(visit: Visit) -> Answer:
    """POST /token?grant_type=password|refresh_token|pkce."""
    grants: dict[str, Callable[[Visit], Awaitable[Answer]]] = {
        "password": _by_password,
        "refresh_token": _by_refresh_token,
        "pkce": _by_code,
    }
    grant = grants.get(visit.call.query.get("grant_type", ""))
    if grant is None:
        raise Refused(400, "invalid_credentials", "unsupported_grant_type")
    return await grant(visit)


async def open_session(visit: Visit, person: Person, method: str) -> dict[str, Any]:
    """A new session of somebody who has shown who they are, as Auth's JSON.

    Raises:
        Refused: they are banned.
    """
    row = await (
        await visit.conn.execute(
            "update auth.users set last_sign_in_at = now(), updated_at = now()"
            " where id = %s and (banned_until is null or banned_until < now()) returning *",
            [person["id"]],
        )
    ).fetchone()
    if row is None:
        raise Refused(400, "user_banned", "User is banned")
    session_id = uuid.uuid4()
    await visit.conn.execute(
        "insert into auth.sessions (id, user_id, created_at, updated_at, aal) values (%s, %s, now(), now(), 'aal1')",
        [session_id, person["id"]],
    )
    return await _with_tokens(visit, row, session_id, method, parent=None)


async def show_own(visit: Visit) -> Answer:
    """GET /user: the person whose access token it is."""
    return json_answer(200, await shown(visit.conn, (await _signed_in(visit))[0]))


async def change_own(visit: Visit) -> Answer:
    """PUT /user {"password", "data"}. A new address would need two mails, and the sandbox does not take one."""
    person, _ = await _signed_in(visit)
    body = visit.body
    if body.get("email") not in (None, person["email"]):
        raise Refused(422, "email_change_not_offered", "the sandbox changes no addresses")
    if password := body.get("password"):
        check_password(visit, password)
        if matches(password, person["encrypted_password"]):
            raise Refused(422, "same_password", "New password should be different from the old password.")
    row = await (
        await visit.conn.execute(
            "update auth.users set encrypted_password = coalesce(%s, encrypted_password),"
            " raw_user_meta_data = raw_user_meta_data || %s, updated_at = now() where id = %s returning *",
            [encrypted(password) if password else None, Jsonb(body.get("data") or {}), person["id"]],
        )
    ).fetchone()
    assert row is not None
    return json_answer(200, await shown(visit.conn, row))


async def log_out(visit: Visit) -> Answer:
    """POST /logout?scope=global|local|others: 204. Access tokens live on until they expire."""
    person, session_id = await _signed_in(visit)
    scope = visit.call.query.get("scope", "global")
    await visit.conn.execute(
        "delete from auth.sessions where user_id = %(person)s"
        " and case %(scope)s when 'local' then id = %(session)s when 'others' then id <> %(session)s else true end",
        {"person": person["id"], "session": session_id, "scope": scope},
    )
    return Answer(204)


async def jwks(visit: Visit) -> Answer:
    """GET /.well-known/jwks.json."""
    return json_answer(200, visit.project.signer.jwks(), {"cache-control": "public, max-age=600"})


def check_password(visit: Visit, password: object) -> None:
    """Raises:
    Refused: shorter than the project's settings ask for.
    """
    least = visit.project.auth_config["password_min_length"]
    if not isinstance(password, str) or len(password) < least:
        raise Refused(422, "weak_password", f"Password should be at least {least} characters.")


async def _by_password(visit: Visit) -> Answer:
    email, password = str(visit.body.get("email", "")).lower(), str(visit.body.get("password", ""))
    person = await find_by_email(visit.conn, email)
    if person is None or not matches(password, person["encrypted_password"]):
        raise Refused(400, "invalid_credentials", "Invalid login credentials")
    if not person["email_confirmed_at"]:
        raise Refused(400, "email_not_confirmed", "Email not confirmed")
    return json_answer(200, await open_session(visit, person, "password"))


async def _by_refresh_token(visit: Visit) -> Answer:
    """Each is good once. One that is used again later ends the whole session: somebody else has it too."""
    sent = str(visit.body.get("refresh_token", ""))
    row = await (await visit.conn.execute(_FIND_TOKEN, [_REUSE_SECONDS, sent])).fetchone()
    if row is None:
        raise Refused(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
    if row["revoked"] and row["is_old"]:
        await visit.conn.execute("delete from auth.sessions where id = %s", [row["session_id"]])
        return refused(visit.call, 400, "refresh_token_already_used", "Invalid Refresh Token: Already Used")
    await visit.conn.execute(
        "update auth.refresh_tokens set revoked = true, updated_at = now() where id = %s and not revoked", [row["id"]]
    )
    person = await find_by_id(visit.conn, row["person_id"])
    assert person is not None
    return json_answer(200, await _with_tokens(visit, person, row["session_id"], "token_refresh", parent=sent))


async def _by_code(visit: Visit) -> Answer:
    """What a link of the PKCE flow (RFC 7636) leads to: the browser that asked for it shows its verifier."""
    rows = await visit.conn.execute(
        "delete from auth.flow_state where auth_code = %s returning *", [str(visit.body.get("auth_code", ""))]
    )
    flow = await rows.fetchone()
    if flow is None or flow["user_id"] is None:
        raise Refused(404, "flow_state_not_found", "invalid flow state, no valid flow state found")
    verifier = str(visit.body.get("code_verifier", ""))
    hashed = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    shown_challenge = verifier if flow["code_challenge_method"] == "plain" else hashed
    if not secrets.compare_digest(shown_challenge, flow["code_challenge"]):
        raise Refused(400, "bad_code_verifier", "code challenge does not match previously saved code verifier")
    person = await find_by_id(visit.conn, flow["user_id"])
    assert person is not None
    return json_answer(200, await open_session(visit, person, flow["authentication_method"]))


async def _signed_in(visit: Visit) -> tuple[Person, uuid.UUID]:
    """Whose access token it is, and of which session.

    Raises:
        Refused: it is not ours, has expired, or its session has ended.
    """
    try:
        claims = visit.project.signer.claims_of(visit.bearer())
    except jwt.InvalidTokenError as error:
        raise Refused(403, "bad_jwt", f"invalid JWT: unable to parse or verify signature, {error}") from None
    if "session_id" not in claims:
        raise Refused(403, "bad_jwt", "invalid claim: missing sub claim")
    rows = await visit.conn.execute(
        "select u.* from auth.sessions s join auth.users u on u.id = s.user_id where s.id = %s and u.id = %s",
        [claims["session_id"], claims["sub"]],
    )
    person = await rows.fetchone()
    if person is None:
        raise Refused(403, "session_not_found", "Session from session_id claim in JWT does not exist")
    return person, uuid.UUID(claims["session_id"])


async def _with_tokens(
    visit: Visit, person: Person, session_id: uuid.UUID, method: str, *, parent: str | None
) -> dict[str, Any]:
    """The session as Auth's JSON, with a fresh pair of tokens."""
    refresh_token, now = secrets.token_urlsafe(9), int(time.time())
    seconds = visit.project.auth_config["jwt_exp"]
    await visit.conn.execute(
        "insert into auth.refresh_tokens (token, user_id, session_id, parent, created_at, updated_at)"
        " values (%s, %s, %s, %s, now(), now())",
        [refresh_token, str(person["id"]), session_id, parent],
    )
    claims = {
        "iss": visit.base,
        "sub": str(person["id"]),
        "aud": person["aud"],
        "exp": now + seconds,
        "iat": now,
        "email": person["email"],
        "phone": person["phone"] or "",
        "app_metadata": person["raw_app_meta_data"],
        "user_metadata": person["raw_user_meta_data"],
        "role": person["role"],
        "aal": "aal1",
        "amr": [{"method": method, "timestamp": now}],
        "session_id": str(session_id),
        "is_anonymous": person["is_anonymous"],
    }
    return {
        "access_token": visit.project.signer.sign(claims),
        "token_type": "bearer",
        "expires_in": seconds,
        "expires_at": now + seconds,
        "refresh_token": refresh_token,
        "user": await shown(visit.conn, person),
    }


ROUTES = (
    Route("POST", f"{ROOT}/token", for_keys(token)),
    Route("GET", f"{ROOT}/user", for_keys(show_own)),
    Route("PUT", f"{ROOT}/user", for_keys(change_own)),
    Route("POST", f"{ROOT}/logout", for_keys(log_out)),
    Route("GET", f"{ROOT}/.well-known/jwks.json", for_anybody(jwks)),
)
