"""Migrations: applied once, recorded as the Supabase CLI does, refused when the history differs."""

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString, cast

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.migrations import (
    create_tenant_database,
    ensure_database,
    installed_modules,
    migrate,
    pending,
)
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.sql import MASTER_MIGRATIONS, TENANT_MIGRATIONS

FIRST = "20260101000000_first.sql"
SECOND = "20260102000000_second.sql"


@pytest.fixture
def empty_dsn(postgres_dsn: str) -> Iterator[str]:
    name = f"test_migrations_{uuid.uuid4().hex[:12]}"
    assert ensure_database(postgres_dsn, name) is True
    assert ensure_database(postgres_dsn, name) is False
    yield dsn_for(postgres_dsn, name)
    _drop(postgres_dsn, name)


@pytest.fixture
def tenant_dsn(postgres_dsn: str, tenant_template: str) -> Iterator[str]:
    name = f"test_migrations_{uuid.uuid4().hex[:12]}"
    assert create_tenant_database(postgres_dsn, name, template=tenant_template) is True
    assert create_tenant_database(postgres_dsn, name, template=tenant_template) is False
    yield dsn_for(postgres_dsn, name)
    _drop(postgres_dsn, name)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory with two migrations."""
    directory = tmp_path / "migrations"
    directory.mkdir()
    (directory / FIRST).write_text("-- why\ncreate table a (id int);\ninsert into a values (1), (2);\n")
    (directory / SECOND).write_text("create table b (id int);")
    return directory


def _drop(server_dsn: str, name: str) -> None:
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        conn.execute(SQL("drop database {} with (force)").format(Identifier(name)))


def _rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(cast(LiteralString, query)).fetchall()


HISTORY = "select version, name, statements from supabase_migrations.schema_migrations order by version"


def test_the_history_is_what_the_supabase_cli_would_have_written(empty_dsn: str, files: Path) -> None:
    told: list[str] = []

    assert migrate(empty_dsn, files, on_step=told.append) == [FIRST, SECOND]

    assert told == [FIRST, SECOND]
    assert _rows(empty_dsn, HISTORY) == [
        ("20260101000000", "first", ["-- why\ncreate table a (id int)", "insert into a values (1), (2)"]),
        ("20260102000000", "second", ["create table b (id int)"]),
    ]
    columns = (
        "select column_name, data_type, is_nullable from information_schema.columns"
        " where table_schema = 'supabase_migrations' order by ordinal_position"
    )
    assert _rows(empty_dsn, columns) == [
        ("version", "text", "NO"),
        ("statements", "ARRAY", "YES"),
        ("name", "text", "YES"),
    ]


def test_a_second_run_does_nothing(empty_dsn: str, files: Path) -> None:
    assert pending(empty_dsn, files) == [FIRST, SECOND]
    migrate(empty_dsn, files)

    assert pending(empty_dsn, files) == []
    assert migrate(empty_dsn, files) == []
    assert _rows(empty_dsn, "select count(*) from a") == [(2,)]


def test_a_history_that_others_wrote_is_continued(empty_dsn: str, files: Path) -> None:
    with psycopg.connect(empty_dsn) as conn:
        conn.execute("create schema supabase_migrations")
        conn.execute(
            "create table supabase_migrations.schema_migrations (version text primary key, statements text[],"
            " name text, created_by text, idempotency_key text unique, rollback text[])"
        )
        conn.execute("create table a (id int)")
        # The Management API records a file as one statement; very old CLIs recorded none.
        whole = (files / FIRST).read_text()
        conn.execute(
            "insert into supabase_migrations.schema_migrations values ('20260101000000', %s, 'first')", [[whole]]
        )

    assert migrate(empty_dsn, files) == [SECOND]


def test_a_file_that_fails_leaves_nothing_and_is_named(empty_dsn: str, files: Path) -> None:
    (files / SECOND).write_text("create table b (id int);\n-- then\nselect 1 / 0;")

    with pytest.raises(OperatorError, match=rf"{SECOND}, statement 2 \(select 1 / 0\): division by zero"):
        migrate(empty_dsn, files)

    assert pending(empty_dsn, files) == [SECOND]
    assert _rows(empty_dsn, "select to_regclass('a') is not null, to_regclass('b') is not null") == [(True, False)]


def test_a_changed_file_is_refused_as_drift(empty_dsn: str, files: Path) -> None:
    migrate(empty_dsn, files)
    (files / FIRST).write_text((files / FIRST).read_text() + "create table c (id int);")
    (files / "20260103000000_third.sql").write_text("create table d (id int);")

    for verb in (migrate, pending):
        with pytest.raises(OperatorError, match=f"{FIRST} differs from what was applied"):
            verb(empty_dsn, files)
    assert _rows(empty_dsn, "select to_regclass('c'), to_regclass('d')") == [(None, None)]


def test_a_database_of_a_newer_release_is_not_migrated_but_may_be_used(empty_dsn: str, files: Path) -> None:
    migrate(empty_dsn, files)
    (files / SECOND).unlink()

    assert pending(empty_dsn, files) == []
    with pytest.raises(OperatorError, match="does not know: 20260102000000"):
        migrate(empty_dsn, files)


def test_a_migration_between_those_of_the_files_is_refused(empty_dsn: str, files: Path) -> None:
    (files / "20260101120000_between.sql").write_text("create table c (id int);")
    migrate(empty_dsn, files)
    (files / "20260101120000_between.sql").unlink()

    for verb in (migrate, pending):
        with pytest.raises(OperatorError, match="does not know: 20260101120000"):
            verb(empty_dsn, files)


@pytest.mark.parametrize("name", ["first.sql", "2026_first.sql", "20260101000000_First.sql"])
def test_a_badly_named_file_is_refused(empty_dsn: str, files: Path, name: str) -> None:
    (files / name).write_text("select 1;")

    with pytest.raises(OperatorError, match="bad file name"):
        migrate(empty_dsn, files)
    assert _rows(empty_dsn, "select to_regclass('a')") == [(None,)]


def test_two_migrators_at_once_apply_each_file_once(empty_dsn: str) -> None:
    applied: list[str] = []
    migrators = [
        threading.Thread(target=lambda: applied.extend(migrate(empty_dsn, MASTER_MIGRATIONS))) for _ in range(4)
    ]
    for migrator in migrators:
        migrator.start()
    for migrator in migrators:
        migrator.join()

    assert sorted(applied) == sorted(path.name for path in MASTER_MIGRATIONS.glob("*.sql"))
    assert pending(empty_dsn, MASTER_MIGRATIONS) == []


def test_a_module_is_installed_once_kept_up_to_date_and_guarded(tenant_dsn: str) -> None:
    assert installed_modules(tenant_dsn) == []

    assert migrate(tenant_dsn, TENANT_MIGRATIONS, modules=["ecommerce"]) == ["20261101100000_ecommerce.sql"]
    assert migrate(tenant_dsn, TENANT_MIGRATIONS, modules=["real_estate"]) == ["20261101110000_real_estate.sql"]

    assert installed_modules(tenant_dsn) == ["ecommerce", "real_estate"]
    assert migrate(tenant_dsn, TENANT_MIGRATIONS) == []
    guarded = (
        "select relname from pg_class where relrowsecurity and relkind = 'r'"
        " and (relname like 'ecommerce%' or relname like 'real_estate%') order by 1"
    )
    assert [row[0] for row in _rows(tenant_dsn, guarded)] == [
        "ecommerce_order_lines",
        "ecommerce_orders",
        "ecommerce_products",
        "real_estate_listings",
        "real_estate_viewings",
    ]


def test_an_unknown_module_is_refused_with_the_known_ones(tenant_dsn: str) -> None:
    with pytest.raises(OperatorError, match=r"no such module: hotels\n.*ecommerce, real_estate"):
        migrate(tenant_dsn, TENANT_MIGRATIONS, modules=["hotels"])


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    with pytest.raises(OperatorError, match=r"no connection to Postgres host=127\.0\.0\.1 port=1") as caught:
        migrate("postgresql://u:hush@127.0.0.1:1/db", MASTER_MIGRATIONS)

    assert "hush" not in str(caught.value)
