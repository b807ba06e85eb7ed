"""The real databases behind the sandbox's Supabase projects, in the Postgres server that the settings name.

Lives here: making, preparing, locking and dropping a project's database and role, running SQL in it. Does not live
here: what a new project holds (`content/supabase_project.sql`), the APIs (`supabase_*.py`).
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, LiteralString, cast

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composable, Identifier, Literal

Connection = psycopg.AsyncConnection[dict[str, Any]]
_FRESH = Path(__file__).parent / "content" / "supabase_project.sql"
_CONNECT_TIMEOUT_SECONDS = 10


def database_of(ref: str) -> str:
    return f"supabase_{ref}"


def role_of(ref: str) -> str:
    """The project's `postgres`, by the name under which the vendor's pooler knows it."""
    return f"postgres.{ref}"


def authenticator_of(ref: str) -> str:
    """The role that PostgREST signs in as; it has no right but to become one of the API's roles."""
    return f"authenticator.{ref}"


def address(server_dsn: str) -> tuple[str, int]:
    """Host (or directory of the Unix socket) and port of the server."""
    parts = conninfo_to_dict(server_dsn)
    return str(parts.get("host") or "localhost"), int(parts.get("port") or 5432)


async def create(server_dsn: str, ref: str, db_pass: str) -> None:
    """Role, database, and in it what a new project holds."""
    role, database = Identifier(role_of(ref)), Identifier(database_of(ref))
    async with _open(server_dsn, "postgres") as conn:
        await conn.execute(SQL("create role {} login createrole inherit password {}").format(role, Literal(db_pass)))
        await conn.execute(SQL("create database {} owner {} template template0").format(database, role))
        await conn.execute(SQL("revoke connect, temporary on database {} from public").format(database))
    text = cast(LiteralString, _FRESH.read_text(encoding="utf-8"))
    async with _open(server_dsn, database_of(ref)) as conn:
        await conn.execute(SQL(text).format(owner=role))


async def drop(server_dsn: str, ref: str) -> None:
    """Database and roles; what is gone already is as good."""
    async with _open(server_dsn, "postgres") as conn:
        await conn.execute(SQL("drop database if exists {} with (force)").format(Identifier(database_of(ref))))
        for role in (role_of(ref), authenticator_of(ref)):
            await conn.execute(SQL("drop role if exists {}").format(Identifier(role)))


async def let_in_authenticator(server_dsn: str, ref: str, password: str) -> None:
    """Make the role that PostgREST signs in as, or give it another password."""
    role, database = Identifier(authenticator_of(ref)), Identifier(database_of(ref))
    async with _open(server_dsn, "postgres") as conn:
        known = await conn.execute("select rolname from pg_roles where rolname = %s", [authenticator_of(ref)])
        if await known.fetchone():
            await conn.execute(SQL("alter role {} password {}").format(role, Literal(password)))
            return
        await conn.execute(SQL("create role {} login noinherit password {}").format(role, Literal(password)))
        await conn.execute(SQL("alter role {} set statement_timeout = '8s'").format(role))
        await conn.execute(SQL("grant anon, authenticated, service_role to {}").format(role))
        await conn.execute(SQL("grant connect on database {} to {}").format(database, role))


async def set_password(server_dsn: str, ref: str, password: str) -> None:
    async with _open(server_dsn, "postgres") as conn:
        await conn.execute(SQL("alter role {} password {}").format(Identifier(role_of(ref)), Literal(password)))


async def allow_connections(server_dsn: str, ref: str, is_allowed: bool) -> None:
    """A paused project's database lets nobody in, and throws out who is there."""
    async with _open(server_dsn, "postgres") as conn:
        word = SQL("true") if is_allowed else SQL("false")
        await conn.execute(
            SQL("alter database {} with allow_connections {}").format(Identifier(database_of(ref)), word)
        )
        if not is_allowed:
            await conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [database_of(ref)]
            )


async def run(
    server_dsn: str, ref: str, query: str, parameters: Sequence[Any] = (), *, is_read_only: bool = False
) -> list[dict[str, Any]]:
    """Run SQL as the project's `postgres` and return the last statement's rows. Several statements without
    parameters are one transaction, `$1` and so on stand for parameters.

    Raises:
        psycopg.Error: the database's refusal; nothing of the SQL stays.
    """
    async with _open(server_dsn, database_of(ref)) as conn:
        await conn.execute(SQL("set role {}").format(Identifier(role_of(ref))))
        if is_read_only:
            await conn.execute("set default_transaction_read_only = on")
        async with psycopg.AsyncRawCursor(conn, row_factory=dict_row) as cursor:
            await cursor.execute(cast(LiteralString, query), list(parameters) or None)
            while cursor.nextset():
                pass
            return await cursor.fetchall() if cursor.description else []


@contextlib.asynccontextmanager
async def as_vendor(server_dsn: str, ref: str) -> AsyncIterator[Connection]:
    """A project's database as the vendor's own services see it, in one transaction."""
    async with _open(server_dsn, database_of(ref)) as conn, conn.transaction():
        yield conn


def worded(error: psycopg.Error) -> str:
    """An error as the vendor quotes it: `ERROR:  42P01: relation "x" does not exist`."""
    return f"ERROR:  {error.sqlstate or 'XX000'}: {error.diag.message_primary or error}"


def literals(values: Sequence[str]) -> Composable:
    """A text array, for SQL that cannot have parameters."""
    return SQL("array[{}]::text[]").format(SQL(", ").join(Literal(value) for value in values))


@contextlib.asynccontextmanager
async def _open(server_dsn: str, database: str) -> AsyncIterator[Connection]:
    dsn = make_conninfo(**{**conninfo_to_dict(server_dsn), "dbname": database})
    conn = await Connection.connect(
        dsn, autocommit=True, row_factory=dict_row, connect_timeout=_CONNECT_TIMEOUT_SECONDS
    )
    try:
        yield conn
    finally:
        await conn.close()
