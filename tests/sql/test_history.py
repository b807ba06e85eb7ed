"""What is asked with every tick and every hour reads what is open, and nothing of what is over."""

import re
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest

from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.operations.stuck_states import MASTER_SQL
from tests.sql.conftest import Connection, value

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LEADS: dict[str, Any] = {"topic": "leads"}
SHARD: dict[str, Any] = {"shards": 1, "shard": 0, "lane": "ordinary"}
ASKED: list[tuple[str, str, dict[str, Any]]] = [
    ("inbox", "bury_hopeless", {**LEADS, "max_attempts": 5}),
    ("inbox", "count_open_batches", {**LEADS, **SHARD}),
    (
        "inbox",
        "dispatch_batch",
        {**LEADS, **SHARD, "batch_id": uuid4(), "row_limit": 500, "crowd_rows": 25, "lease_seconds": 120},
    ),
    ("inbox", "organizations_waiting", {"topic": "whatsapp_status", "before": NOW, "active_only": True}),
    ("inbox", "waiting_summary", {}),
    ("inbox", "list_rows", {"state": "dead", "slug": None, "row_limit": 50}),
    ("analytics_agenda", "due_and_asked", {"pause_seconds": 3600.0}),
    ("ledger", "behind", {"assets": ["proposals"], "versions": ["new"]}),
    ("health", "health_figures", {}),
]


@pytest.fixture
def organization(master_conn: Connection) -> str:
    insert = "insert into organizations (slug, name, status) values ('kloof-coffee', 'Kloof', 'active') returning id"
    return str(value(master_conn, insert))


@pytest.mark.parametrize(("room", "name", "values"), ASKED, ids=[f"{room}.{name}" for room, name, _ in ASKED])
def test_a_question_of_every_tick_reads_nothing_of_history(
    master_conn: Connection, organization: str, room: str, name: str, values: dict[str, Any]
) -> None:
    _a_year(master_conn, organization)

    plan = _plan(master_conn, getattr(load_queries(room), name).sql, values)

    assert [
        line for line in plan.splitlines() if "Seq Scan on inbox" in line or "Seq Scan on asset_ledger" in line
    ] == []
    assert _rows_read(plan) < 100


def test_the_look_for_what_is_stuck_reads_nothing_of_history(master_conn: Connection, organization: str) -> None:
    _a_year(master_conn, organization)

    assert _rows_read(_plan(master_conn, MASTER_SQL, {"now": NOW})) < 100


@pytest.mark.parametrize("lane", ["ordinary", "crowd"])
def test_thousands_that_come_at_once_are_not_held_against_each_other(
    master_conn: Connection, organization: str, lane: str
) -> None:
    _a_year(master_conn, organization)  # after which the statistics know of nothing that waits
    master_conn.execute(
        "insert into organizations (slug, name, status)"
        " select 'client-' || n, 'C', 'active' from generate_series(1, 300) n"
    )
    master_conn.execute("analyze organizations")
    master_conn.execute(
        "insert into inbox (organization_id, topic, source, delivery_id)"
        " select o.id, 'leads', 'at once', n::text from organizations o, generate_series(1, %s) n",
        [30 if lane == "crowd" else 10],
    )
    values = {**LEADS, **SHARD, "batch_id": uuid4(), "row_limit": 500, "crowd_rows": 25, "lease_seconds": 120}

    plan = _plan(master_conn, load_queries("inbox").dispatch_batch.sql, values | {"lane": lane})

    assert _rows_read(plan) < 302 * 31


def test_who_is_behind_is_who_has_any_other_version_or_none(master_conn: Connection, organization: str) -> None:
    master_conn.execute(
        "insert into organizations (slug, name, status)"
        " values ('on-the-current', 'A', 'active'), ('away', 'B', 'suspended')"
    )
    versions = {"kloof-coffee": ["a", "m", "z", None], "on-the-current": ["m", "m"], "away": ["a"]}
    for slug, given in versions.items():
        for day, version in enumerate(given, start=1):
            master_conn.execute(
                "insert into asset_ledger (organization_id, asset, day, rows, code_version)"
                " select id, 'proposals', make_date(2026, 11, %s), 1, %s from organizations where slug = %s",
                (day, version, slug),
            )
    master_conn.execute(  # nothing was made on this day, and another asset is nobody's question
        "insert into asset_ledger (organization_id, asset, day, rows, code_version)"
        " select id, 'proposals', date '2026-11-30', 0, 'a' from organizations"
        " union all select id, 'leads', date '2026-11-30', 1, 'a' from organizations"
    )
    behind = load_queries("ledger").behind.sql

    rows = master_conn.execute(behind, {"assets": ["proposals"], "versions": ["m"]}).fetchall()

    assert [tuple(row.values()) for row in rows] == [
        ("kloof-coffee", "proposals", 3, date(2026, 11, 1), date(2026, 11, 4))
    ]


def _a_year(conn: Connection, organization: str) -> None:
    """Twenty thousand deliveries that are done, as many days in the ledger, and one of each that is open."""
    conn.execute(
        "insert into inbox (organization_id, topic, source, delivery_id, state, finished_at, received_at)"
        " select %s, 'leads', 'web', n::text, case when n > 1 then 'done' else 'received' end,"
        " now() - n * interval '10 minutes', now() - n * interval '10 minutes' from generate_series(1, 20000) n",
        [organization],
    )
    conn.execute(
        "insert into asset_ledger (organization_id, asset, day, rows, code_version)"
        " select %s, 'proposals', date '1990-01-01' + n, 1, case when n > 1 then 'new' else 'old' end"
        " from generate_series(1, 12000) n",
        [organization],
    )
    conn.execute("analyze inbox, asset_ledger")


def _plan(conn: Connection, query: str, values: dict[str, Any]) -> str:
    """As the statement really went; it is not kept."""
    with conn.transaction(force_rollback=True):
        rows = conn.execute(f"explain (analyze, timing off) {query}".encode(), values or None)
        return "\n".join(str(row["QUERY PLAN"]) for row in rows)


def _rows_read(plan: str) -> int:
    """Of the step that read most, with those that it left out."""
    return max(int(float(rows)) for rows in re.findall(r"(?:actual rows=|Rows Removed by [\w ]+: )([\d.]+)", plan))
