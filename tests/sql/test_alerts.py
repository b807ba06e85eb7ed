"""What the dashboard does with alerts: somebody says that they see to it, once, and it is audited."""

import psycopg
import pytest

from tests.sql.conftest import Connection, OpenSession, execute, value

ANSWERED = "select acknowledged_by from alerts"
AUDITED = "select count(*) from audit_log where action = 'alert.acknowledged' and resource = 'alert:' || %s"


@pytest.fixture
def alert(tenant_conn: Connection) -> str:
    row = tenant_conn.execute(
        "insert into alerts (event_key, event, subject) values ('a:1', 'account_trouble', 'Still') returning id::text"
    ).fetchone()
    assert row is not None
    return row["id"]


def test_the_first_of_the_organizations_people_answers_and_it_is_audited_once(
    session: OpenSession, tenant_conn: Connection, alert: str
) -> None:
    answers = []
    for person in ("approver", "owner"):
        with session(person) as conn:
            answers.append(value(conn, "select acknowledge_alert(%s)", alert))

    assert answers == [True, False]
    [row] = tenant_conn.execute(ANSWERED).fetchall()
    assert "approver" in row["acknowledged_by"]
    assert value(tenant_conn, AUDITED, alert) == 1


@pytest.mark.parametrize("person", ["outsider", "left", "anon"])
def test_strangers_and_those_who_left_answer_nothing(
    person: str, session: OpenSession, tenant_conn: Connection, alert: str
) -> None:
    with session(person) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        execute(conn, "select acknowledge_alert(%s)", alert)

    assert tenant_conn.execute(ANSWERED).fetchall() == [{"acknowledged_by": None}]
    assert value(tenant_conn, AUDITED, alert) == 0
