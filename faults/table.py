"""What was seen of each fault: kept as JSON, shown on the screen, and put into docs/operations.md.

Lives here: the table's words come from a run, none of them is typed. Not here: running (`__main__.py`).
"""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from faults.telling import Told

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parent.parent / "docs" / "operations.md"
BEGIN, END = "<!-- faults -->", "<!-- /faults -->"
COLUMNS = ("fault", "done", "the system said, and where", "after", "the operator does", "lost, doubled")


@dataclass(frozen=True)
class Seen:
    """One fault as it went.

    Args:
        told: who told of it; None if nobody did in time, or this machine cannot have the fault.
        came_in: how many leads, messages and posts on a network came in before it and until it was over.
        lost, doubled: a line for each thing.
        wrong: what else is not as it must be, such as a health that did not come back.
        skipped: what the machine would need.
    """

    name: str
    done: str
    operator: str
    told: Told | None = None
    came_in: int = 0
    lost: Sequence[str] = ()
    doubled: Sequence[str] = ()
    wrong: str = ""
    skipped: str = ""
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def is_survived(self) -> bool:
        return not (self.lost or self.doubled or self.wrong) and (self.told is not None or bool(self.skipped))

    @property
    def cells(self) -> list[str]:
        """As in `COLUMNS`."""
        if self.skipped:
            said, after = f"skipped: {self.skipped}", ""
        elif self.told is None:
            said, after = "nothing", ""
        else:
            said, after = f"{self.told.where}: {self.told.words}", f"{self.told.seconds:.0f} s"
        counts = "" if self.skipped else f"{len(self.lost)}, {len(self.doubled)} of {self.came_in}"
        return [self.name, self.done, said, after, self.operator, counts + (f"; {self.wrong}" if self.wrong else "")]


def on_screen(seen: Sequence[Seen]) -> Table:
    table = Table(title=f"{len(seen)} faults", title_justify="left", show_lines=True)
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for one in seen:
        table.add_row(*one.cells, style=None if one.is_survived else "bold red")
    return table


def keep(seen: Seen, names: Sequence[str]) -> None:
    """Put this beside what was seen of the others before, in the catalogue's order."""
    known = {one.name: one for one in read()} | {seen.name: seen}
    kept = [asdict(known[name]) for name in names if name in known]
    RESULTS.write_text(json.dumps(kept, indent=2) + "\n")


def read() -> list[Seen]:
    """What was seen of each fault when it was last injected."""
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    return [Seen(**(row | {"told": Told(**row["told"]) if row["told"] else None})) for row in rows]


def write_page(seen: Sequence[Seen]) -> None:
    """Put the table between the marks of docs/operations.md."""
    head, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    days = sorted({one.at[:10] for one in seen})
    machine = f"{os.cpu_count()} cores {platform.machine()}, Python {platform.python_version()}"
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    lines = [
        BEGIN,
        f"`make faults`, {when}, {machine}: {len(seen)} faults.",
        "",
        _row(COLUMNS),
        "|---" * len(COLUMNS) + "|",
    ]
    lines += [_row(one.cells) for one in seen]
    PAGE.write_text(head + "\n".join([*lines, ""]) + END + tail)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"
