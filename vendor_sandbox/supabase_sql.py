"""The database endpoints of Supabase's Management API: SQL, migrations, the password, the pooler's address.

Lives here: the wire of these, and the history of migrations as Supabase keeps it. Does not live here: the databases
(`supabase_databases.py`).
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.sql import SQL, Literal

from vendor_sandbox import supabase_databases
from vendor_sandbox.state import Sandbox
from vendor_sandbox.supabase_access import ROOT, error, no_server, object_of, of_project, with_database
from vendor_sandbox.supabase_projects import Project
from vendor_sandbox.wire import Answer, Call, Route, json_answer

_HISTORY = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
    version text not null primary key,
    statements text[],
    name text,
    created_by text,
    idempotency_key text unique,
    rollback text[]
);
"""
_RECORDED = "select version, name, idempotency_key from supabase_migrations.schema_migrations order by version"


async def query(call: Call, dsn: str, project: Project) -> Answer:
    """POST /database/query {"query", "parameters", "read_only"}: 201 and the last statement's rows."""
    body = object_of(call) or {}
    sql, parameters = body.get("query"), body.get("parameters") or []
    if not isinstance(sql, str) or not sql or not isinstance(parameters, list):
        return error(400, "query: String must contain at least 1 character(s)")
    is_read_only = body.get("read_only") is True
    try:
        rows = await supabase_databases.run(dsn, project.ref, sql, parameters, is_read_only=is_read_only)
    except psycopg.OperationalError:
        raise
    except psycopg.Error as fault:
        return error(400, f"Failed to run sql query: {supabase_databases.worded(fault)}")
    return _rows(201, rows)


async def list_migrations(call: Call, dsn: str, project: Project) -> Answer:
    """GET /database/migrations."""
    return json_answer(200, [_named(row) for row in await _recorded(dsn, project)])


async def apply_migration(call: Call, dsn: str, project: Project) -> Answer:
    """POST and PUT /database/migrations: apply (PUT: do not) and record under the version of this moment.

    A file's own version is not taken. An Idempotency-Key is tracked once: a second time nothing happens.
    """
    body = object_of(call) or {}
    sql, name, key = body.get("query"), body.get("name"), call.headers.get("idempotency-key")
    if not isinstance(sql, str) or not sql:
        return error(400, "query: String must contain at least 1 character(s)")
    await supabase_databases.run(dsn, project.ref, _HISTORY)
    recorded = await _recorded(dsn, project)
    if key and any(row["idempotency_key"] == key for row in recorded):
        return Answer(200)
    record = SQL(
        "insert into supabase_migrations.schema_migrations"
        " (version, statements, name, created_by, idempotency_key, rollback) values ({}, {}, {}, {}, {}, {})"
    ).format(
        Literal(_free_version({row["version"] for row in recorded})),
        supabase_databases.literals([sql]),
        Literal(name),
        Literal("owner@sandbox.example"),
        Literal(key),
        supabase_databases.literals([body["rollback"]]) if body.get("rollback") else SQL("null"),
    )
    statements = [record.as_string()] if call.method == "PUT" else [f"{sql}\n", record.as_string()]
    try:
        await supabase_databases.run(dsn, project.ref, ";\n".join(statements))
    except psycopg.OperationalError:
        raise
    except psycopg.Error as fault:
        return error(400, f"Failed to run sql query: {supabase_databases.worded(fault)}")
    return json_answer(200, [])


async def password(call: Call, dsn: str, project: Project) -> Answer:
    """PATCH /database/password {"password"}."""
    new = (object_of(call) or {}).get("password")
    if not isinstance(new, str) or len(new) < 4:
        return error(400, "password: String must contain at least 4 character(s)")
    await supabase_databases.set_password(dsn, project.ref, new)
    return json_answer(200, {"message": "Successfully updated password"})


async def pooler(call: Call, sandbox: Sandbox, project: Project) -> Answer:
    """GET /config/database/pooler: where the database is reached. The password is for the asker to fill in."""
    if sandbox.settings.postgres_dsn is None:
        return no_server()
    host, port = supabase_databases.address(sandbox.settings.postgres_dsn)
    user, database = supabase_databases.role_of(project.ref), supabase_databases.database_of(project.ref)
    primary = {
        "identifier": project.ref,
        "database_type": "PRIMARY",
        "is_using_scram_auth": True,
        "db_user": user,
        "db_host": host,
        "db_port": port,
        "db_name": database,
        "connection_string": f"postgresql://{user}:[YOUR-PASSWORD]@{host}:{port}/{database}",
        "connectionString": f"postgresql://{user}:[YOUR-PASSWORD]@{host}:{port}/{database}",
        "default_pool_size": None,
        "max_client_conn": None,
        "pool_mode": "transaction",
    }
    return json_answer(200, [primary])


async def _recorded(dsn: str, project: Project) -> list[dict[str, Any]]:
    try:
        return await supabase_databases.run(dsn, project.ref, _RECORDED)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return []
    except psycopg.errors.UndefinedColumn:  # a table of the CLI's, which knows no keys
        rows = await supabase_databases.run(dsn, project.ref, _RECORDED.replace(", idempotency_key", ""))
        return [{**row, "idempotency_key": None} for row in rows]


def _named(row: dict[str, Any]) -> dict[str, Any]:
    return {"version": row["version"]} | ({"name": row["name"]} if row["name"] else {})


def _free_version(taken: set[str]) -> str:
    """The second of now, or the next that no migration has."""
    at = datetime.now(UTC)
    while (version := at.strftime("%Y%m%d%H%M%S")) in taken:
        at += timedelta(seconds=1)
    return version


def _rows(status: int, rows: list[dict[str, Any]]) -> Answer:
    plain = [
        {
            name: value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)
            for name, value in row.items()
        }
        for row in rows
    ]
    return json_answer(status, plain)


ROUTES = (
    Route("POST", f"{ROOT}/projects/{{ref}}/database/query", with_database(query)),
    Route("GET", f"{ROOT}/projects/{{ref}}/database/migrations", with_database(list_migrations)),
    Route("POST", f"{ROOT}/projects/{{ref}}/database/migrations", with_database(apply_migration)),
    Route("PUT", f"{ROOT}/projects/{{ref}}/database/migrations", with_database(apply_migration)),
    Route("PATCH", f"{ROOT}/projects/{{ref}}/database/password", with_database(password)),
    Route("GET", f"{ROOT}/projects/{{ref}}/config/database/pooler", of_project(pooler)),
)
