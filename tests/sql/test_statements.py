"""The split that stands in the history table: the Supabase CLI's rules."""

import pytest

from draggonnb_pipelines.sql.statements import split_statements


@pytest.mark.parametrize(
    ("sql", "statements"),
    [
        ("", []),
        (" ; ;\n", []),
        ("select 1;\n\nselect 2", ["select 1", "select 2"]),
        ("-- why; because\nselect 1;", ["-- why; because\nselect 1"]),
        ("select ';', 'it''s; fine', \"a;\"\"b\";", ["select ';', 'it''s; fine', \"a;\"\"b\""]),
        ("/* a; /* nested; */ b; */ select 1;", ["/* a; /* nested; */ b; */ select 1"]),
        ("do $$ begin; -- it's\nend; $$; select 2;", ["do $$ begin; -- it's\nend; $$", "select 2"]),
        ("do $x$ a; $$ b; $$ c; $x$; select 2;", ["do $x$ a; $$ b; $$ c; $x$", "select 2"]),
        ("create rule r as on insert to t do (a; b); select 2;",
         ["create rule r as on insert to t do (a; b)", "select 2"]),
        ("create function f() begin atomic select 1; select case when true then 2 end; end; select 3;",
         ["create function f() begin atomic select 1; select case when true then 2 end; end", "select 3"]),
        ("select 1 as atomic; select case when true then 1 end; select 2;",
         ["select 1 as atomic", "select case when true then 1 end", "select 2"]),
    ],
)  # fmt: skip
def test_a_file_is_split_where_postgres_would_split_it(sql: str, statements: list[str]) -> None:
    assert split_statements(sql) == statements


@pytest.mark.parametrize("sql", ["select 'a; select 1;", 'select "a;', "do $$ a;", "/* a; /* b */ select 1;"])
def test_what_is_never_closed_is_refused(sql: str) -> None:
    with pytest.raises(ValueError, match="never closed"):
        split_statements(sql)
