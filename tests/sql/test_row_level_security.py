"""Who sees and writes what through the API: roles against tables, strangers, sealed columns."""

import psycopg
import pytest

from tests.sql.conftest import ROLES, Connection, OpenSession, auth_id, execute, value

TABLES = "select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1"
# What deleting a row takes with it, at any depth, where signed-in people may delete the one and not the other.
ERASED_UNASKED = """
with recursive chain as (
    select oid as origin, oid as target from pg_class
    where relkind = 'r' and relnamespace = 'public'::regnamespace
      and has_table_privilege('authenticated', oid, 'delete')
    union
    select c.origin, k.conrelid from chain c join pg_constraint k
      on k.confrelid = c.target and k.contype = 'f' and k.confdeltype = 'c'
)
select c.origin::regclass || ' -> ' || c.target::regclass as name from chain c
where not has_table_privilege('authenticated', c.target, 'delete')
   or (select pg_get_expr(polqual, polrelid) from pg_policy where polrelid = c.target and polcmd = 'd')
      <> (select pg_get_expr(polqual, polrelid) from pg_policy where polrelid = c.origin and polcmd = 'd')
order by 1
"""
# Rows that each role sees; "-" is a refusal before any row is looked at.
VISIBLE = {
    # table: owner, admin, editor, approver, viewer
    "organizations": (1, 1, 1, 1, 1),
    "users": (6, 6, 6, 6, 6),
    "contacts": (1, 1, 1, 1, 1),
    "leads": (1, 1, 1, 1, 1),
    "social_posts": (1, 1, 1, 1, 1),
    "notifications": (1, 1, 1, 1, 1),
    "onboarding_checklist": (8, 8, 8, 8, 8),
    "subscription_history": (1, 1, 0, 0, 0),
    "audit_log": (1, 1, 0, 0, 0),
    "audit_head": ("-", "-", "-", "-", "-"),
}
WRITES = {
    "insert into contacts (name) values ('B')": ("owner", "admin", "editor"),
    "update contacts set name = 'B'": ("owner", "admin", "editor"),
    "delete from activities": ("owner", "admin", "editor"),
    "delete from client_custom_fields": ("owner", "admin", "editor"),
    "update leads set status = 'contacted'": ("owner", "admin", "editor"),
    "update organizations set name = 'Kloof'": ("owner", "admin"),
    "update onboarding_checklist set completed = true": ("owner", "admin", "editor"),
    "insert into users (email, role) values ('new@b.example', 'viewer')": ("owner", "admin"),
    "insert into users (email, role) values ('new@b.example', 'owner')": ("owner",),
    "update users set role = 'viewer' where role = 'owner'": ("owner",),
    "update users set role = 'owner' where role <> 'owner'": ("owner",),
    "insert into social_posts (content) values ('Hello')": ("owner", "admin", "editor"),
    "update notifications set read_at = now()": ROLES,
}
REFUSED_TO_ALL = [
    "select * from social_accounts",
    "select credentials from social_accounts",
    "update social_accounts set credentials = '\\x00'",
    "select token_sealed from n8n_webhooks",
    "delete from contacts",
    "delete from leads",
    "delete from consents",
    "delete from proposals",
    "update leads set model_score = 100",
    "update organizations set slug = 'other'",
    "update users set auth_user_id = gen_random_uuid()",
    "update social_posts set status = 'approved', approved_hash = content_hash, approved_at = now()",
    "insert into content_queue (post_id) values (gen_random_uuid())",
    "update notifications set message = 'x'",
    "insert into audit_log (id) values (99)",
    "update audit_log set actor = 'x'",
    "delete from audit_log",
    "truncate audit_log",
    "select append_audit('user:1', 'x', 'y')",
    "select app.protect('users', '{}')",
]


def _rows_written(conn: Connection, statement: str) -> int:
    """How many rows a statement writes; 0 also where it is refused."""
    try:
        with conn.transaction(force_rollback=True):
            return execute(conn, statement).rowcount
    except psycopg.errors.InsufficientPrivilege:
        return 0


def _rows_seen(conn: Connection, table: str) -> int | str:
    try:
        return value(conn, f"select count(*) from {table}")
    except psycopg.errors.InsufficientPrivilege:
        return "-"


def test_each_role_sees_its_rows(session: OpenSession) -> None:
    seen: dict[str, list[int | str]] = {table: [] for table in VISIBLE}
    for role in ROLES:
        with session(role) as conn:
            for table, counts in seen.items():
                counts.append(_rows_seen(conn, table))

    assert {table: tuple(counts) for table, counts in seen.items()} == VISIBLE


def test_each_role_writes_what_it_may(session: OpenSession) -> None:
    wrote: dict[str, list[str]] = {statement: [] for statement in WRITES}
    for role in ROLES:
        with session(role) as conn:
            for statement, roles in wrote.items():
                if _rows_written(conn, statement) > 0:
                    roles.append(role)

    assert {statement: tuple(roles) for statement, roles in wrote.items()} == WRITES


