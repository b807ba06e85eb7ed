"""Becoming a person of a Supabase project, and coming in by mail, as a visitor asks for it: no admin's key.

Lives here: POST /signup, /otp, /recover, /resend, and POST /verify (a code or a link's token, without a redirect). Does
not live here: links themselves (`supabase_auth_links.py`), sessions (`supabase_auth_sessions.py`).
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from vendor_sandbox.supabase_auth_access import ROOT, Refused, Visit, for_keys
from vendor_sandbox.supabase_auth_links import confirmed, mail_link
from vendor_sandbox.supabase_auth_people import checked_email, encrypted, find_by_email, insert, shown
from vendor_sandbox.supabase_auth_sessions import check_password, open_session
from vendor_sandbox.wire import Answer, Route, json_answer


async def sign_up(visit: Visit) -> Answer:
    """POST /signup {"email", "password", "data", "code_challenge"}: the person, and a session only where the settings
    ask for no confirmation. An address that is taken looks the same as one that is free."""
    body, config = visit.body, visit.project.auth_config
    if config["disable_signup"]:
        raise Refused(422, "signup_disabled", "Signups not allowed for this instance")
    email = checked_email(body.get("email"))
    check_password(visit, body.get("password"))
    person = await find_by_email(visit.conn, email)
    if person and person["email_confirmed_at"]:
        if config["mailer_autoconfirm"]:
            raise Refused(422, "user_already_exists", "User already registered")
        return json_answer(200, _nobody(email))
    if person is None:
        person = await insert(
            visit.conn,
            uuid.uuid4(),
            email,
            is_confirmed=config["mailer_autoconfirm"],
            encrypted_password=encrypted(body["password"]),
            user_metadata=body.get("data") or {},
        )
    if person["email_confirmed_at"]:
        return json_answer(200, await open_session(visit, person, "password"))
    person = await mail_link(visit, person, "signup")
    return json_answer(200, await shown(visit.conn, person))


async def one_time_password(visit: Visit) -> Answer:
    """POST /otp {"email", "create_user", "data", "code_challenge"}: a magic link with a code, by mail."""
    body, config = visit.body, visit.project.auth_config
    email = checked_email(body.get("email"))
    person = await find_by_email(visit.conn, email)
    if person is None:
        if body.get("create_user") is False or config["disable_signup"]:
            raise Refused(422, "otp_disabled", "Signups not allowed for otp")
        person = await insert(visit.conn, uuid.uuid4(), email, is_confirmed=False, user_metadata=body.get("data") or {})
    await mail_link(visit, person, "magiclink" if person["email_confirmed_at"] else "signup")
    return json_answer(200, {})


async def recover(visit: Visit) -> Answer:
    """POST /recover {"email", "code_challenge"}: a link to a new password; for nobody it looks the same."""
    person = await find_by_email(visit.conn, checked_email(visit.body.get("email")))
    if person:
        await mail_link(visit, person, "recovery")
    return json_answer(200, {})


async def resend(visit: Visit) -> Answer:
    """POST /resend {"type": "signup", "email"}."""
    person = await find_by_email(visit.conn, checked_email(visit.body.get("email")))
    if person and not person["email_confirmed_at"]:
        await mail_link(visit, person, "signup")
    return json_answer(200, {})


async def verify(visit: Visit) -> Answer:
    """POST /verify {"type", "email", "token"} or {"type", "token_hash"}: a session."""
    body = visit.body
    person = await confirmed(
        visit,
        kind=str(body.get("type", "")),
        hashed=body.get("token_hash"),
        code=(str(body.get("email", "")).lower(), str(body.get("token", ""))),
    )
    if person is None:
        raise Refused(403, "otp_expired", "Token has expired or is invalid")
    return json_answer(200, await open_session(visit, person, "otp"))


def _nobody(email: str) -> dict[str, Any]:
    """What a sign-up with a taken address gets: a person that there is not, so that nobody learns who is here."""
    now = datetime.now(UTC).isoformat()
    return {
        "id": str(uuid.uuid4()),
        "aud": "authenticated",
        "role": "",
        "email": email,
        "phone": "",
        "confirmation_sent_at": now,
        "app_metadata": {"provider": "email", "providers": ["email"]},
        "user_metadata": {},
        "identities": [],
        "created_at": now,
        "updated_at": now,
        "is_anonymous": False,
    }


ROUTES = (
    Route("POST", f"{ROOT}/signup", for_keys(sign_up)),
    Route("POST", f"{ROOT}/otp", for_keys(one_time_password)),
    Route("POST", f"{ROOT}/recover", for_keys(recover)),
    Route("POST", f"{ROOT}/resend", for_keys(resend)),
    Route("POST", f"{ROOT}/verify", for_keys(verify)),
)
