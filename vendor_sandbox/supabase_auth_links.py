"""Invitations and action links of a Supabase project's Auth, and what happens when somebody opens one.

Lives here: POST /invite, POST /admin/generate_link, GET /verify, which redirects may be asked for. Does not live
here: the people (`supabase_auth_people.py`), who asks for one without an admin's key (`supabase_auth_signup.py`).
"""

import fnmatch
import hashlib
import secrets
import uuid
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from psycopg.sql import SQL

from vendor_sandbox.supabase_access import object_of
from vendor_sandbox.supabase_auth_access import ROOT, Refused, Visit, for_anybody, for_keys
from vendor_sandbox.supabase_auth_people import Person, checked_email, find_by_email, insert, shown
from vendor_sandbox.supabase_auth_sessions import open_session
from vendor_sandbox.wire import Answer, Route, json_answer

_EMAIL_EXISTS = (422, "email_exists", "A user with this email address has already been registered")
_TYPES = ("signup", "invite", "magiclink", "recovery")
_RECOVERY = ("magiclink", "recovery")
_PKCE = "pkce_"


async def generate_link(visit: Visit) -> Answer:
    """POST /admin/generate_link {"type", "email", "data", "redirect_to"}: sends nothing.

    A magic link for somebody unknown becomes a sign-up; an invitation or a sign-up makes the person.
    """
    body = object_of(visit.call) or {}
    email, kind = checked_email(body.get("email")), body.get("type")
    if kind not in _TYPES:
        raise Refused(400, "validation_failed", f"Invalid email action link type requested: {kind}")
    person = await find_by_email(visit.conn, email)
    if person is None and kind == "recovery":
        raise Refused(404, "user_not_found", "User with this email not found")
    kind = "signup" if person is None and kind == "magiclink" else kind
    if person and kind not in _RECOVERY and person["email_confirmed_at"]:
        raise Refused(*_EMAIL_EXISTS)
    if person is None:
        person = await insert(visit.conn, uuid.uuid4(), email, is_confirmed=False, user_metadata=body.get("data") or {})
    target = _redirect(visit, body.get("redirect_to") or visit.call.query.get("redirect_to"))
    otp, hashed, person = await _issue(visit, person, kind)
    content = {
        "action_link": _link(visit, hashed, kind, target),
        "email_otp": otp,
        "hashed_token": hashed,
        "verification_type": kind,
        "redirect_to": target,
    }
    return json_answer(200, await shown(visit.conn, person) | content)


async def invite(visit: Visit) -> Answer:
    """POST /invite?redirect_to= {"email", "data"}: makes the person and sends a mail, again where it was not used.

    The mailer that a project starts with writes to the project's own team only.
    """
    body = object_of(visit.call) or {}
    email = checked_email(body.get("email"))
    person = await find_by_email(visit.conn, email)
    if person and person["email_confirmed_at"]:
        raise Refused(*_EMAIL_EXISTS)
    if person is None:
        person = await insert(visit.conn, uuid.uuid4(), email, is_confirmed=False, user_metadata=body.get("data") or {})
    person = await mail_link(visit, person, "invite")
    return json_answer(200, await shown(visit.conn, person))


async def mail_link(visit: Visit, person: Person, kind: str) -> Person:
    """Send somebody a link with a code; where the asker gave a `code_challenge`, it leads to a code for its browser.

    Raises:
        Refused: the project has no mailer of its own; the one that it starts with writes to its own team only.
    """
    if not visit.project.auth_config["smtp_host"]:
        message = f'Email address "{person["email"]}" cannot be used as it is not authorized'
        raise Refused(400, "email_address_not_authorized", message)
    otp, hashed, person = await _issue(visit, person, kind)
    challenge = (object_of(visit.call) or {}).get("code_challenge")
    if isinstance(challenge, str) and challenge:
        method = str((object_of(visit.call) or {}).get("code_challenge_method") or "plain").lower()
        await visit.conn.execute("delete from auth.flow_state where user_id = %s", [person["id"]])
        await visit.conn.execute(
            "insert into auth.flow_state (id, user_id, auth_code, code_challenge_method, code_challenge,"
            " authentication_method, created_at) values (%s, %s, %s, %s, %s, %s, now())",
            [uuid.uuid4(), person["id"], str(uuid.uuid4()), method, challenge, kind],
        )
    link = _link(visit, hashed, kind, _redirect(visit, visit.call.query.get("redirect_to")), is_pkce=bool(challenge))
    visit.sandbox.public.append(
        {
            "kind": "supabase_mail",
            "ref": visit.project.ref,
            "to": person["email"],
            "type": kind,
            "link": link,
            "code": otp,
        }
    )
    return person


