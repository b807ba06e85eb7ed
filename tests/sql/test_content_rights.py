"""Who sees and writes what of content and publishing: each role against each table that came with them."""

import psycopg
import pytest

from tests.sql.conftest import ROLES, Connection, OpenSession, execute, value

FILL = """
insert into brand_rules (voice) values ('warm');
insert into posting_slots (weekday, at_local) values (1, '09:00');
insert into recurring_requests (name, request, unit, at_local)
    values ('specials', '{"brief": "Specials."}', 'day', '09:00');
insert into content_requests (id, source, delivery_id, received_at, brief, platform_ids)
    values (gen_random_uuid(), 'api', '1', now(), 'Specials.', '{facebook}');
update social_posts set status = 'in_review';
insert into review_decisions (post_id, content_hash, decision, reviewer, via)
    select id, content_hash, 'approved', 'owner@kloof-coffee.example', 'app' from social_posts;
insert into content_queue (post_id, platform_id, account_id, revision, publish_at)
    select p.id, 'facebook', a.id, 1, now() from social_posts p, social_accounts a;
insert into publish_attempts (queue_id, attempt, step, started_at, outcome)
    select id, 1, 'publish', now(), 'retry' from content_queue;
insert into publish_answers (queue_id, action) select id, 'drop' from content_queue;
insert into notification_deliveries (event_key, recipient, channel) values ('e:1', 'a@b.example', 'email');
"""
EVERYBODY = (1, 1, 1, 1, 1)
VISIBLE = {  # owner, admin, editor, approver, viewer
    "brand_rules": EVERYBODY,
    "posting_slots": EVERYBODY,
    "recurring_requests": EVERYBODY,
    "content_requests": EVERYBODY,
    "content_templates": (5, 5, 5, 5, 5),  # the seed's
    "review_decisions": EVERYBODY,
    "content_queue": EVERYBODY,
    "publish_attempts": EVERYBODY,
    "publish_answers": EVERYBODY,
    "notification_deliveries": (1, 1, 0, 0, 0),
}
LEADERS = ("owner", "admin")
WRITERS = ("owner", "admin", "editor")
WRITES = {
    "update brand_rules set voice = 'cold'": LEADERS,
    "delete from brand_rules": LEADERS,
    "insert into posting_slots (weekday, at_local) values (2, '09:00')": WRITERS,
    "delete from posting_slots": WRITERS,
    "insert into recurring_requests (name, request, unit, at_local) values ('b', '{}', 'day', '09:00')": WRITERS,
    "update recurring_requests set is_paused = true": WRITERS,
    "delete from recurring_requests": WRITERS,
    "update content_templates set prompt_template = 'Write.'": WRITERS,
    "update social_posts set content = 'Stale beans'": WRITERS,
    "update organizations set undo_hours = 1": LEADERS,
}
REFUSED_TO_ALL = [
    *(
        f"{verb} {table}{rest}"
        for table in ("content_queue", "publish_attempts", "publish_answers", "review_decisions", "content_requests")
        for verb, rest in (("delete from", ""), ("update", " set id = id"), ("truncate", ""))
    ),
    "insert into content_queue (post_id, platform_id, account_id, revision, publish_at)"
    " select p.id, 'facebook', a.id, 2, now() from social_posts p, social_accounts a",
    "update content_queue set payload = '{}', late_ok = true",
    "insert into content_requests (id, source, delivery_id, received_at, brief, platform_ids)"
    " values (gen_random_uuid(), 'api', '2', now(), 'Specials.', '{facebook}')",
    "insert into publish_attempts (queue_id, attempt, step, started_at, outcome)"
    " select id, 2, 'publish', now(), 'published' from content_queue",
    *(
        f"update social_posts set {column}"
        for column in (
            "approved_hash = content_hash, approved_at = now()",
            "content_hash = ''",
            "status = 'approved'",
            "status = 'draft'",
            "revision = 9",
            "findings = '[]'",
            "last_error = null",
            "review_requested_at = now()",
            "request_id = null",
            "generation_id = null",
            "time_zone = 'UTC'",
        )
    ),
    "insert into social_posts (content, status) values ('x', 'approved')",
    "insert into social_posts (content, approved_hash) values ('x', 'y')",
    "update recurring_requests set last_occurrence = null",
    "update recurring_requests set created_at = '0001-01-02'",
    "insert into recurring_requests (name, request, unit, at_local, created_at)"
    " values ('b', '{}', 'day', '09:00', '0001-01-02')",
    "update organizations set media_bucket = 'media-outsider'",
    "update usage_counters set limit_value = null",
    "update usage_reservations set state = 'released'",
    "update social_accounts set paused_until = null, status = 'connected'",
    *(
        f"select {column} from social_accounts"
        for column in ("credentials", "credentials_version", "refresh_started_at", "has_refresh_token", "rate_limit")
    ),
]


