"""What the dashboard does with posts in review: who may, what is recorded, and what begins a new round."""

import psycopg
import pytest

from tests.sql.conftest import ROLES, Connection, OpenSession, execute, value

APPROVE = "select approve_post(%s, %s)"
CHANGES = "select request_post_changes(%s, %s, %s)"
REJECT = "select reject_post(%s, %s, %s)"
POST = "select status, approved_hash is not null as is_approved from social_posts"
DECISIONS = "select decision, comment, reviewer, via from review_decisions order by decided_at"


@pytest.fixture
def post(tenant_conn: Connection) -> tuple[str, str]:
    """A post in review: its id and its hash."""
    row = tenant_conn.execute(
        "update social_posts set status = 'in_review' returning id::text as id, content_hash"
    ).fetchone()
    assert row is not None
    return row["id"], row["content_hash"]


@pytest.mark.parametrize("statement", [APPROVE, CHANGES, REJECT])
def test_owners_admins_and_approvers_decide_and_nobody_else(
    statement: str, session: OpenSession, tenant_conn: Connection, post: tuple[str, str]
) -> None:
    reason = [] if statement == APPROVE else ["Which beans?"]
    decided = []
    for person in (*ROLES, "outsider", "left", "anon"):
        with session(person) as conn:
            try:
                with conn.transaction(force_rollback=True):
                    execute(conn, statement, *post, *reason)
                    decided.append(person)
            except psycopg.errors.InsufficientPrivilege:
                continue

    assert decided == ["owner", "admin", "approver"]
    assert tenant_conn.execute(POST).fetchall() == [{"status": "in_review", "is_approved": False}]
    assert tenant_conn.execute(DECISIONS).fetchall() == []


@pytest.mark.parametrize(
    ("statement", "decision", "words"),
    [(APPROVE, "approved", ""), (CHANGES, "changes_requested", "Which beans?"), (REJECT, "rejected", "Which beans?")],
)
def test_a_decision_is_recorded_once_with_who_made_it_and_audited_without_the_words(
    statement: str, decision: str, words: str, session: OpenSession, tenant_conn: Connection, post: tuple[str, str]
) -> None:
    post_id, content_hash = post
    reason = [] if statement == APPROVE else [f" {words} "]

    with session("approver") as conn:
        execute(conn, statement, post_id, content_hash, *reason)
        if decision != "approved":  # what is sent back cannot be sent back again
            with pytest.raises(psycopg.errors.InvalidParameterValue):
                execute(conn, statement, post_id, content_hash, *reason)

    assert tenant_conn.execute(POST).fetchall() == [{"status": decision, "is_approved": decision == "approved"}]
    assert tenant_conn.execute(DECISIONS).fetchall() == [
        {"decision": decision, "comment": words, "reviewer": "approver@kloof-coffee.example", "via": "app"}
    ]
    assert value(tenant_conn, "select content_hash from review_decisions") == content_hash
    audit = tenant_conn.execute("select action, resource, metadata from audit_log where id > 1").fetchall()
    assert audit == [
        {
            "action": f"post.{decision}",
            "resource": f"social_post:{post_id}",
            "metadata": {"content_hash": content_hash},
        }
    ]


@pytest.mark.parametrize("statement", [CHANGES, REJECT])
@pytest.mark.parametrize("words", [None, "", "  ", "x" * 4001])
def test_a_change_or_a_rejection_needs_words(
    statement: str, words: str | None, session: OpenSession, tenant_conn: Connection, post: tuple[str, str]
) -> None:
    with session("approver") as conn, pytest.raises(psycopg.errors.InvalidParameterValue):
        execute(conn, statement, *post, words)

    assert tenant_conn.execute(POST).fetchall() == [{"status": "in_review", "is_approved": False}]
    assert tenant_conn.execute(DECISIONS).fetchall() == []


@pytest.mark.parametrize("statement", [CHANGES, REJECT])
@pytest.mark.parametrize("status", ["in_review", "approved", "scheduled"])
def test_content_that_changed_since_it_was_shown_is_neither_sent_back_nor_rejected(
    statement: str, status: str, session: OpenSession, tenant_conn: Connection, post: tuple[str, str]
) -> None:
    post_id, shown = post
    execute(tenant_conn, "update social_posts set content = 'Stale beans on Monday'")
    if status != "in_review":
        agree = "update social_posts set status = %s, approved_hash = content_hash, approved_at = now()"
        execute(tenant_conn, agree, status)
    whole_post = "select * from social_posts"
    before = tenant_conn.execute(whole_post).fetchall()
    assert before[0]["content_hash"] != shown

    for named in (shown, "", None):
        with session("approver") as conn, pytest.raises(psycopg.errors.InvalidParameterValue, match="was changed"):
            execute(conn, statement, post_id, named, "Which beans?")

    assert tenant_conn.execute(whole_post).fetchall() == before
    assert tenant_conn.execute(DECISIONS).fetchall() == []
    assert value(tenant_conn, "select count(*) from audit_log where id > 1") == 0


