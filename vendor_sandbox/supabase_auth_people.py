"""The people of a Supabase project, in its own `auth.users` and `auth.identities`.

Lives here: finding them, adding one, their passwords, showing one as Auth's JSON. Does not live here: the endpoints
(`supabase_auth.py`, `supabase_auth_links.py`).
"""

import hashlib
import hmac
import re
import secrets
import uuid
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from vendor_sandbox.supabase_auth_access import Refused
from vendor_sandbox.supabase_databases import Connection

Person = dict[str, Any]
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# Auth leaves out of its JSON what is not set.
_OPTIONAL_TIMES = (
    *("email_confirmed_at", "invited_at", "confirmation_sent_at", "confirmed_at", "recovery_sent_at"),
    *("last_sign_in_at", "banned_until", "deleted_at"),
)


def encrypted(password: str) -> str:
    """A password as it is kept: salt and scrypt hash, quick rather than strong."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}${_hashed(password, salt)}"


def matches(password: str, kept: str) -> bool:
    salt, _, hashed = kept.partition("$")
    return bool(hashed) and hmac.compare_digest(_hashed(password, bytes.fromhex(salt)), hashed)


def checked_email(text: object) -> str:
    email = str(text).lower()
    if not _EMAIL.fullmatch(email):
        raise Refused(400, "validation_failed", "Unable to validate email address: invalid format")
    return email


async def find_by_email(conn: Connection, email: str) -> Person | None:
    return await (await conn.execute("select * from auth.users where email = %s", [email])).fetchone()


async def find_by_id(conn: Connection, user_id: uuid.UUID) -> Person | None:
    return await (await conn.execute("select * from auth.users where id = %s", [user_id])).fetchone()


async def insert(
    conn: Connection,
    user_id: uuid.UUID,
    email: str,
    *,
    is_confirmed: bool,
    encrypted_password: str = "",
    role: str = "authenticated",
    user_metadata: dict[str, Any],
    app_metadata: dict[str, Any] | None = None,
) -> Person:
    """Add a person with an identity by e-mail."""
    metadata = {"provider": "email", "providers": ["email"], **(app_metadata or {})}
    try:
        async with conn.transaction():
            row = await (
                await conn.execute(
                    "insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at,"
                    " raw_app_meta_data, raw_user_meta_data, created_at, updated_at) values"
                    " ('00000000-0000-0000-0000-000000000000', %s, 'authenticated', %s, %s, %s,"
                    " case when %s then now() end, %s, %s, now(), now()) returning *",
                    [user_id, role, email, encrypted_password, is_confirmed, Jsonb(metadata), Jsonb(user_metadata)],
                )
            ).fetchone()
    except psycopg.errors.UniqueViolation:
        raise Refused(500, "unexpected_failure", "Database error creating new user") from None
    data = {"sub": str(user_id), "email": email, "email_verified": is_confirmed, "phone_verified": False}
    await conn.execute(
        "insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at,"
        " updated_at) values (%s, %s, %s, 'email', now(), now(), now())",
        [str(user_id), user_id, Jsonb(data)],
    )
    assert row is not None
    return row


async def shown(conn: Connection, person: Person) -> dict[str, Any]:
    """A person as Auth's JSON: no hashes, no tokens."""
    identities = await (
        await conn.execute("select * from auth.identities where user_id = %s order by created_at", [person["id"]])
    ).fetchall()
    content: dict[str, Any] = {
        "id": str(person["id"]),
        "aud": person["aud"],
        "role": person["role"],
        "email": person["email"],
        "phone": person["phone"] or "",
        "app_metadata": person["raw_app_meta_data"],
        "user_metadata": person["raw_user_meta_data"],
        "identities": [
            {
                "identity_id": str(row["id"]),
                "id": row["provider_id"],
                "user_id": str(row["user_id"]),
                "identity_data": row["identity_data"],
                "provider": row["provider"],
                "last_sign_in_at": _time(row["last_sign_in_at"]),
                "created_at": _time(row["created_at"]),
                "updated_at": _time(row["updated_at"]),
                "email": row["email"],
            }
            for row in identities
        ],
        "created_at": _time(person["created_at"]),
        "updated_at": _time(person["updated_at"]),
        "is_anonymous": person["is_anonymous"],
    }
    return content | {name: _time(person[name]) for name in _OPTIONAL_TIMES if person[name]}


def _hashed(password: str, salt: bytes) -> str:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**4, r=8, p=1).hex()


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