def test_no_delete_takes_rows_with_it_that_the_same_role_may_not_delete(tenant_conn: Connection) -> None:
    assert [row["name"] for row in execute(tenant_conn, ERASED_UNASKED)] == []


def test_an_editor_cannot_erase_a_contact_with_its_lead_consent_and_accepted_proposal(
    session: OpenSession, tenant_conn: Connection
) -> None:
    tenant_conn.execute(
        "insert into consents (contact_id, purpose, granted, wording, source)"
        " select id, 'contact', true, 'You may call me.', 'web' from contacts"
    )

    with session("editor") as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("delete from contacts")

    counts = "select (select count(*) from contacts) + (select count(*) from leads) + (select count(*) from consents)"
    assert value(tenant_conn, counts) == 3


def test_sealed_columns_and_ledgers_are_refused_to_every_role(session: OpenSession) -> None:
    accepted = []
    for role in ROLES:
        with session(role) as conn:
            for statement in REFUSED_TO_ALL:
                try:
                    execute(conn, statement)
                except psycopg.errors.InsufficientPrivilege:
                    continue
                accepted.append((role, statement))

    assert accepted == []


@pytest.mark.parametrize("person", ["outsider", "left", "anon"])
def test_strangers_former_colleagues_and_anon_see_nothing_in_any_table(
    person: str, session: OpenSession, tenant_conn: Connection
) -> None:
    tables = [row["name"] for row in tenant_conn.execute(TABLES)]
    seen = {}
    with session(person) as conn:
        for table in tables:
            try:
                count = value(conn, f"select count(*) from {table}")
            except psycopg.errors.InsufficientPrivilege:
                continue
            if count:
                seen[table] = count

    assert len(tables) == 46
    assert seen == {}


def test_a_stranger_writes_nothing(session: OpenSession, tenant_conn: Connection) -> None:
    with session("outsider") as conn:
        written = {statement: _rows_written(conn, statement) for statement in WRITES}

    assert set(written.values()) == {0}
    assert value(tenant_conn, "select name from contacts") == "A"


def test_the_workers_key_reads_and_writes_through_its_policy(session: OpenSession) -> None:
    with session("service_role") as conn:
        assert value(conn, "select count(*) from users") == 6
        assert value(conn, "select encode(credentials, 'hex') from social_accounts") == "deadbeef"
        assert conn.execute("update leads set model_score = 80").rowcount == 1
        assert value(conn, "select append_audit('worker', 'lead.scored', 'lead:1')") == 2
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("insert into audit_log (id) values (99)")


def test_accounts_are_listed_without_their_credentials(session: OpenSession) -> None:
    with session("viewer") as conn:
        row = conn.execute("select platform_id, external_id, status from social_accounts").fetchone()

    assert row == {"platform_id": "facebook", "external_id": "1", "status": "connected"}


def test_a_permission_opens_the_billing_to_one_editor(session: OpenSession, tenant_conn: Connection) -> None:
    tenant_conn.execute(
        "insert into user_permissions (user_id, permission) select id, 'billing.read' from users where role = 'editor'"
    )

    with session("editor") as conn:
        assert value(conn, "select amount_cents from subscription_history") == 150000
    with session("viewer") as conn:
        assert value(conn, "select count(*) from subscription_history") == 0


def test_people_change_their_own_profile_but_not_their_own_role(session: OpenSession) -> None:
    with session("viewer") as conn:
        assert conn.execute("update users set full_name = 'V' where role = 'viewer'").rowcount == 1
        assert conn.execute("update users set full_name = 'V' where role = 'editor'").rowcount == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("update users set role = 'owner' where auth_user_id = %s", [auth_id("viewer")])


def test_an_approval_names_what_was_seen_and_an_edit_takes_it_back(
    session: OpenSession, tenant_conn: Connection
) -> None:
    post = value(tenant_conn, "select id from social_posts")
    with session("editor") as editor, session("approver") as approver:
        seen = value(editor, "select submit_post(%s)", post)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            editor.execute("select approve_post(%s, %s)", [post, seen])
        approver.execute("select approve_post(%s, %s)", [post, seen])
        assert value(tenant_conn, "select status from social_posts") == "approved"

        editor.execute("update social_posts set content = 'Stale beans on Monday'")

        after = tenant_conn.execute("select status, revision, approved_hash, approved_by from social_posts").fetchone()
        assert after == {"status": "in_review", "revision": 2, "approved_hash": None, "approved_by": None}
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            approver.execute("select approve_post(%s, %s)", [post, seen])

    actions = [row["action"] for row in tenant_conn.execute("select action from audit_log order by id")]
    assert actions == ["test.prepared", "post.submitted", "post.approved"]
    assert value(tenant_conn, "select u.role from audit_log a join users u on u.id = a.user_id where a.id = 3") == (
        "approver"
    )