def test_an_approval_can_be_taken_back_until_the_post_is_scheduled(
    session: OpenSession, tenant_conn: Connection, post: tuple[str, str]
) -> None:
    with session("approver") as conn:
        execute(conn, APPROVE, *post)
        execute(conn, REJECT, *post, "Not now.")

    assert tenant_conn.execute(POST).fetchall() == [{"status": "rejected", "is_approved": False}]
    decisions = [row["decision"] for row in tenant_conn.execute(DECISIONS)]
    assert decisions == ["approved", "rejected"]


@pytest.mark.parametrize("person", ["owner", "approver", "outsider"])
@pytest.mark.parametrize(
    "statement",
    [
        "select app.record_decision(gen_random_uuid(), 'h', 'approved', '')",
        "select app.send_back(gen_random_uuid(), 'h', 'approved', 'x')",
        "insert into review_decisions (post_id, content_hash, decision, reviewer, via)"
        " select id, content_hash, 'approved', 'x', 'app' from social_posts",
        "select payload from notification_deliveries",
        "select * from notification_deliveries",
    ],
)
def test_nobody_goes_around_the_functions_or_reads_the_links_of_others(
    person: str, statement: str, session: OpenSession
) -> None:
    with session(person) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(conn, statement)


def test_an_owner_still_sees_what_became_of_deliveries(session: OpenSession, tenant_conn: Connection) -> None:
    tenant_conn.execute(
        "insert into notification_deliveries (event_key, recipient, channel) values ('e:1', 'a@b.example', 'email')"
    )
    with session("owner") as conn:
        row = conn.execute("select recipient, status, last_error from notification_deliveries").fetchone()
    assert row == {"recipient": "a@b.example", "status": "pending", "last_error": None}


@pytest.mark.parametrize(
    ("change", "is_new_round"),
    [
        ("content = 'Stale beans on Monday'", True),
        ("status = 'in_review'", False),
        ("title = 'Beans'", False),
        ("scheduled_for = now()", False),
    ],
)
def test_an_edit_in_review_begins_a_new_round_and_other_changes_do_not(
    change: str, is_new_round: bool, tenant_conn: Connection, post: tuple[str, str]
) -> None:
    tenant_conn.execute(
        "update social_posts set review_requested_at = now(), reminded_at = now(), escalated_at = now()"
    )

    execute(tenant_conn, f"update social_posts set {change}")

    row = tenant_conn.execute(
        "select status, review_requested_at, reminded_at, escalated_at from social_posts"
    ).fetchone()
    assert row is not None
    assert row.pop("status") == "in_review"
    assert {moment is None for moment in row.values()} == {is_new_round}


def test_a_post_submitted_again_begins_a_new_round(
    session: OpenSession, tenant_conn: Connection, post: tuple[str, str]
) -> None:
    tenant_conn.execute("update social_posts set review_requested_at = now()")
    with session("approver") as conn:
        execute(conn, CHANGES, *post, "Which beans?")
    assert value(tenant_conn, "select review_requested_at is not null from social_posts")

    with session("editor") as conn:
        execute(conn, "select submit_post(%s)", post[0])

    assert value(tenant_conn, "select review_requested_at is null from social_posts")


def test_a_blocked_post_is_edited_submitted_and_keeps_what_was_found_about_its_words(
    session: OpenSession, tenant_conn: Connection
) -> None:
    post_id = value(
        tenant_conn,
        """update social_posts set status = 'blocked', last_error = 'the plan allows no more',
           findings = '[{"rule": "claim", "reason": "guaranteed"}, {"rule": "posts_monthly",
                         "reason": "the plan allows no more"}]' returning id::text""",
    )

    with session("approver") as conn:
        assert execute(conn, "update social_posts set content = 'Beans'").rowcount == 0
    with session("editor") as conn:
        assert execute(conn, "update social_posts set content = 'Stale beans on Monday'").rowcount == 1
        execute(conn, "select submit_post(%s)", post_id)

    row = tenant_conn.execute("select content, status, last_error, findings from social_posts").fetchone()
    assert row == {
        "content": "Stale beans on Monday",
        "status": "in_review",
        "last_error": None,
        "findings": [{"rule": "claim", "reason": "guaranteed"}],
    }
