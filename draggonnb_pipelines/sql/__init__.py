"""All SQL of the project, as files.

Lives here: where the files are, and the loader of named queries. Not here: running migrations
(`resources/migrations.py`) and connections (`resources/postgres.py`).
"""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiosql
from aiosql.adapters.apyformat import AsyncPyFormatAdapter

# A Path, since aiosql reads directories: the wheel is always installed unpacked.
SQL = Path(str(files(__name__)))
QUERIES = SQL / "queries"
MASTER_MIGRATIONS = SQL / "master" / "migrations"
TENANT_MIGRATIONS = SQL / "tenant" / "migrations"
TENANT_SEED = SQL / "tenant" / "seed.sql"
TENANT_LOCAL_SUPABASE = SQL / "tenant" / "local_supabase.sql"


class _DictRows(AsyncPyFormatAdapter):
    """aiosql's psycopg adapter takes a row's first value by position; our rows are dicts."""

    async def select_value(self, conn: Any, query_name: str, sql: str, parameters: Any) -> Any:
        row = await self.select_one(conn, query_name, sql, parameters)
        return next(iter(row.values())) if row else None


aiosql.register_adapter("psycopg-dict-rows", _DictRows)


@cache
def load_queries(noun: str) -> Any:
    """The named queries of `queries/<noun>.sql`, for psycopg's async connections; one async method per query.

    `name` yields rows, `name^` returns one row or None, `name$` one value, `name!` the number of rows touched,
    `name*!` runs for many parameters in one pipeline.
    """
    return aiosql.from_path(QUERIES / f"{noun}.sql", "psycopg-dict-rows", mandatory_parameters=False)
