"""A migration as SQL for the Management API's query endpoint, which takes no parameters with several statements.

Lives here: the SQL that applies a migration and records it in the form of the Supabase CLI, and reading from its
refusal that this was done before. Does not live here: sending it (`supabase_management.py`), databases that we reach
ourselves (`migrations.py`).
"""

from psycopg.sql import SQL, Literal

from draggonnb_pipelines.errors import VendorError
from draggonnb_pipelines.sql.statements import split_statements

HISTORY_EXISTS = "select to_regclass('supabase_migrations.schema_migrations') is not null as there"
HISTORY = "select version, name from supabase_migrations.schema_migrations order by version"
_UNIQUE_VIOLATION = "23505"
_PRIMARY_KEY = "schema_migrations_pkey"
# The columns that the CLI knows; where the platform came first, its table has more, and they stay empty.
_RECORD = SQL(
    """begin;
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
alter table supabase_migrations.schema_migrations add column if not exists statements text[];
alter table supabase_migrations.schema_migrations add column if not exists name text;
insert into supabase_migrations.schema_migrations (version, name, statements)
values ({version}, {name}, array[{statements}]::text[]);
"""
)


def recorded_under(version: str, name: str, query: str) -> str:
    """SQL that records the migration and then applies it, in one transaction.

    In this order two that come at once meet at the primary key, before either has done anything: the second waits,
    and finds it done.

    Raises:
        ValueError: the migration's SQL is broken.
    """
    head = _RECORD.format(
        version=Literal(version),
        name=Literal(name),
        statements=SQL(", ").join(Literal(statement) for statement in split_statements(query)),
    )
    return f"{head.as_string()}{query}\n;\ncommit;"


def already_there(error: VendorError) -> bool:
    """True where the refusal says that this version is recorded."""
    return error.code == _UNIQUE_VIOLATION and _PRIMARY_KEY in error.message
