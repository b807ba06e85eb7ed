"""A database as a sealed file and back, by the real pg_dump and pg_restore."""

import asyncio
import contextlib
import resource
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources import backup_files
from draggonnb_pipelines.resources.backup_files import BackupFault, check_file, figures_of, restore_file, write_backup
from draggonnb_pipelines.resources.database_names import create_empty, drop
from draggonnb_pipelines.resources.postgres import dsn_for, long_connection
from draggonnb_pipelines.resources.table_figures import Figures, differences, table_figures
from draggonnb_pipelines.resources.vault import SealBroken

KEY = bytes(range(32))
SCHEMA = """
create table people (id bigint generated always as identity primary key, name text, born timestamptz, notes jsonb,
                     photo bytea, weight double precision, upper_name text generated always as (upper(name)) stored);
create table empty_table (id int primary key);
create schema other; create table other.things (id int primary key, "whole row" text);
insert into people (name, born, notes, photo, weight)
select 'Person ' || n, '2026-11-25 02:00+02'::timestamptz + n * interval '1 day', jsonb_build_object('n', n),
       sha256(n::text::bytea), 1.0 / n from generate_series(1, 2000) n;
insert into other.things values (1, 'one'), (2, null)
"""


@pytest.fixture
def database(postgres_dsn: str) -> Iterator[str]:
    name = f"test_dump_{uuid.uuid4().hex[:8]}"
    with contextlib.closing(psycopg.connect(postgres_dsn, autocommit=True)) as conn:
        conn.execute(SQL("create database {}").format(Identifier(name)))
        with psycopg.connect(dsn_for(postgres_dsn, name)) as inside:
            inside.execute(SCHEMA.encode())
        yield dsn_for(postgres_dsn, name)
        conn.execute(SQL("drop database {} with (force)").format(Identifier(name)))


@pytest.fixture
def empty(postgres_dsn: str) -> Iterator[str]:
    name = f"test_restore_{uuid.uuid4().hex[:8]}"
    asyncio.run(create_empty(postgres_dsn, name))
    yield dsn_for(postgres_dsn, name)
    asyncio.run(drop(postgres_dsn, name))


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def figures(dsn: str) -> Figures:
    async with long_connection(dsn) as conn, conn.transaction():
        return await table_figures(conn)


async def test_a_restored_database_holds_what_the_dumped_one_held(database: str, empty: str, tmp_path: Path):
    told: list[int] = []

    written = await write_backup(tmp_path / "one.backup", database, {"name": "one"}, KEY, on_bytes=told.append)
    recorded = await restore_file(tmp_path / "one.backup", KEY, empty)

    rows = {name: figure["rows"] for name, figure in written.figures.items()}
    assert rows == {"other.things": 2, "public.empty_table": 0, "public.people": 2000}
    assert await figures(empty) == await figures(database) == recorded == written.figures
    assert figures_of(written.path, KEY) == check_file(written.path, KEY) == recorded
    assert sum(told) > 0
    assert left_in(tmp_path) == ["one.backup"]
    assert written.path.stat().st_mode & 0o777 == 0o600


async def test_rows_that_come_during_the_dump_are_in_neither_the_dump_nor_its_figures(
    database: str, empty: str, tmp_path: Path
):
    with psycopg.connect(database, autocommit=True) as conn:

        def write_more(_: int) -> None:
            conn.execute("insert into people (name) values ('late')")

        written = await write_backup(tmp_path / "one.backup", database, {}, KEY, on_bytes=write_more)

    await restore_file(tmp_path / "one.backup", KEY, empty)

    assert written.figures["public.people"]["rows"] == 2000
    assert differences(written.figures, await figures(empty)) == []
    assert (await figures(database))["public.people"]["rows"] > 2000


async def test_a_changed_row_a_missing_row_and_a_missing_table_are_each_named(database: str):
    before = await figures(database)
    with psycopg.connect(database) as conn:
        conn.execute("update people set weight = weight + 1e-9 where id = 7")
        conn.execute("delete from other.things where id = 2")
        conn.execute("drop table empty_table")
        conn.execute("create table new_table (id int)")

    after = await figures(database)

    assert differences(before, after) == [
        "other.things has 1 rows instead of 2",
        "public.empty_table is missing",
        "public.new_table is not in the backup",
        "public.people has the right 2000 rows with other contents",
    ]
    assert differences(before, before) == []


async def test_only_chosen_schemas_are_dumped(database: str, tmp_path: Path):
    written = await write_backup(tmp_path / "one.backup", database, {}, KEY, schemas=["other"])

    assert list(written.figures) == ["other.things"]


async def test_a_full_disk_is_named_and_leaves_nothing(database: str, tmp_path: Path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(BackupFault, match=r"^one\.backup was not written: the disk is full$"):
            await write_backup(tmp_path / "one.backup", database, {}, KEY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert left_in(tmp_path) == []


async def test_a_database_that_is_not_there_is_named_and_leaves_nothing(postgres_dsn: str, tmp_path: Path):
    with pytest.raises(BackupFault, match=r'one\.backup was not written: .*database "nowhere" does not exist'):
        await write_backup(tmp_path / "one.backup", dsn_for(postgres_dsn, "nowhere"), {}, KEY)

    assert left_in(tmp_path) == []


async def test_a_restore_into_a_database_that_is_not_empty_fails_with_the_words_of_pg_restore(
    database: str, tmp_path: Path
):
    await write_backup(tmp_path / "one.backup", database, {}, KEY)

    with pytest.raises(BackupFault, match=r"pg_restore ended with 1: .*already exists"):
        await restore_file(tmp_path / "one.backup", KEY, database)

    assert (await figures(database))["public.people"]["rows"] == 2000


async def test_a_cut_file_is_refused_and_its_process_is_gone(database: str, empty: str, tmp_path: Path):
    path = tmp_path / "one.backup"
    await write_backup(path, database, {}, KEY)
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(SealBroken, match="was changed or cut"):
        await restore_file(path, KEY, empty)

    async with long_connection(empty) as conn:
        found = await conn.execute(
            "select count(*) as n from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        )
        assert await found.fetchone() == {"n": 0}


async def test_a_server_of_a_version_without_programs_is_named(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(backup_files, "_programs", lambda name: {15: Path("/usr/bin/false")})

    with pytest.raises(OperatorError, match=r"there is no pg_dump of that version \(found: 15\)"):
        await write_backup(tmp_path / "one.backup", database, {}, KEY)

    assert left_in(tmp_path) == []


async def test_a_password_is_in_no_argument(database: str):
    shown = backup_files._without_password("postgresql://me:hunter2@db.example:5433/mine?sslmode=require")

    assert shown == "user=me dbname=mine host=db.example port=5433 sslmode=require"
