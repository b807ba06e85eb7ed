"""Supabase Auth (GoTrue) of the sandbox, under /supabase/projects/{ref}/auth/v1: people, and the list of its routes.

Lives here: the admin's endpoints for people, whom it keeps in the project's own `auth.users`; health and settings.
Does not live here: keys and errors (`supabase_auth_access.py`), invitations and links (`supabase_auth_links.py`),
signing in (`supabase_auth_sessions.py`) and up (`supabase_auth_signup.py`).
"""

import re
import secrets
import uuid
from typing import Any

from psycopg.types.json import Jsonb

from vendor_sandbox import supabase_auth_links, supabase_auth_sessions, supabase_auth_signup
from vendor_sandbox.supabase_access import object_of
from vendor_sandbox.supabase_auth_access import ROOT, Refused, Visit, for_keys, scripted_error
from vendor_sandbox.supabase_auth_people import checked_email, encrypted, find_by_email, find_by_id, insert, shown
from vendor_sandbox.supabase_gateway import preflight
from vendor_sandbox.wire import Answer, Route, json_answer

__all__ = ["ROUTES", "scripted_error"]

_DURATION = re.compile(r"none|(\d+(\.\d+)?(ns|us|ms|s|m|h))+")
_PAGE = """
select *, count(*) over () as total from auth.users
where (%(filter)s = '' or email like %(like)s or raw_user_meta_data ->> 'full_name' ilike %(like)s)
order by created_at desc, id limit %(limit)s offset %(offset)s
"""


async def create(visit: Visit) -> Answer:
    """POST /admin/users: no mail is sent; a chosen `id` is taken."""
    body = visit.body
    if not body.get("email"):
        raise Refused(400, "validation_failed", "Cannot create a user without either an email or phone")
    email = checked_email(body["email"])
    if await find_by_email(visit.conn, email):
        raise Refused(422, "email_exists", "A user with this email address has already been registered")
    person = await insert(
        visit.conn,
        _chosen_id(body.get("id")),
        email,
        is_confirmed=body.get("email_confirm") is True,
        encrypted_password=encrypted(body.get("password") or secrets.token_urlsafe(48)),
        role=body.get("role") or "authenticated",
        user_metadata=body.get("user_metadata") or {},
        app_metadata=body.get("app_metadata") or {},
    )
    return json_answer(200, await shown(visit.conn, person))


