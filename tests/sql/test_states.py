"""No state of any table is forgotten: both schemas as they are, against the table of states."""

import re
from pathlib import Path

import pytest

from draggonnb_pipelines.domain.master_states import MASTER_STATES
from draggonnb_pipelines.domain.stuck_states import StateColumn, places, stuck_sql
from draggonnb_pipelines.domain.tenant_states import MODULE_STATES, TENANT_STATES
from draggonnb_pipelines.sql import TENANT_MIGRATIONS
from tests.sql.conftest import Connection, execute

STATE_NAMES = {"state", "status", "stage"}
# Columns with a list of words that say what a row is, or what came of it, and not how far it has come.
KIND_NAMES = {
    *(
        "action",
        "category",
        "channel",
        "content_type",
        "decision",
        "entity",
        "kind",
        "lane",
        "late_posts",
        "metric",
        "mode",
    ),
    *("outcome", "part_kind", "period", "purpose", "role", "settled_as", "step", "subject", "topic", "type", "unit"),
    *("verb", "via"),
}
LISTS = """
    select c.conrelid::regclass::text as table_name, a.attname as column_name, pg_get_constraintdef(c.oid) as said
    from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.contype = 'c' and c.connamespace = 'public'::regnamespace and cardinality(c.conkey) = 1
"""
ENUMS = """
    select count(*) as n from pg_type t join pg_namespace s on s.oid = t.typnamespace
    where t.typtype = 'e' and s.nspname in ('public', 'app')
"""


def lists_of(conn: Connection) -> dict[tuple[str, str], set[str]]:
    """By table and column, the words that a check constraint allows."""
    found = {}
    for row in execute(conn, LISTS).fetchall():
        said = re.fullmatch(r"CHECK \(\((\w+) = ANY \(ARRAY\[(.*)\]\)\)\)", row["said"])
        if said and (words := re.findall(r"'([^']+)'::", said[2])):
            found[row["table_name"], row["column_name"]] = set(words)
    return found


def said_of(columns: tuple[StateColumn, ...]) -> dict[tuple[str, str], set[str]]:
    return {(one.table, one.column): set(one.states()) for one in columns if one.states()}


@pytest.mark.parametrize(
    ("database", "columns", "least"), [("master_conn", MASTER_STATES, 12), ("tenant_conn", TENANT_STATES, 12)]
)
def test_every_state_of_every_table_is_in_the_table_of_states(
    database: str, columns: tuple[StateColumn, ...], least: int, request: pytest.FixtureRequest
) -> None:
    lists = lists_of(request.getfixturevalue(database))

    states = {place: words for place, words in lists.items() if place[1] in STATE_NAMES}
    undecided = {place for place in lists if place[1] not in STATE_NAMES | KIND_NAMES}

    assert said_of(columns) == states
    assert len(states) >= least
    assert undecided == set(), "is it a state, or a kind?"


@pytest.mark.parametrize("database", ["master_conn", "tenant_conn"])
def test_no_state_hides_in_an_enumerated_type(database: str, request: pytest.FixtureRequest) -> None:
    [row] = execute(request.getfixturevalue(database), ENUMS).fetchall()

    assert row["n"] == 0


def test_the_states_of_the_modules_are_in_the_table_too(tenant_conn: Connection) -> None:
    base = set(lists_of(tenant_conn))
    with tenant_conn.transaction(force_rollback=True):
        for path in sorted((TENANT_MIGRATIONS.parent / "modules").rglob("*.sql")):
            tenant_conn.execute(path.read_bytes())
        added = {place: words for place, words in lists_of(tenant_conn).items() if place not in base}

    assert said_of(MODULE_STATES) == {place: words for place, words in added.items() if place[1] in STATE_NAMES}
    assert {place[1] for place in added} <= STATE_NAMES | KIND_NAMES


@pytest.mark.parametrize(("database", "columns"), [("master_conn", MASTER_STATES), ("tenant_conn", TENANT_STATES)])
def test_an_empty_database_is_asked_in_one_statement_and_nothing_stands_still(
    database: str, columns: tuple[StateColumn, ...], request: pytest.FixtureRequest
) -> None:
    conn: Connection = request.getfixturevalue(database)

    rows = conn.execute(stuck_sql(columns).encode(), {"now": "2099-01-01T00:00:00Z"}).fetchall()

    assert {row["place"] for row in rows} <= {place for place, _, _ in places(columns)}


def test_the_modules_are_where_this_test_looks() -> None:
    modules = TENANT_MIGRATIONS.parent / "modules"

    assert {Path(path).parent.name for path in modules.rglob("*.sql")} == {"ecommerce", "real_estate"}
