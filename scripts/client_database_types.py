"""Write the client app's TypeScript types of its database: what a signed-in person may read, add and change there.

Read from a migrated database and not from the migrations' text, with the grants by column: a column that the API gives
to nobody has no type. `tests/test_client_template.py` fails while the file in the template differs.
"""

import os
import re
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

TYPES = Path(__file__).resolve().parent.parent / "client_template" / "lib" / "supabase" / "types.ts"
PERSON = "authenticated"
_WORDS = {"bool": "boolean", "jsonb": "Json", "int2": "number", "int4": "number", "int8": "number", "numeric": "number"}
_ENUMERATION = re.compile(r"CHECK \(\((\w+) = ANY \(ARRAY\[('[^\]]+)\]\)\)\)")
_COLUMNS = """
select c.relname as table_name, a.attname as name, t.typname as type, not a.attnotnull as is_nullable,
       a.atthasdef as has_default, a.attgenerated <> '' as is_generated,
       has_column_privilege(%(person)s, c.oid, a.attnum, 'select') as may_read,
       has_column_privilege(%(person)s, c.oid, a.attnum, 'insert') as may_add,
       has_column_privilege(%(person)s, c.oid, a.attnum, 'update') as may_change
from pg_class c join pg_attribute a on a.attrelid = c.oid join pg_type t on t.oid = a.atttypid
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
order by c.relname, a.attname
"""
_CHECKS = """
select conrelid::regclass::text as table_name, pg_get_constraintdef(oid) as definition
from pg_constraint where contype = 'c' and connamespace = 'public'::regnamespace
"""
_KEYS = """
select k.conrelid::regclass::text as table_name, k.conname as name, k.confrelid::regclass::text as target,
       a.attname as "column", b.attname as target_column,
       exists (select from pg_index i where i.indrelid = k.conrelid and i.indisunique and i.indpred is null
               and i.indkey::text = k.conkey[1]::text) as is_one_to_one
from pg_constraint k
join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
join pg_attribute b on b.attrelid = k.confrelid and b.attnum = k.confkey[1]
where k.contype = 'f' and k.connamespace = 'public'::regnamespace and cardinality(k.conkey) = 1
order by 1, 2
"""
_FUNCTIONS = """
select p.proname as name, coalesce(p.proargnames, '{}') as arguments, p.pronargdefaults as defaults,
       array(select t.typname from unnest(p.proargtypes) with ordinality u(type, place)
             join pg_type t on t.oid = u.type order by place) as types, r.typname as returns
from pg_proc p join pg_type r on r.oid = p.prorettype
where p.pronamespace = 'public'::regnamespace and has_function_privilege(%(person)s, p.oid, 'execute') order by 1
"""
_HEAD = """/**
 * The database as its API gives it to signed-in people, column by column.
 *
 * Written by scripts/client_database_types.py at DraggonnB from the migrated schema: do not edit.
 */
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

"""


def database_types(dsn: str) -> str:
    """The file's text for the schema of the database at this DSN."""
    with psycopg.connect(dsn, row_factory=namedtuple_row) as conn:
        person = {"person": PERSON}
        columns: list[Any] = conn.execute(_COLUMNS, person).fetchall()
        checks: list[Any] = conn.execute(_CHECKS).fetchall()
        keys: list[Any] = conn.execute(_KEYS).fetchall()
        functions: list[Any] = conn.execute(_FUNCTIONS, person).fetchall()
    chosen = _enumerations(checks)
    tables = sorted({one.table_name for one in columns if one.may_read})
    lines = ["export type Database = {", "  public: {", "    Tables: {"]
    for table in tables:
        own = [one for one in columns if one.table_name == table]
        lines += _table(table, own, chosen, [key for key in keys if key.table_name == table and key.target in tables])
    lines += ["    };", "    Views: { [name in never]: never };", "    Functions: {"]
    lines += [_function(one) for one in functions]
    lines += ["    };", "    Enums: { [name in never]: never };", "    CompositeTypes: { [name in never]: never };"]
    lines += ["  };", "};", "", 'export type Tables = Database["public"]["Tables"];']
    lines += ['export type Row<Name extends keyof Tables> = Tables[Name]["Row"];', ""]
    return _HEAD + "\n".join(lines)


def _enumerations(checks: list[Any]) -> dict[tuple[str, str], str]:
    """Columns whose check names their values, as a union of these."""
    found = {}
    for check in checks:
        if match := _ENUMERATION.fullmatch(check.definition):
            words = re.findall(r"'([^']+)'::text", match[2])
            found[check.table_name, match[1]] = " | ".join(f'"{word}"' for word in words)
    return found


def _table(table: str, columns: list[Any], chosen: dict[tuple[str, str], str], keys: list[Any]) -> list[str]:
    def word(column: Any) -> str:
        plain = chosen.get((table, column.name)) or _word(column.type)
        return f"{plain} | null" if column.is_nullable else plain

    read = [f"          {one.name}: {word(one)};" for one in columns if one.may_read]
    add = [
        f"          {one.name}{'?' if one.is_nullable or one.has_default else ''}: {word(one)};"
        for one in columns
        if one.may_add and not one.is_generated
    ]
    change = [f"          {one.name}?: {word(one)};" for one in columns if one.may_change and not one.is_generated]
    return [
        f"      {table}: {{",
        *("        Row: {", *read, "        };"),
        *_object("Insert", add),
        *_object("Update", change),
        *(["        Relationships: [", *(_key(key) for key in keys), "        ];"] if keys else _no_keys()),
        "      };",
    ]


def _object(name: str, lines: list[str]) -> list[str]:
    return (
        [f"        {name}: {{", *lines, "        };"] if lines else [f"        {name}: {{ [name in never]: never }};"]
    )


def _no_keys() -> list[str]:
    return ["        Relationships: [];"]


def _key(key: Any) -> str:
    return (
        f'          {{ foreignKeyName: "{key.name}"; columns: ["{key.column}"]; '
        f'isOneToOne: {str(key.is_one_to_one).lower()}; referencedRelation: "{key.target}"; '
        f'referencedColumns: ["{key.target_column}"] }},'
    )


def _function(function: Any) -> str:
    required = len(function.types) - function.defaults
    arguments = "; ".join(
        f"{name}{'' if place < required else '?'}: {_word(kind)}"
        for place, (name, kind) in enumerate(zip(function.arguments, function.types, strict=True))
    )
    taken = f"{{ {arguments} }}" if arguments else "Record<never, never>"
    returns = "undefined" if function.returns == "void" else _word(function.returns)
    return f"      {function.name}: {{ Args: {taken}; Returns: {returns} }};"


def _word(name: str) -> str:
    """TypeScript's word for a type as it comes through JSON; arrays begin with _ in Postgres."""
    return f"{_word(name[1:])}[]" if name.startswith("_") else _WORDS.get(name, "string")


def main() -> None:
    from draggonnb_pipelines.resources.embedded_postgres import embedded_server
    from draggonnb_pipelines.resources.migrations import create_tenant_database, ensure_tenant_template
    from draggonnb_pipelines.resources.postgres import dsn_for

    # Short, and open to the server's own user: its socket lies there.
    with embedded_server(Path(f"/var/tmp/draggonnb-types-{os.getuid()}")) as dsn:  # noqa: S108
        template = ensure_tenant_template(dsn)
        name = f"types_of_{template}"[:63]
        create_tenant_database(dsn, name, template=template)
        TYPES.write_text(database_types(dsn_for(dsn, name)))


if __name__ == "__main__":
    main()
