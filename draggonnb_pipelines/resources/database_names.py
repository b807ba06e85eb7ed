"""Whole databases by their names: an empty one, another name, two that change places, one that goes.

Lives here: what is done from outside, through the server's database `postgres`. Does not live here: what is in them
(whose it is apart, before it is dropped), and the tenant template (`migrations.py`).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import psycopg
from psycopg import errors, sql

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.postgres import Connection, dsn_for, long_connection

# Those whom our role may send away; Postgres itself ends an autovacuum, and to ask for more is refused as a whole.
_SEND_AWAY = """
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = any(%s) and pid <> pg_backend_pid() and backend_type = 'client backend'
      and pg_has_role(usesysid, 'usage')
"""
_SEND_AWAY_EVERY_SECONDS = 0.2


async def databases(server_dsn: str) -> set[str]:
    """The names of all databases of the server."""
    async with _server(server_dsn) as conn:
        return {row["datname"] async for row in await conn.execute("select datname from pg_database")}


async def databases_marked(server_dsn: str, mark: str) -> set[str]:
    """The names of those whose comment begins so."""
    async with _server(server_dsn) as conn:
        query = "select datname from pg_database where starts_with(shobj_description(oid, 'pg_database'), %s)"
        return {row["datname"] async for row in await conn.execute(query, [mark])}


async def put_mark(server_dsn: str, name: str, mark: str) -> None:
    """Give a database a comment, which it keeps under any name."""
    async with _server(server_dsn) as conn:
        await conn.execute(sql.SQL("comment on database {} is {}").format(sql.Identifier(name), sql.Literal(mark)))


async def create_empty(server_dsn: str, name: str, *, mark: str | None = None) -> None:
    """A database without anything in it, closed to other logins; one of that name is dropped first.

    Args:
        mark: its comment, which it keeps under any name.

    Raises:
        OperatorError: somebody would not leave the one of that name.
    """
    async with _server(server_dsn) as conn:
        await _drop(conn, server_dsn, name)
        await conn.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        await conn.execute(sql.SQL("revoke connect, temporary on database {} from public").format(sql.Identifier(name)))
        await conn.execute(sql.SQL("comment on database {} is {}").format(sql.Identifier(name), sql.Literal(mark)))


async def drop(server_dsn: str, name: str) -> bool:
    """Whoever is connected to it; False if there is none.

    Raises:
        OperatorError: somebody would not leave; it stays.
    """
    async with _server(server_dsn) as conn:
        is_there = await (await conn.execute("select 1 from pg_database where datname = %s", [name])).fetchone()
        await _drop(conn, server_dsn, name)
    return is_there is not None


async def drop_tenant_database(server_dsn: str, name: str, organization_id: UUID) -> bool:
    """Drop an organization's database, whoever is connected to it; False if there is none. One without the table of
    organizations is nobody's: what filled it was killed.

    Raises:
        OperatorError: it says that it is another organization's, somebody would not leave, or no connection; it stays.
    """
    try:
        if name not in await databases(server_dsn):
            return False
        async with long_connection(dsn_for(server_dsn, name)) as conn:
            query = "select to_regclass('public.organizations') is not null as is_filled"
            row = await (await conn.execute(query)).fetchone()
            is_filled = row is not None and row["is_filled"]
            found = await (await conn.execute("select id from public.organizations")).fetchall() if is_filled else []
        if others := [row["id"] for row in found if row["id"] != organization_id]:
            raise OperatorError(
                f"database {name} belongs to organization {others[0]}", remedy="nothing was dropped: look into it"
            )
        return await drop(server_dsn, name)
    except psycopg.OperationalError as error:
        raise OperatorError(
            f"the database {name} stays: {' '.join(str(error).split())}", remedy="say it again when its server answers"
        ) from error


async def rename(server_dsn: str, pairs: Sequence[tuple[str, str]]) -> None:
    """Give each database its new name, all in one transaction: killed at any point, all have the old or all the new.

    Whoever is connected to one of them is sent away. While Postgres renames it holds the database's lock, so nobody new
    comes in, and it waits five seconds for those inside to leave: they are sent away meanwhile, by another connection.

    Raises:
        OperatorError: a name is not there or taken, or somebody would not leave, such as a superuser whom our role may
            not send away; nothing was renamed.
    """
    async with _server(server_dsn) as conn:
        try:
            async with _emptying(server_dsn, [old for old, _ in pairs]), conn.transaction():
                for old, new in pairs:
                    await conn.execute(
                        sql.SQL("alter database {} rename to {}").format(sql.Identifier(old), sql.Identifier(new))
                    )
        except (errors.ObjectInUse, errors.InvalidCatalogName, errors.DuplicateDatabase) as error:
            raise OperatorError(
                f"the databases keep their names: {error.diag.message_primary}", remedy="nothing changed; say it again"
            ) from error


async def _drop(conn: Connection, server_dsn: str, name: str) -> None:
    """Not `with (force)`: that is refused to a role that is no superuser while an autovacuum is at work inside."""
    try:
        async with _emptying(server_dsn, [name]):
            await conn.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(name)))
    except errors.ObjectInUse as error:
        raise OperatorError(
            f"the database {name} stays: {error.diag.message_detail or error.diag.message_primary}",
            remedy="say it again when nobody is connected to it",
        ) from error


@contextlib.asynccontextmanager
async def _emptying(server_dsn: str, names: list[str]) -> AsyncIterator[None]:
    async with _server(server_dsn) as conn:
        going = asyncio.create_task(_send_away(conn, names))
        try:
            yield
        except errors.ObjectInUse as error:
            if going.done():  # it goes on for ever, unless it fails
                raise OperatorError(
                    f"the databases keep their names: {going.exception()}", remedy="nothing changed; say it again"
                ) from error
            raise
        finally:
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)


async def _send_away(conn: Connection, names: list[str]) -> None:
    while True:
        await conn.execute(_SEND_AWAY, [names])
        await asyncio.sleep(_SEND_AWAY_EVERY_SECONDS)


@contextlib.asynccontextmanager
async def _server(server_dsn: str) -> AsyncIterator[Connection]:
    async with long_connection(dsn_for(server_dsn, "postgres")) as conn:
        yield conn
