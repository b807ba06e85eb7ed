"""Every table of a tenant, tried through PostgREST in every way by one asker after another: what is sent, and how the
answers read.

Lives here: what a valid row, a change and a call look like, and the lines of `rls_matrix.csv`. Not here: who asks and
what is expected (`test_rls_matrix.py`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, LiteralString, cast

import httpx
import psycopg

from tests.client.tenant import Tenant

CONTACT, POST = "c0000000-0000-4000-8000-000000000001", "50000000-0000-4000-8000-000000000001"
LISTING = "4e000000-0000-4000-8000-000000000001"
# A row that each table takes, of the columns that people may give. "{user}": the asker's own row in `users`.
NEW_ROWS: dict[str, dict[str, Any]] = {
    "activities": {"type": "note", "contact_id": CONTACT},
    "brand_rules": {"voice": "loud"},
    "client_custom_fields": {"entity": "lead", "entity_id": CONTACT},
    "consents": {"contact_id": CONTACT, "purpose": "marketing", "granted": True, "wording": "Yes", "source": "app"},
    "contacts": {"name": "Another"},
    "content_templates": {"name": "Another", "prompt_template": "Say {subject}"},
    "deals": {"contact_id": CONTACT, "title": "Another"},
    "ecommerce_products": {"sku": "TEA", "name": "Tea", "price_cents": 1},
    "notification_preferences": {"user_id": "{user}", "event": "usage_alert", "channel": "email", "mode": "off"},
    "posting_slots": {"weekday": 2, "at_local": "10:00"},
    "real_estate_listings": {"reference": "L2", "purpose": "rent", "kind": "land", "title": "B", "price_cents": 1},
    "real_estate_viewings": {"listing_id": LISTING, "contact_id": CONTACT, "starts_at": "2026-12-01T08:00:00Z"},
    "recurring_requests": {"name": "Another", "request": {}, "unit": "day", "at_local": "10:00"},
    "social_posts": {"content": "Another"},
    "user_permissions": {"user_id": "{user}", "permission": "billing.read"},
    "users": {"email": "another@kloof.example", "role": "viewer"},
}
# What is set on every row that the asker can reach.
CHANGES: dict[str, dict[str, Any]] = {
    "activities": {"notes": "changed"},
    "brand_rules": {"voice": "changed"},
    "client_custom_fields": {"data": {}},
    "contacts": {"name": "Changed"},
    "content_templates": {"description": "changed"},
    "deals": {"title": "Changed"},
    "ecommerce_products": {"name": "Changed"},
    "leads": {"status": "contacted"},
    "notification_preferences": {"mode": "off"},
    "notifications": {"read_at": "2026-11-03T08:00:00Z"},
    "onboarding_checklist": {"completed": True},
    "organizations": {"name": "Changed"},
    "posting_slots": {"platform_ids": []},
    "real_estate_listings": {"title": "Changed"},
    "real_estate_viewings": {"feedback": "changed"},
    "recurring_requests": {"is_paused": True},
    "social_posts": {"title": "Changed"},
    "user_permissions": {"resource": "changed"},
    "users": {"full_name": "Changed"},
}
CALLS: dict[str, dict[str, Any]] = {
    "acknowledge_alert": {"alert_id": "a1000000-0000-4000-8000-000000000001"},
    "answer_about_post": {"queue_id": POST, "action": "undo"},
    "append_audit": {"actor": "user:1", "action": "forged", "resource": "audit:1"},
    "approve_post": {"post_id": POST, "content_hash": "h"},
    "join_organization": {},
    "reject_post": {"post_id": POST, "content_hash": "h", "reason": "No"},
    "request_post_changes": {"post_id": POST, "content_hash": "h", "reason": "No"},
    "submit_post": {"post_id": POST},
    "verify_audit": {},
}
_TABLES = """
select relname::text as name,
       array(select attname::text from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped
             order by attnum) as columns
