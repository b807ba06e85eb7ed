"""Limits that hold in the database itself: active users, and posts that are moved to another month."""

import json
import threading
import uuid
from collections.abc import Callable

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.sql.conftest import Connection, OpenSession, execute, value

# The organization begins with five active people and one who has left.
ACTIVE = 5
REFUSAL = "the plan allows 5 active users, and all these places are taken"
USERS = "select used, limit_value from usage_counters where metric = 'users'"


def allow(conn: Connection, users: object) -> None:
    """What a change of plan writes."""
    execute(conn, "update organizations set limits = %s", json.dumps({"users": users, "posts_monthly": 30}))


def active(conn: Connection) -> int:
    return value(conn, "select count(*) from users where is_active")


def invite(conn: Connection, name: str, *, is_active: bool = True) -> None:
    execute(conn, "insert into users (email, is_active) values (%s, %s)", f"{name}@kloof-coffee.example", is_active)


def activate(conn: Connection, name: str) -> None:
    execute(conn, "update users set is_active = true where email = %s", f"{name}@kloof-coffee.example")


def at_once(dsn: str, number: int, work: Callable[[Connection, int], None]) -> list[str]:
    """Run `work` on as many connections at the same moment; what each was refused with."""
    refused: list[str] = []
    gate = threading.Barrier(number)

    def one(index: int) -> None:
        with Connection.connect(dsn, autocommit=True, row_factory=dict_row) as conn:
            gate.wait(20)
            try:
                work(conn, index)
            except psycopg.errors.CheckViolation as error:
                refused.append(error.diag.message_primary or "")

    threads = [threading.Thread(target=one, args=[index]) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return refused


def test_of_twelve_activations_at_once_exactly_as_many_pass_as_there_are_places(
    tenant_dsn: str, tenant_conn: Connection
) -> None:
    for number in range(12):
        invite(tenant_conn, f"new-{number}", is_active=False)
    allow(tenant_conn, ACTIVE + 3)

    refused = at_once(tenant_dsn, 12, lambda conn, index: activate(conn, f"new-{index}"))

    assert refused == ["the plan allows 8 active users, and all these places are taken"] * 9
    assert active(tenant_conn) == 8
    assert execute(tenant_conn, USERS).fetchall() == [{"used": 8, "limit_value": 8}]


def test_of_twelve_invitations_at_once_exactly_as_many_pass_as_there_are_places(
    tenant_dsn: str, tenant_conn: Connection
) -> None:
    allow(tenant_conn, ACTIVE + 3)

    refused = at_once(tenant_dsn, 12, lambda conn, index: invite(conn, f"new-{index}"))

    assert len(refused) == 9
    assert active(tenant_conn) == 8
    assert execute(tenant_conn, USERS).fetchall() == [{"used": 8, "limit_value": 8}]


def test_whoever_waits_for_one_who_gives_up_gets_the_place(tenant_dsn: str, tenant_conn: Connection) -> None:
    allow(tenant_conn, ACTIVE + 1)
    with Connection.connect(tenant_dsn, row_factory=dict_row) as undecided:
        invite(undecided, "undecided")
        waiting = threading.Thread(target=at_once, args=[tenant_dsn, 1, lambda conn, _: invite(conn, "waiting")])
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        undecided.rollback()
        waiting.join(20)

    assert value(tenant_conn, "select count(*) from users where email like 'waiting@%%' and is_active") == 1
    assert execute(tenant_conn, USERS).fetchall() == [{"used": 6, "limit_value": 6}]


def test_several_in_one_statement_pass_together_or_not_at_all(tenant_conn: Connection) -> None:
    allow(tenant_conn, ACTIVE + 1)

    with pytest.raises(psycopg.errors.CheckViolation):
        execute(tenant_conn, "insert into users (email) values ('a@b.example'), ('b@b.example')")

    assert active(tenant_conn) == ACTIVE
    assert execute(tenant_conn, USERS).fetchall() == [{"used": 5, "limit_value": 6}]


def test_an_admin_in_the_app_is_refused_with_words_that_say_what_to_do(
    session: OpenSession, tenant_conn: Connection
) -> None:
    allow(tenant_conn, ACTIVE)

    with session("admin") as conn, pytest.raises(psycopg.errors.CheckViolation) as refused:
        execute(conn, "insert into users (email, role) values ('new@b.example', 'viewer')")
    with session("owner") as conn, pytest.raises(psycopg.errors.CheckViolation):
        execute(conn, "update users set is_active = true where email like 'left@%'")

    diag = refused.value.diag
    assert (diag.message_primary, diag.constraint_name) == (REFUSAL, "users_within_plan")
    assert diag.message_hint == "Deactivate somebody, or change to a larger plan."
    assert active(tenant_conn) == ACTIVE


def test_a_place_is_free_once_somebody_has_left_or_was_removed(session: OpenSession, tenant_conn: Connection) -> None:
    allow(tenant_conn, ACTIVE)

    with session("owner") as conn:
        execute(conn, "update users set is_active = false where role = 'viewer'")
        execute(conn, "insert into users (email, role) values ('new@b.example', 'viewer')")
    execute(tenant_conn, "delete from users where role = 'editor'")
    assert execute(tenant_conn, USERS).fetchall() == [{"used": 4, "limit_value": 5}]
    invite(tenant_conn, "another")

    assert active(tenant_conn) == ACTIVE
    assert execute(tenant_conn, USERS).fetchall() == [{"used": 5, "limit_value": 5}]


def test_what_takes_no_place_is_never_refused(tenant_conn: Connection) -> None:
    allow(tenant_conn, ACTIVE)

    execute(
        tenant_conn,
        "insert into users (email, role) values ('OWNER@kloof-coffee.example', 'owner') on conflict do nothing",
    )
    invite(tenant_conn, "not-yet", is_active=False)
    execute(tenant_conn, "update users set full_name = 'V', is_active = is_active")

    assert active(tenant_conn) == ACTIVE
    assert execute(tenant_conn, USERS).fetchall() == [{"used": 5, "limit_value": 5}]


def test_after_a_change_to_a_smaller_plan_everybody_stays_and_nobody_is_added(tenant_conn: Connection) -> None:
    allow(tenant_conn, 3)

    execute(tenant_conn, "update users set is_active = false where role = 'viewer'")
    with pytest.raises(psycopg.errors.CheckViolation):
        invite(tenant_conn, "new")

    assert execute(tenant_conn, USERS).fetchall() == [{"used": 4, "limit_value": 3}]


@pytest.mark.parametrize("limits", [{}, {"users": None}, {"posts_monthly": 1}, {"users": "3"}])
def test_where_no_plan_limits_users_everybody_may_be_added(limits: object, tenant_conn: Connection) -> None:
    execute(tenant_conn, "update organizations set limits = %s", json.dumps(limits))

    execute(tenant_conn, "insert into users (email) select n || '@b.example' from generate_series(1, 100) n")

    assert active(tenant_conn) == ACTIVE + 100


def test_a_change_of_plan_holds_at_once_and_is_told_of_anew(tenant_conn: Connection) -> None:
    allow(tenant_conn, ACTIVE)
    execute(tenant_conn, "update usage_counters set alerted_percent = 100 where metric = 'users'")

    allow(tenant_conn, ACTIVE)
    told = value(tenant_conn, "select alerted_percent from usage_counters where metric = 'users'")
    allow(tenant_conn, ACTIVE + 1)
    invite(tenant_conn, "new")

    assert told == 100
    assert execute(tenant_conn, "select used, limit_value, alerted_percent from usage_counters").fetchall() == [
        {"used": 6, "limit_value": 6, "alerted_percent": 0}
    ]


def scheduled_post(conn: Connection, publish_at: str) -> uuid.UUID:
    """A post on the queue for one account, with its place of the month in Johannesburg."""
    account = value(conn, "select id from social_accounts")
    post = value(
        conn,
        "insert into social_posts (content, status, scheduled_for, platform_ids)"
        " values ('Beans', 'scheduled', %s, '{facebook}') returning id",
        publish_at,
    )
    queued = value(
        conn,
        "insert into content_queue (post_id, platform_id, account_id, revision, part, part_kind, publish_at, due_at,"
        " payload, fingerprint) select id, 'facebook', %s, revision, 0, 'post', scheduled_for, scheduled_for, '{}', 'f'"
        " from social_posts where id = %s returning id",
        account,
        post,
    )
    execute(
        conn,
        "update usage_counters set reserved = reserved + 1 where metric = 'posts_monthly' and period_start ="
        " date_trunc('month', cast(%s as timestamptz) at time zone 'Africa/Johannesburg')",
        publish_at,
    )
    execute(
        conn,
        "insert into usage_reservations (metric, period_start, amount, key, expires_at) values ('posts_monthly',"
        " date_trunc('month', cast(%s as timestamptz) at time zone 'Africa/Johannesburg'), 1, %s, now())",
        publish_at,
        f"posts_monthly:post:{queued}",
    )
    return post


def counted(conn: Connection) -> dict[str, int]:
    rows = execute(conn, "select period_start::text as month, reserved from usage_counters order by 1")
    return {row["month"]: row["reserved"] for row in rows}


@pytest.fixture
def months(tenant_conn: Connection) -> Connection:
    execute(
        tenant_conn,
        "insert into usage_counters (metric, period_start, period_end, limit_value) values"
        " ('posts_monthly', '2026-11-01', '2026-12-01', 2), ('posts_monthly', '2026-12-01', '2027-01-01', 2)",
    )
    return tenant_conn


def test_a_post_that_is_moved_to_another_month_counts_there(months: Connection, session: OpenSession) -> None:
    post = scheduled_post(months, "2026-11-23T09:00Z")

    with session("editor") as conn:
        # 23:30 on the last of November in UTC is December in Johannesburg already.
        execute(conn, "update social_posts set scheduled_for = '2026-11-30T23:30Z' where id = %s", post)
    assert counted(months) == {"2026-11-01": 0, "2026-12-01": 1}
    with session("editor") as conn:
        execute(conn, "update social_posts set scheduled_for = '2027-01-05T09:00Z' where id = %s", post)

    assert counted(months) == {"2026-11-01": 0, "2026-12-01": 0, "2027-01-01": 1}
    assert value(months, "select limit_value from usage_counters where period_start = '2027-01-01'") == 2
    [held] = execute(months, "select period_start::text, expires_at::text from usage_reservations").fetchall()
    assert held["period_start"] == "2027-01-01"
    assert held["expires_at"].startswith("2027-02-04")


def test_the_places_of_two_months_cannot_be_spent_in_one(months: Connection, session: OpenSession) -> None:
    for _ in range(2):
        scheduled_post(months, "2026-11-23T09:00Z")
    post = scheduled_post(months, "2026-12-23T09:00Z")

    with session("editor") as conn, pytest.raises(psycopg.errors.CheckViolation) as refused:
        execute(conn, "update social_posts set scheduled_for = '2026-11-24T09:00Z' where id = %s", post)

    assert refused.value.diag.message_primary == "the plan has no post left in the month of 2026-11"
    assert counted(months) == {"2026-11-01": 2, "2026-12-01": 1}
    assert value(months, "select scheduled_for::text from social_posts where id = %s", post).startswith("2026-12-23")


def test_a_post_that_stays_in_its_month_moves_freely_though_the_month_is_full(
    months: Connection, session: OpenSession
) -> None:
    post = scheduled_post(months, "2026-11-23T09:00Z")
    scheduled_post(months, "2026-11-24T09:00Z")

    with session("editor") as conn:
        execute(conn, "update social_posts set scheduled_for = '2026-11-30T21:59Z' where id = %s", post)

    assert counted(months) == {"2026-11-01": 2, "2026-12-01": 0}
    assert value(months, "select publish_at::text from content_queue where post_id = %s", post).startswith("2026-11-30")
