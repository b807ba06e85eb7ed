"""What the benchmarks share: a throw-away server with a master database, settings for it, and how results are shown."""

import contextlib
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from draggonnb_pipelines.resources.embedded_postgres import embedded_server
from draggonnb_pipelines.resources.migrations import ensure_database, migrate
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.settings import Settings, load_settings
from draggonnb_pipelines.sql import MASTER_MIGRATIONS

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
PAGE_HEAD = """# Benchmarks

Written by `make bench` from `benchmarks/results/`. Ratios between things measured in one run on one machine; absolute
figures say something about that machine only. Durability is on: fsync and synchronous_commit are as Postgres ships
them. Vendors are the sandbox's on loopback, and share the cores with what is measured.
"""
KEYS = "bench:" + "q83vEjRWeJC83xI0VniQq83vEjRWeJC83xI0VniQq80="
console = Console()


@contextlib.contextmanager
def bench_server(name: str, **overrides: Any) -> Iterator[Settings]:
    """A fresh embedded server (durability on, as always) with a migrated master database, removed afterwards."""
    directory = Path(f"/var/tmp/draggonnb-bench-{os.getuid()}-{name}")
    shutil.rmtree(directory, ignore_errors=True)
    with embedded_server(directory) as server:
        ensure_database(server, "bench")
        dsn = dsn_for(server, "bench")
        migrate(dsn, MASTER_MIGRATIONS)
        yield load_settings(master_dsn=dsn, master_keys=SecretStr(KEYS), **overrides)
    shutil.rmtree(directory, ignore_errors=True)


def environment(settings: Settings) -> dict[str, str]:
    """What a child process needs to use the same server."""
    return {
        **os.environ,
        "DRAGGONNB_MASTER_DSN": settings.dsn,
        "DRAGGONNB_MASTER_KEYS": settings.keys,
        "DRAGGONNB_API_PORT": str(settings.api_port),
        "DRAGGONNB_API_RATE_PER_MINUTE": str(settings.api_rate_per_minute),
    }


def report(
    name: str, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], data: Mapping[str, Any]
) -> None:
    """Print the table and write it with the figures behind it to `results/<name>.json`, with machine and date.

    `command` among the figures is what the page names, where it was given more than the benchmark's name.
    """
    cells = [[f"{cell:,.2f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    for row in cells:
        table.add_row(*row)
    console.print(table)
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    figures = {
        "benchmark": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "on": machine,
        "table": {"title": title, "columns": list(columns), "rows": cells},
        **data,
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(figures, indent=2, default=str) + "\n")


def write_page() -> None:
    """Render docs/benchmarks.md from the results on disk: no figure in it is typed."""
    parts = [PAGE_HEAD]
    for file in sorted(RESULTS.glob("*.json")):
        result = json.loads(file.read_text())
        table, on = result["table"], result["on"]
        parts.append(f"## {table['title']}\n")
        command = result.get("command", f"python -m benchmarks {result['benchmark']}")
        parts.append(f"`{command}`, {result['at']}, {on['cores']} cores {on['machine']},")
        parts.append(f"Python {on['python']}.\n")
        parts.append("| " + " | ".join(table["columns"]) + " |")
        parts.append("|---" * len(table["columns"]) + "|")
        parts += ["| " + " | ".join(row) + " |" for row in table["rows"]]
        parts.append("")
    PAGE.write_text("\n".join(parts))