async def list_people(visit: Visit) -> Answer:
    """GET /admin/users?page=&per_page=&filter=, newest first."""
    query = visit.call.query
    try:
        page, per_page = int(query.get("page") or 1), int(query.get("per_page") or 50)
    except ValueError:
        raise Refused(400, "validation_failed", "Bad Pagination Parameters") from None
    wanted = query.get("filter", "")
    values = {"filter": wanted, "like": f"%{wanted}%", "limit": per_page, "offset": (max(1, page) - 1) * per_page}
    rows = await (await visit.conn.execute(_PAGE, values)).fetchall()
    total = rows[0]["total"] if rows else 0
    last = -(-total // per_page)
    url = f"{visit.call.path}?per_page={per_page}&page="
    links = [f'<{url}{page + 1}>; rel="next"'] if last > page else []
    headers = {"x-total-count": str(total), "link": ", ".join([*links, f'<{url}{last}>; rel="last"'])}
    return json_answer(200, {"users": [await shown(visit.conn, row) for row in rows], "aud": "authenticated"}, headers)


async def show(visit: Visit, user_id: str) -> Answer:
    """GET /admin/users/{id}."""
    return json_answer(200, await shown(visit.conn, await _person(visit, user_id)))


async def update(visit: Visit, user_id: str) -> Answer:
    """PUT /admin/users/{id}: what is given is changed; metadata is merged."""
    person, body = await _person(visit, user_id), visit.body
    ban = body.get("ban_duration")
    if ban is not None and not _DURATION.fullmatch(str(ban)):
        raise Refused(400, "validation_failed", "invalid format for ban duration")
    email = checked_email(body["email"]) if body.get("email") else None
    other = await find_by_email(visit.conn, email) if email else None
    if other and other["id"] != person["id"]:
        raise Refused(500, "unexpected_failure", "Error updating user")
    row = await (
        await visit.conn.execute(
            "update auth.users set email = coalesce(%s, email), encrypted_password = coalesce(%s, encrypted_password),"
            " email_confirmed_at = case when %s then coalesce(email_confirmed_at, now()) else email_confirmed_at end,"
            " raw_user_meta_data = raw_user_meta_data || %s, raw_app_meta_data = raw_app_meta_data || %s,"
            " banned_until = case %s::text when '' then banned_until when 'none' then null"
            " else now() + interval '100 years' end, updated_at = now() where id = %s returning *",
            [
                email,
                encrypted(body["password"]) if body.get("password") else None,
                body.get("email_confirm") is True,
                Jsonb(body.get("user_metadata") or {}),
                Jsonb(body.get("app_metadata") or {}),
                ban or "",
                person["id"],
            ],
        )
    ).fetchone()
    assert row is not None
    return json_answer(200, await shown(visit.conn, row))


async def delete(visit: Visit, user_id: str) -> Answer:
    """DELETE /admin/users/{id} {"should_soft_delete"}."""
    person = await _person(visit, user_id)
    if (object_of(visit.call) or {}).get("should_soft_delete"):
        await visit.conn.execute(
            "update auth.users set deleted_at = now(), email = md5(email), encrypted_password = '' where id = %s",
            [person["id"]],
        )
    else:
        await visit.conn.execute("delete from auth.users where id = %s", [person["id"]])
    return json_answer(200, {})


async def health(visit: Visit) -> Answer:
    """GET /health."""
    return json_answer(
        200, {"version": "v2.189.0", "name": "GoTrue", "description": "GoTrue is a user registration and auth API"}
    )


async def settings(visit: Visit) -> Answer:
    """GET /settings: what a sign-in page must know."""
    config = visit.project.auth_config
    content = {
        "external": {"email": config["external_email_enabled"], "phone": config["external_phone_enabled"]},
        "disable_signup": config["disable_signup"],
        "mailer_autoconfirm": config["mailer_autoconfirm"],
        "phone_autoconfirm": False,
        "sms_provider": "twilio",
        "saml_enabled": False,
    }
    return json_answer(200, content)


def _chosen_id(text: object) -> uuid.UUID:
    if not text:
        return uuid.uuid4()
    try:
        chosen = uuid.UUID(str(text))
    except ValueError:
        raise Refused(400, "validation_failed", "ID must conform to the uuid v4 format") from None
    if chosen.int == 0:
        raise Refused(400, "validation_failed", "ID cannot be a nil uuid")
    return chosen


async def _person(visit: Visit, user_id: str) -> dict[str, Any]:
    try:
        person = await find_by_id(visit.conn, uuid.UUID(user_id))
    except ValueError:
        raise Refused(404, "validation_failed", "user_id must be an UUID") from None
    if person is None:
        raise Refused(404, "user_not_found", "User not found")
    return person


ROUTES = (
    Route("POST", f"{ROOT}/admin/users", for_keys(create, is_admin=True)),
    Route("GET", f"{ROOT}/admin/users", for_keys(list_people, is_admin=True)),
    Route("GET", f"{ROOT}/admin/users/{{user_id}}", for_keys(show, is_admin=True)),
    Route("PUT", f"{ROOT}/admin/users/{{user_id}}", for_keys(update, is_admin=True)),
    Route("DELETE", f"{ROOT}/admin/users/{{user_id}}", for_keys(delete, is_admin=True)),
    Route("GET", f"{ROOT}/health", for_keys(health)),
    Route("GET", f"{ROOT}/settings", for_keys(settings)),
    Route("OPTIONS", f"{ROOT}/*", preflight),
    *supabase_auth_links.ROUTES,
    *supabase_auth_sessions.ROUTES,
    *supabase_auth_signup.ROUTES,
)