from pg_class c where relkind in ('r', 'p', 'v', 'm', 'f') and relnamespace = 'public'::regnamespace order by 1
"""
_MAY = "select array_agg(has_column_privilege('authenticated', %s, name, %s)) from unnest(%s::text[]) as name"
_MAY_DELETE = "select has_table_privilege('authenticated', %s, 'delete')"
_FUNCTIONS = """
select proname::text from pg_proc
where pronamespace = 'public'::regnamespace and prorettype <> 'trigger'::regtype order by 1
"""


def attempts(tenant: Tenant, askers: Mapping[str, tuple[str | None, str]]) -> Iterator[list[str]]:
    """A line for each table and way, then for each function: [name, way, rows, an answer per asker, columns].

    `askers` are names with a token (None: no session) and the id that is theirs in `users`. Nothing is kept: each write
    asks to be rolled back.
    """
    with psycopg.connect(tenant.dsn) as conn:
        tables = conn.execute(_TABLES).fetchall()
        functions = [name for (name,) in conn.execute(_FUNCTIONS)]
        grants = {
            (table, way): _granted(conn, table, columns, way) for table, columns in tables for way in _SENT_WITH_COLUMNS
        }
        rows = {table: _count(conn, table) for table, _ in tables}
        deletable = {table: conn.execute(_MAY_DELETE, [table]).fetchone() == (True,) for table, _ in tables}
    for table, columns in tables:
        for way in ("select", "insert", "update", "delete"):
            granted = grants.get((table, way), columns if deletable[table] else [])
            told = "*" if granted == columns else " ".join(granted) or "-"
            answers = [_try(tenant, table, way, granted, columns, *asker) for asker in askers.values()]
            yield [table, way, str(rows[table]), *answers, told]
    for name in functions:
        calls = [
            tenant.rest("POST", f"/rpc/{name}", CALLS[name], token=token, prefer="tx=rollback")
            for token, _ in askers.values()
        ]
        yield [name, "call", "-", *(_outcome(answer, done="runs") for answer in calls), "-"]


_SENT_WITH_COLUMNS = ("select", "insert", "update")


def _try(
    tenant: Tenant, table: str, way: str, granted: list[str], columns: list[str], token: str | None, user_id: str
) -> str:
    """Without a filter, as somebody would who wants all: what policies leave is the answer."""
    prefer = "count=exact, tx=rollback"
    if way == "select":
        path = f"/{table}?select={','.join(granted or columns[:1])}&limit=1"
        return _outcome(tenant.rest("GET", path, token=token, prefer=prefer))
    if way == "delete":
        return _outcome(tenant.rest("DELETE", f"/{table}", token=token, prefer=prefer))
    # Where nobody may write, the first column is as good as any: all are refused, and the columns are told apart.
    known = NEW_ROWS if way == "insert" else CHANGES
    assert (table in known) == bool(granted), f"{table}: {way} of {granted} needs its line in rls_attempts.py, or none"
    row = {
        name: user_id if value == "{user}" else value for name, value in known.get(table, {columns[0]: None}).items()
    }
    return _outcome(tenant.rest("POST" if way == "insert" else "PATCH", f"/{table}", row, token=token, prefer=prefer))


def _outcome(answer: httpx.Response, *, done: str = "") -> str:
    """How many rows, or `denied` by the database, or `401` where the token is no session.

    Raises:
        AssertionError: it is none of these.
    """
    if answer.is_success:
        return done or answer.headers["content-range"].split("/")[1]
    code = answer.json()["code"]
    if code == "42501":
        return "denied"
    if answer.status_code == 401 and code in ("PGRST301", "PGRST302"):
        return "401"
    if code == "23505":
        return "1"  # an organization has one such row: policies are asked before constraints
    # A function that went to work and found the wrong state of things has let the asker in.
    assert (bool(done), code) == (True, "22023"), f"{answer.request.method} {answer.request.url}: {answer.text}"
    return done


def _granted(conn: psycopg.Connection[Any], table: str, columns: list[str], way: str) -> list[str]:
    row = conn.execute(_MAY, [table, way, columns]).fetchone()
    assert row is not None
    return [name for name, is_granted in zip(columns, row[0], strict=True) if is_granted]


def _count(conn: psycopg.Connection[Any], table: str) -> int:
    row = conn.execute(cast(LiteralString, f'select count(*) from "{table}"')).fetchone()
    assert row is not None
    return row[0]