@pytest.fixture(autouse=True)
def content(tenant_conn: Connection) -> None:
    """A row in each table."""
    tenant_conn.execute(FILL)


def _refused(conn: Connection, statement: str) -> bool:
    try:
        with conn.transaction(force_rollback=True):
            execute(conn, statement)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.GeneratedAlways):
        return True
    return False


def _rows(conn: Connection, statement: str) -> int:
    try:
        with conn.transaction(force_rollback=True):
            return execute(conn, statement).rowcount
    except psycopg.errors.InsufficientPrivilege:
        return 0


def test_each_role_sees_and_writes_what_it_may(session: OpenSession) -> None:
    seen: dict[str, list[int]] = {table: [] for table in VISIBLE}
    wrote: dict[str, list[str]] = {statement: [] for statement in WRITES}
    for role in ROLES:
        with session(role) as conn:
            for table, counts in seen.items():
                counts.append(value(conn, f"select count(*) from {table}"))
            for statement, roles in wrote.items():
                if _rows(conn, statement) > 0:
                    roles.append(role)

    assert {table: tuple(counts) for table, counts in seen.items()} == VISIBLE
    assert {statement: tuple(roles) for statement, roles in wrote.items()} == WRITES


def test_ledger_approvals_limits_and_credentials_are_refused_to_every_role(session: OpenSession) -> None:
    accepted = []
    for role in ROLES:
        with session(role) as conn:
            accepted += [(role, statement) for statement in REFUSED_TO_ALL if not _refused(conn, statement)]

    assert accepted == []


@pytest.mark.parametrize("person", ["outsider", "left", "anon"])
def test_strangers_see_and_write_nothing_of_it(person: str, session: OpenSession) -> None:
    seen = {}
    with session(person) as conn:
        for table in VISIBLE:
            try:
                seen[table] = value(conn, f"select count(*) from {table}")
            except psycopg.errors.InsufficientPrivilege:
                seen[table] = 0
        written = {statement: _rows(conn, statement) for statement in WRITES}

    assert set(seen.values()) == {0}
    assert set(written.values()) == {0}


def test_an_editor_forges_no_approval_by_any_function(session: OpenSession, tenant_conn: Connection) -> None:
    post = value(tenant_conn, "select id from social_posts")
    content_hash = value(tenant_conn, "select content_hash from social_posts")
    calls = [
        "select approve_post(%s, %s)",
        "select app.record_decision(%s, %s, 'approved', '')",
        "select app.send_back(%s, %s, 'approved', 'Fine.')",
    ]
    for person in ("editor", "viewer", "outsider", "left", "anon"):
        with session(person) as conn:
            for call in calls:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    execute(conn, call, post, content_hash)

    assert value(tenant_conn, "select count(*) from review_decisions") == 1
    assert value(tenant_conn, "select status from social_posts") == "in_review"


def test_approvers_answer_about_posts_and_nobody_answers_twice_or_without_a_question(
    session: OpenSession, tenant_conn: Connection
) -> None:
    tenant_conn.execute("delete from publish_answers")
    tenant_conn.execute("update content_queue set status = 'needs_review', question = 'Is it there?'")
    ask = "select answer_about_post((select id from content_queue), 'drop')"
    refused = []
    for role in ROLES:
        with session(role) as conn:
            try:
                with conn.transaction(force_rollback=True):
                    execute(conn, ask)
            except psycopg.errors.InsufficientPrivilege:
                refused.append(role)

    assert refused == ["editor", "viewer"]
    with session("approver") as conn:
        execute(conn, ask)
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="somebody has answered already"):
            execute(conn, ask)
    with session("approver") as conn, pytest.raises(psycopg.errors.InvalidParameterValue, match="asks nothing"):
        execute(conn, "select answer_about_post((select id from content_queue), 'undo')")
