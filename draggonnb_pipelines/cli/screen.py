"""Output of the verbs: the console, and tables whose cells are plain text.

Does not live here: what is shown (each verb's module), and errors (`faults.py`).
"""

from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

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
