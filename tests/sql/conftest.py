"""A tenant database of one's own, with one person per role, and sessions as the API opens them."""

import contextlib
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, LiteralString, cast

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.resources.migrations import create_tenant_database
from draggonnb_pipelines.resources.postgres import dsn_for

ROLES = ("owner", "admin", "editor", "approver", "viewer")
ORGANIZATION_ID = "00000000-0000-4000-8000-000000000001"

Connection = psycopg.Connection[dict[str, Any]]
Cursor = psycopg.Cursor[dict[str, Any]]
OpenSession = Callable[[str], AbstractContextManager[Connection]]


def auth_id(person: str) -> str:
    """The id in Supabase Auth of the person that a test calls `person`."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{person}.example"))


def execute(conn: Connection, query: str, *parameters: Any) -> Cursor:
    """Run SQL that a test puts together itself; a query without parameters may hold a percent sign."""
    return conn.execute(cast(LiteralString, query), parameters or None)


def value(conn: Connection, query: str, *parameters: Any) -> Any:
    """The one value that a query returns."""
    row = execute(conn, query, *parameters).fetchone()
    assert row is not None, "the query returned no row"
    return next(iter(row.values()))


def _fill(conn: Connection) -> None:
    conn.execute(
        "insert into organizations (id, slug, name) values (%s, 'kloof-coffee', 'Kloof Coffee')", [ORGANIZATION_ID]
    )
    for role in ROLES:
        conn.execute(
            "insert into users (email, role, auth_user_id) values (%s, %s, %s)",
            [f"{role}@kloof-coffee.example", role, auth_id(role)],
        )
    conn.execute(
        "insert into users (email, role, auth_user_id, is_active)"
        " values ('left@kloof-coffee.example', 'owner', %s, false)",
        [auth_id("left")],
    )
    contact = value(conn, "insert into contacts (name, email_normalized) values ('A', 'a@b.example') returning id")
    conn.execute("insert into activities (type, contact_id) values ('note', %s)", [contact])
    conn.execute("insert into client_custom_fields (entity, entity_id) values ('contact', %s)", [contact])
    conn.execute(
        "insert into leads (contact_id, source, received_at) values (%s, 'web', '2026-11-01T23:30:00Z')", [contact]
    )
    conn.execute(
        "insert into social_accounts (platform_id, external_id, credentials) values ('facebook', '1', '\\xdeadbeef')"
    )
    conn.execute("insert into n8n_webhooks (webhook_type, webhook_url) values ('analytics', 'https://n8n.example/a')")
    conn.execute("insert into social_posts (content, status) values ('Fresh beans on Friday', 'draft')")
    conn.execute(
        "insert into notifications (user_id, type, message, event_key)"
        " select id, 'usage_alert', role, 'usage:80' from users where is_active"
    )
    conn.execute(
        "insert into subscription_history (subscription_id, plan, status, amount_cents, event_key)"
        " values (gen_random_uuid(), 'starter', 'active', 150000, 'itn:1')"
    )
    conn.execute("select append_audit('system', 'test.prepared', 'organization:kloof-coffee')")


@pytest.fixture
def tenant_dsn(postgres_dsn: str, tenant_template: str) -> Iterator[str]:
    """A tenant database of one organization with one row in the tables that the tests look at."""
    name = f"test_sql_{uuid.uuid4().hex[:12]}"
    assert create_tenant_database(postgres_dsn, name, template=tenant_template)
    dsn = dsn_for(postgres_dsn, name)
    with Connection.connect(dsn, autocommit=True, row_factory=dict_row) as conn:
        _fill(conn)
    yield dsn
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        conn.execute(SQL("drop database {} with (force)").format(Identifier(name)))


@pytest.fixture
def tenant_conn(tenant_dsn: str) -> Iterator[Connection]:
    """The database as our workers see it: as its owner."""
    with Connection.connect(tenant_dsn, autocommit=True, row_factory=dict_row) as conn:
        yield conn


@pytest.fixture
def master_conn(master_dsn: str) -> Iterator[Connection]:
    with Connection.connect(master_dsn, autocommit=True, row_factory=dict_row) as conn:
        yield conn


@pytest.fixture
def session(tenant_dsn: str) -> OpenSession:
    """Open a session as PostgREST does: `with session("editor") as conn`.

    "anon" and "service_role" are the API keys; any other name is a signed-in person, known to the organization if
    it is a role's name.
    """

    @contextlib.contextmanager
    def open_session(person: str) -> Iterator[Connection]:
        role = person if person in ("anon", "service_role") else "authenticated"
        claims = {"role": role} | ({"sub": auth_id(person)} if role == "authenticated" else {})
        with Connection.connect(tenant_dsn, autocommit=True, row_factory=dict_row) as conn:
            conn.execute("select set_config('request.jwt.claims', %s, false)", [json.dumps(claims)])
            execute(conn, f"set role {role}")
            yield conn

    return open_session
