"""Output of the verbs: the console, tables whose cells are plain text, and the question before what cannot be undone.

Does not live here: what is shown (each verb's module), and errors (`faults.py`).
"""

from datetime import UTC, datetime

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from draggonnb_pipelines.errors import OperatorError

# Without a terminal (a pipe, a log) a table must not be folded at 80 columns: a row stays a line.
PIPE_WIDTH = 250


def console() -> Console:
    """The console of the current stdout."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


def table(*columns: str, title: str | None = None, unbroken: tuple[str, ...] = ()) -> Table:
    """A table with these columns; those in `unbroken` are never wrapped (what one copies)."""
    made = Table(title=title, title_justify="left", show_header=any(columns))
    for column in columns:
        made.add_column(column, no_wrap=column in unbroken, overflow="fold")
    return made


def cell(value: object, style: str = "") -> Text:
    """A value as plain text: what clients sent is never markup and never a terminal's control sequence.

    Moments are shown in UTC, whatever the zone of the database's session.
    """
    if value is None:
        return Text("")
    text = f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
    return Text("".join(c if c.isprintable() else "�" for c in text), style=style)


def confirm(slug: str, what_follows: str, *, yes: bool) -> None:
    """The slug is typed by a person, who so reads it once more.

    Raises:
        OperatorError: something else was typed.
    """
    if yes:
        return
    console().print(cell(f"{slug}: {what_follows}", "yellow"))
    typed = typer.prompt("type the slug to go on", default="", show_default=False)
    if typed.strip() != slug:
        raise OperatorError(f"{typed.strip()!r} is not {slug!r}", remedy="nothing was done")
