"""Every table of both schemas is decided about: how long it keeps what it holds, and where persons stand in it."""

from collections import Counter

import pytest

from draggonnb_pipelines.domain.kept_tables import KEPT
from draggonnb_pipelines.domain.retention import RULES
from draggonnb_pipelines.workflows.operations.person_inbox import NAME as INBOX
from draggonnb_pipelines.workflows.operations.person_places import WITHOUT_PERSONS
from draggonnb_pipelines.workflows.operations.person_places_master import MASTER_PLACES
from draggonnb_pipelines.workflows.operations.person_places_tenant import TENANT_PLACES
from tests.sql.conftest import Connection, execute

MODULES = {
    "ecommerce_products",
    "ecommerce_orders",
    "ecommerce_order_lines",
    "real_estate_listings",
    "real_estate_viewings",
}
COLUMNS = """
    select table_name as table, column_name as name, data_type as type from information_schema.columns
    where table_schema = 'public' and table_name in (
        select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace)
"""


def columns(conn: Connection) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for row in execute(conn, COLUMNS):
        found.setdefault(row["table"], {})[row["name"]] = row["type"]
    return found


def ruled(database: str) -> set[str]:
    return {rule.table for rule in RULES if rule.database == database}


def kept(database: str) -> set[str]:
    return {one.table for one in KEPT if one.database == database}


@pytest.mark.parametrize("database", ["master", "tenant"])
def test_every_table_has_a_retention_or_a_reason_to_be_kept(
    database: str, master_conn: Connection, tenant_conn: Connection
):
    tables = set(columns(master_conn if database == "master" else tenant_conn))

    assert ruled(database) | kept(database) == tables | (MODULES if database == "tenant" else set())
    assert ruled(database) & kept(database) == set()
    assert [name for name, n in Counter(f"{one.database}.{one.table}" for one in KEPT).items() if n > 1] == []


@pytest.mark.parametrize("database", ["master", "tenant"])
def test_every_rule_counts_from_a_moment_or_a_day_of_its_table(
    database: str, master_conn: Connection, tenant_conn: Connection
):
    found = columns(master_conn if database == "master" else tenant_conn)

    for rule in RULES:
        if rule.database == database:
            assert found[rule.table][rule.column] in ("timestamp with time zone", "date"), rule.name
            assert set(rule.empties) <= set(found[rule.table]), rule.name


@pytest.mark.parametrize("database", ["master", "tenant"])
def test_every_table_is_a_place_of_persons_or_said_to_hold_none(
    database: str, master_conn: Connection, tenant_conn: Connection
):
    tables = set(columns(master_conn if database == "master" else tenant_conn))
    places = {place.table for place in (MASTER_PLACES if database == "master" else TENANT_PLACES)}
    without = set(WITHOUT_PERSONS[database])

    assert places | without == tables | (MODULES if database == "tenant" else set())
    assert places & without == set()


@pytest.mark.parametrize("places", [MASTER_PLACES, TENANT_PLACES])
def test_every_place_does_exactly_one_thing_and_has_a_name_of_its_own(places):
    for place in places:
        assert [bool(place.empties), place.is_deleted, bool(place.kept)].count(True) == 1, place.name
    assert len({place.name for place in places} | {INBOX}) == len(places) + 1
