"""What a database holds, in figures: rows and a checksum of each table. Two databases with the same figures hold the
same rows.

Does not live here: what is compared with what (`workflows/operations`).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from draggonnb_pipelines.resources.postgres import Connection

Figures = dict[str, dict[str, Any]]
# A row's text must not depend on whose session prints it.
_SETTINGS = """
set local timezone = 'UTC'; set local datestyle = 'ISO, MDY'; set local intervalstyle = 'postgres';
set local extra_float_digits = 1; set local bytea_output = 'hex'; set local statement_timeout = 0;
set local row_security = off
"""
_TABLES = """
select n.nspname as schema, c.relname as name
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  and (cast(%(schemas)s as text[]) is null or n.nspname = any(%(schemas)s))
order by 1, 2
"""
# The sum of 60 bits of each row's md5: no order is needed, and md5 is the same on every version and machine.
_FIGURES = """
select {label} as name, count(*) as rows,
       coalesce(sum(('x' || substr(md5(whole_row::text), 1, 15))::bit(60)::bigint), 0)::text as checksum
from only {table} as whole_row
"""


async def table_figures(conn: Connection, schemas: Sequence[str] | None = None) -> Figures:
    """`{"public.leads": {"rows": 3, "checksum": "1234"}, ...}` of every permanent table, in one statement.

    Call it in a transaction, which also sees one state of all tables where it is repeatable read.

    Args:
        schemas: only these; None is every schema that is not Postgres's own.

    Raises:
        psycopg.Error: a table may not be read as a whole (row security counts as that), or the connection broke.
    """
    await conn.execute(_SETTINGS)
    found = await conn.execute(_TABLES, {"schemas": list(schemas) if schemas else None})
    tables = await found.fetchall()
    if not tables:
        return {}
    parts = [
        sql.SQL(_FIGURES).format(
            label=sql.Literal(f"{table['schema']}.{table['name']}"),
            table=sql.Identifier(table["schema"], table["name"]),
        )
        for table in tables
    ]
    rows = await (await conn.execute(sql.SQL(" union all ").join(parts))).fetchall()
    return {row["name"]: {"rows": row["rows"], "checksum": row["checksum"]} for row in rows}


def differences(recorded: Mapping[str, Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is not as it was recorded, in words, by table; nothing where both are equal."""
    said = []
    for name in sorted({*recorded, *found}):
        before, after = recorded.get(name), found.get(name)
        if before is None or after is None:
            said.append(f"{name} is {'not in the backup' if before is None else 'missing'}")
        elif before["rows"] != after["rows"]:
            said.append(f"{name} has {after['rows']} rows instead of {before['rows']}")
        elif before["checksum"] != after["checksum"]:
            said.append(f"{name} has the right {after['rows']} rows with other contents")
    return said


def digest_of(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """All of it in 64 hexadecimal digits, the same where `differences` says nothing."""
    text = json.dumps({name: (one["rows"], one["checksum"]) for name, one in figures.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def row_count(figures: Mapping[str, Mapping[str, Any]]) -> int:
    """All rows together."""
    return sum(figure["rows"] for figure in figures.values())
