"""Databases change their names together or not at all, whoever is connected to them."""

import asyncio
import contextlib
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.database_names import create_empty, databases, drop, drop_tenant_database, rename
from draggonnb_pipelines.resources.postgres import dsn_for


@pytest.fixture
def stem(postgres_dsn: str) -> Iterator[str]:
    """The beginning of the names; all databases that begin so are dropped."""
    stem = f"test_names_{uuid.uuid4().hex[:8]}"
    yield stem
    with contextlib.closing(psycopg.connect(postgres_dsn, autocommit=True)) as conn:
        names = conn.execute("select datname from pg_database where starts_with(datname, %s)", [stem]).fetchall()
        for (name,) in names:
            conn.execute(SQL("drop database {} with (force)").format(Identifier(name)))


def mark(server: str, name: str, text: str) -> None:
    with psycopg.connect(dsn_for(server, name)) as conn:
        conn.execute(SQL("create table {} ()").format(Identifier(text)))


def marks(server: str, name: str) -> list[str]:
    with psycopg.connect(dsn_for(server, name)) as conn:
        return [
            row[0] for row in conn.execute("select relname from pg_class where relnamespace = 'public'::regnamespace")
        ]


async def test_two_databases_change_places_though_clients_keep_coming(postgres_dsn: str, stem: str):
    old, new = stem, f"{stem}_restoring"
    for name, text in ((old, "is_old"), (new, "is_new")):
        await create_empty(postgres_dsn, name)
        mark(postgres_dsn, name, text)
    stop, connected = asyncio.Event(), asyncio.Semaphore(0)

    async def client() -> None:
        while not stop.is_set():
            with contextlib.suppress(psycopg.OperationalError):
                async with await psycopg.AsyncConnection.connect(dsn_for(postgres_dsn, old), autocommit=True) as conn:
                    connected.release()
                    while not stop.is_set():
                        await conn.execute("select pg_sleep(0.01)")

    clients = [asyncio.create_task(client()) for _ in range(5)]
    for _ in clients:
        await connected.acquire()
    await rename(postgres_dsn, [(old, f"{old}_before_restore"), (new, old)])
    stop.set()
    await asyncio.gather(*clients)

    assert marks(postgres_dsn, old) == ["is_new"]
    assert marks(postgres_dsn, f"{old}_before_restore") == ["is_old"]
    assert {name for name in await databases(postgres_dsn) if name.startswith(stem)} == {old, f"{old}_before_restore"}


async def test_a_name_that_is_taken_leaves_all_names_as_they_were(postgres_dsn: str, stem: str):
    names = [stem, f"{stem}_a", f"{stem}_b"]
    for name in names:
        await create_empty(postgres_dsn, name)

    with pytest.raises(OperatorError, match=rf'the databases keep their names: database "{stem}_b" already exists'):
        await rename(postgres_dsn, [(stem, f"{stem}_c"), (f"{stem}_a", f"{stem}_b")])

    assert sorted(name for name in await databases(postgres_dsn) if name.startswith(stem)) == names


async def test_an_empty_database_replaces_one_of_its_name_and_is_closed_to_other_logins(postgres_dsn: str, stem: str):
    await create_empty(postgres_dsn, stem)
    mark(postgres_dsn, stem, "left_by_a_kill")

    await create_empty(postgres_dsn, stem)

    assert marks(postgres_dsn, stem) == []
    with psycopg.connect(postgres_dsn) as conn:
        granted = conn.execute("select has_database_privilege('public', %s, 'connect')", [stem]).fetchone()
    assert granted == (False,)


async def test_dropping_says_whether_there_was_one(postgres_dsn: str, stem: str):
    await create_empty(postgres_dsn, stem)

    assert await drop(postgres_dsn, stem) is True
    assert await drop(postgres_dsn, stem) is False


async def test_a_role_that_is_no_superuser_sends_its_own_sessions_away_and_waits_for_others(
    postgres_dsn: str, stem: str
):
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        conn.execute(SQL("create role {} login createdb createrole password 'x'").format(Identifier(stem)))
    ours = make_conninfo(postgres_dsn, user=stem, password="x")
    await create_empty(ours, stem)
    async with (
        await psycopg.AsyncConnection.connect(dsn_for(postgres_dsn, stem)) as superusers,
        await psycopg.AsyncConnection.connect(dsn_for(ours, stem)) as own,
    ):
        renaming = asyncio.create_task(rename(ours, [(stem, f"{stem}_new")]))
        await asyncio.sleep(1)
        assert not renaming.done()
        await superusers.execute("select")  # nobody sent it away
        await superusers.close()
        await renaming

        with pytest.raises(psycopg.OperationalError):
            await own.execute("select")
    assert {name for name in await databases(ours) if name.startswith(stem)} == {f"{stem}_new"}
    await drop(ours, f"{stem}_new")
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        conn.execute(SQL("drop role {}").format(Identifier(stem)))


async def test_somebody_who_would_not_leave_is_said_and_the_names_stay(postgres_dsn: str, stem: str):
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        conn.execute(SQL("create role {} login createdb password 'x'").format(Identifier(stem)))
    ours = make_conninfo(postgres_dsn, user=stem, password="x")
    await create_empty(ours, stem)

    async with await psycopg.AsyncConnection.connect(dsn_for(postgres_dsn, stem)):
        with pytest.raises(OperatorError, match=f'keep their names: database "{stem}" is being accessed by other'):
            await rename(ours, [(stem, f"{stem}_new")])

    assert {name for name in await databases(ours) if name.startswith(stem)} == {stem}
    await drop(postgres_dsn, stem)  # the superuser's session may be about to end still
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        conn.execute(SQL("drop role {}").format(Identifier(stem)))


async def test_a_tenants_database_too_is_dropped_by_a_role_that_is_no_superuser(postgres_dsn: str, stem: str):
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        conn.execute(SQL("create role {} login createdb password 'x'").format(Identifier(stem)))
    ours = make_conninfo(postgres_dsn, user=stem, password="x")
    await create_empty(ours, stem)

    async with await psycopg.AsyncConnection.connect(dsn_for(ours, stem)):
        async with await psycopg.AsyncConnection.connect(dsn_for(postgres_dsn, stem)):
            with pytest.raises(OperatorError, match=f"database {stem} stays: There is 1 other session"):
                await drop_tenant_database(ours, stem, uuid.uuid4())
        async with await psycopg.AsyncConnection.connect(dsn_for(ours, stem)):
            is_dropped = await drop_tenant_database(ours, stem, uuid.uuid4())

    assert is_dropped
    assert stem not in await databases(postgres_dsn)
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        conn.execute(SQL("drop role {}").format(Identifier(stem)))