async def verify(visit: Visit) -> Answer:
    """GET /verify?token=&type=&redirect_to=: what a click on a link does. Good once, and for `mailer_otp_exp` seconds;
    303 to the target with a session, or with an error, behind a #; with a `code` for the browser that asked by PKCE."""
    query = visit.call.query
    target, token = _redirect(visit, query.get("redirect_to")), query.get("token", "")
    person = await confirmed(visit, kind=query.get("type", ""), hashed=token.removeprefix(_PKCE))
    if person is None:
        problem = {
            "error": "access_denied",
            "error_code": "otp_expired",
            "error_description": "Email link is invalid or has expired",
        }
        return Answer(303, headers={"location": f"{target}#{urlencode(problem)}"})
    if token.startswith(_PKCE):
        rows = await visit.conn.execute("select auth_code from auth.flow_state where user_id = %s", [person["id"]])
        flow = await rows.fetchone()
        separator = "&" if "?" in target else "?"
        return Answer(303, headers={"location": f"{target}{separator}code={flow['auth_code'] if flow else ''}"})
    session = await open_session(visit, person, "otp")
    content = {name: value for name, value in session.items() if name != "user"} | {"type": query.get("type", "")}
    return Answer(303, headers={"location": f"{target}#{urlencode(content)}"})


async def confirmed(visit: Visit, *, kind: str, hashed: str | None, code: tuple[str, str] = ("", "")) -> Person | None:
    """The person to whom an open token belongs, by its hash or by address and code, which is then used up. Their
    address counts as confirmed. `kind` "email" is any."""
    token = hashed or hashlib.sha224("".join(code).encode()).hexdigest()
    rows = await visit.conn.execute(
        "select * from auth.users where %s in (confirmation_token, recovery_token)"
        " and greatest(confirmation_sent_at, recovery_sent_at) > now() - make_interval(secs => %s)",
        [token, visit.project.auth_config["mailer_otp_exp"]],
    )
    fields = {"email": ("recovery", "confirmation")}.get(kind, ("recovery" if kind in _RECOVERY else "confirmation",))
    async for row in rows:
        if any(row[f"{field}_token"] == token and row[f"{field}_sent_at"] for field in fields):
            changed = await visit.conn.execute(
                "update auth.users set confirmation_token = '', recovery_token = '', updated_at = now(),"
                " email_confirmed_at = coalesce(email_confirmed_at, now()) where id = %s returning *",
                [row["id"]],
            )
            return await changed.fetchone()
    return None


async def _issue(visit: Visit, person: Person, kind: str) -> tuple[str, str, Person]:
    """A fresh one-time token in place of the last one of its sort: (code, its hash, the person)."""
    otp = "".join(secrets.choice("0123456789") for _ in range(visit.project.auth_config["mailer_otp_length"]))
    hashed = hashlib.sha224(f"{person['email']}{otp}".encode()).hexdigest()
    changes = {
        "recovery": SQL("recovery_token = %(token)s, recovery_sent_at = now()"),
        "confirmation": SQL("confirmation_token = %(token)s, confirmation_sent_at = now()"),
        "invite": SQL("confirmation_token = %(token)s, confirmation_sent_at = now(), invited_at = now()"),
    }
    change = changes["recovery" if kind in _RECOVERY else "invite" if kind == "invite" else "confirmation"]
    row = await (
        await visit.conn.execute(
            SQL("update auth.users set {} where id = %(id)s returning *").format(change),
            {"token": hashed, "id": person["id"]},
        )
    ).fetchone()
    assert row is not None
    return otp, hashed, row


def _link(visit: Visit, hashed: str, kind: str, target: str, *, is_pkce: bool = False) -> str:
    token = f"{_PKCE if is_pkce else ''}{hashed}"
    return f"{visit.base}/verify?token={token}&type={kind}&redirect_to={quote(target, safe=':/')}"


def _redirect(visit: Visit, wanted: Any) -> str:
    """The wanted target where the project's settings allow it, else its `site_url`: without a word."""
    config = visit.project.auth_config
    site = config["site_url"]
    if not isinstance(wanted, str) or not wanted:
        return site
    allowed = [pattern.strip() for pattern in (config["uri_allow_list"] or "").split(",") if pattern.strip()]
    is_own = urlsplit(wanted).hostname == urlsplit(site).hostname
    return wanted if is_own or any(fnmatch.fnmatchcase(wanted, pattern) for pattern in allowed) else site


ROUTES = (
    Route("POST", f"{ROOT}/admin/generate_link", for_keys(generate_link, is_admin=True)),
    Route("POST", f"{ROOT}/invite", for_keys(invite, is_admin=True)),
    Route("GET", f"{ROOT}/verify", for_anybody(verify)),
)
