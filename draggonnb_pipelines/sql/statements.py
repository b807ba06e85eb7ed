"""Split a SQL file into its statements, as the Supabase CLI does.

Lives here: the scanner. It decides what stands in `schema_migrations.statements`, so its rules are the CLI's:
a statement keeps the comments before it, loses the semicolon and the white space around it, and ends at no
semicolon inside quotes, dollar quotes, comments, parentheses or a BEGIN ATOMIC body.
Not here: running anything (`resources/migrations.py`).
"""

import re

_TOKEN = re.compile(
    r"""
      (?P<comment>--[^\n]*)
    | (?P<block>/\*)
    | (?P<quote>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<unclosed>['"])
    | (?P<dollar>\$(?:[^\W\d]\w*)?\$)
    | (?P<open>\()
    | (?P<close>\))
    | (?P<atomic>\bbegin\s+atomic\b)
    | (?P<end>\bend\b)
    | (?P<case>\bcase\b)
    | (?P<semicolon>;)
    """,
    re.VERBOSE | re.IGNORECASE,
)


def split_statements(sql: str) -> list[str]:
    """Return the statements of a file in order, without their final semicolons.

    Raises:
        ValueError: a quote, a dollar quote or a block comment is never closed.
    """
    statements: list[str] = []
    start = position = parentheses = 0
    blocks: list[str] = []  # open BEGIN ATOMIC and, inside it, CASE: each takes one END
    while token := _TOKEN.search(sql, position):
        kind, position = token.lastgroup, token.end()
        if kind == "block":
            position = _end_of_block_comment(sql, token.start())
        elif kind == "unclosed":
            raise ValueError(f"a quote is never closed: {sql[token.start() : token.start() + 60]!r}")
        elif kind == "dollar":
            position = _end_of_dollar_quote(sql, token)
        elif kind == "open":
            parentheses += 1
        elif kind == "close":
            parentheses = max(parentheses - 1, 0)
        elif kind == "atomic" or (kind == "case" and blocks):
            blocks.append(kind)
        elif kind == "end" and blocks:
            blocks.pop()
        elif kind == "semicolon" and not parentheses and not blocks:
            _append(statements, sql[start:position])
            start = position
    _append(statements, sql[start:])
    return statements


def _append(statements: list[str], text: str) -> None:
    if statement := text.rstrip(";").strip():
        statements.append(statement)


def _end_of_block_comment(sql: str, start: int) -> int:
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(sql, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    raise ValueError(f"a block comment is never closed: {sql[start : start + 60]!r}")


def _end_of_dollar_quote(sql: str, token: re.Match[str]) -> int:
    end = sql.find(token[0], token.end())
    if end < 0:
        raise ValueError(f"a dollar quote is never closed: {sql[token.start() : token.start() + 60]!r}")
    return end + len(token[0])
