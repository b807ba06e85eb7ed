"""What people write through the API has a shape that the workers can read: the rest is refused where it is written."""

import json

import psycopg
import pytest

from tests.sql.conftest import Connection, OpenSession, execute, value

GOOD_FILE = {"path": "a.jpg", "alt": None, "content_type": "image/png", "size_bytes": 9, "width": 1, "height": 1}
GOOD_VARIANT = {"text": "Beans", "first_comment": None, "thread": ["More beans"]}


@pytest.mark.parametrize(
    "variants",
    [
        {"x": 5},
        {"x": "text"},
        {"x": []},
        {"x": [GOOD_VARIANT]},
        {"x": {}},
        {"x": {"text": None}},
        {"x": {"text": ["Beans"]}},
        {"x": {"text": {"text": "Beans"}}},
        {"x": GOOD_VARIANT | {"first_comment": 5}},
        {"x": GOOD_VARIANT | {"first_comment": ["a"]}},
        {"x": GOOD_VARIANT | {"thread": "abc"}},
        {"x": GOOD_VARIANT | {"thread": None}},
        {"x": GOOD_VARIANT | {"thread": {"0": "a"}}},
        {"x": GOOD_VARIANT | {"thread": [["a"]]}},
        {"x": GOOD_VARIANT | {"thread": [None]}},
        {"x": GOOD_VARIANT | {"thread": ["a"] * 41}},
        {"facebook": GOOD_VARIANT, "x": {"text": 1}},
        {"x": {"text": "a" * 100_001}},
    ],
)
def test_a_variant_of_another_shape_is_refused(variants: object, session: OpenSession) -> None:
    with session("editor") as conn, pytest.raises(psycopg.errors.CheckViolation):
        execute(conn, "update social_posts set variants = %s", json.dumps(variants))


@pytest.mark.parametrize(
    "media",
    [
        [1],
        ["a.jpg"],
        [[GOOD_FILE]],
        [{}],
        [{"path": None}],
        [{"path": 5}],
        [{"path": ["a.jpg"]}],
        [GOOD_FILE | {"alt": 5}],
        [GOOD_FILE | {"alt": ["a"]}],
        [GOOD_FILE | {"content_type": 5}],
        [GOOD_FILE | {"etag": 5}],
        [GOOD_FILE | {"size_bytes": "9"}],
        [GOOD_FILE | {"size_bytes": 10**400}],
        [GOOD_FILE | {"width": [1]}],
        [GOOD_FILE | {"height": {}}],
        [GOOD_FILE | {"duration_seconds": "long"}],
        [GOOD_FILE | {"duration_seconds": 10**400}],
        [GOOD_FILE, {"path": 5}],
        [GOOD_FILE] * 21,
    ],
)
def test_a_file_of_another_shape_is_refused(media: object, session: OpenSession) -> None:
    with session("editor") as conn, pytest.raises(psycopg.errors.CheckViolation):
        execute(conn, "update social_posts set media = %s", json.dumps(media))


def test_what_the_dashboard_writes_is_taken(session: OpenSession) -> None:
    with session("editor") as conn:
        changed = execute(
            conn,
            "update social_posts set title = 'Beans', variants = %s, media = %s, platform_ids = '{x,facebook}',"
            " scheduled_for = '2026-12-01T07:00:00Z', scheduled_local = '2026-12-01 09:00 Africa/Johannesburg'",
            json.dumps({"x": GOOD_VARIANT, "facebook": {"text": "Beans"}}),
            json.dumps([GOOD_FILE | {"duration_seconds": 1.5, "etag": "abc"}, {"path": "b.mp4"}]),
        )

        assert changed.rowcount == 1


@pytest.mark.parametrize(
    "change",
    [
        "social_posts set scheduled_for = 'infinity'",
        "social_posts set scheduled_for = '-infinity'",
        "social_posts set scheduled_for = '12000-01-01'",
        "social_posts set platform_ids = '{tiktok}'",
        "social_posts set platform_ids = '{x,x,x,x,x}'",
        "social_posts set title = repeat('x', 301)",
        "social_posts set content = repeat('x', 100001)",
        "social_posts set scheduled_local = repeat('x', 101)",
        "posting_slots set at_local = '24:00'",
        "posting_slots set platform_ids = '{tiktok}'",
        "recurring_requests set at_local = '24:00'",
        "recurring_requests set starts_on = '9999-12-31'",
        "recurring_requests set starts_on = 'infinity'",
        "recurring_requests set starts_on = '0001-01-01'",
        "recurring_requests set until = 'infinity'",
        "recurring_requests set weekdays = '{8}'",
        "recurring_requests set weekdays = '{null}'",
        "content_templates set prompt_template = repeat('x', 20001)",
    ],
)
def test_a_value_that_no_worker_can_read_is_refused(change: str, session: OpenSession, tenant_conn: Connection) -> None:
    tenant_conn.execute(
        "insert into posting_slots (weekday, at_local) values (1, '09:00');"
        "insert into recurring_requests (name, request, unit, at_local) values ('a', '{}', 'day', '09:00');"
        "insert into content_templates (name, prompt_template) values ('news', 'Write news.')"
    )

    with session("editor") as conn, pytest.raises(psycopg.errors.CheckViolation):
        execute(conn, f"update {change}")


def test_rules_that_make_work_are_few(session: OpenSession, tenant_conn: Connection) -> None:
    with session("editor") as conn:
        for table, columns, most in (
            ("recurring_requests", "(name, request, unit, at_local) select n, '{}', 'day', '09:00'", 100),
            ("posting_slots", "(weekday, at_local) select 1, '00:00'::time + n * interval '1 minute'", 200),
        ):
            execute(conn, f"insert into {table} {columns} from generate_series(1, {most}) n")
            with pytest.raises(psycopg.errors.CheckViolation):
                execute(conn, f"insert into {table} {columns} from generate_series(201, 201) n")
            assert value(tenant_conn, f"select count(*) from {table}") == most
