"""`python -m benchmarks growth [CLIENTSxDAYS ...]`: what a tick, a page or a start costs with more clients and history.

For each number of clients the whole stack with Dagster's web server is started, history is added day by day as the
product leaves it (`growth_history.py`), and at each number of days everything is asked (`growth_asks.py`). Days are 1,
30 and 365. Without arguments `10x1 10x365 100x1 100x365`; the whole table has 30 days and 1000 clients too. The clients
are rows: only one of them has a database.
"""

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import psycopg

from benchmarks.burst import DEFAULTS
from benchmarks.costs import Costs
from benchmarks.growth_asks import WebServer, backfill_start, checks, prune, run_start, schedules, ticks
from benchmarks.growth_history import add_days, make_room
from benchmarks.growth_patterns import make_patterns
from benchmarks.server import console, report
from draggonnb_pipelines.cli import command_lines
from draggonnb_pipelines.cli.processes import Process, answers, free_port
from draggonnb_pipelines.resources.embedded_postgres import embedded_server
from tests.stories.system import System, dagster_dsn, dagster_environment, in_environment, running_system

DEFAULT = ("10x1", "10x365", "100x1", "100x365")
DAYS = (1, 30, 365)
SEEN = "seen-by-all"  # the client that has a database
IDLE_SECONDS = 20
BACKFILL_DAYS = 3
_CLIENTS = """
insert into organizations (slug, name, status, created_at)
select 'grown-' || n, 'Grown ' || n, 'active', now() - interval '2 years' from generate_series(1, %s) n returning 1
"""
_AGENDAS = (
    "insert into publishing_agenda (organization_id) select id from organizations on conflict do nothing returning 1",
    """insert into analytics_agenda (organization_id, snapshot_day, week_reported)
       select id, '2100-01-01', '2100-01-04' from organizations on conflict (organization_id)
       do update set snapshot_day = excluded.snapshot_day, week_reported = excluded.week_reported returning 1""",
    "update organizations set created_at = now() - interval '2 years' returning 1",
)
Cell = tuple[int, int]


@dataclass
class Found:
    """Of one cell: seconds by what was asked, and plain figures (CPU, memory, rows, bytes)."""

    seconds: dict[str, float] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)


def main(arguments: list[str]) -> None:
    """Measure the cells and report. ValueError for a cell that is not CLIENTSxDAYS with 1, 30 or 365 days."""
    cells = [_cell(argument) for argument in arguments or DEFAULT]
    found: dict[Cell, Found] = {}
    for clients in sorted({cell[0] for cell in cells}):
        directory = Path(f"/var/tmp/draggonnb-bench-{os.getuid()}-growth")
        shutil.rmtree(directory, ignore_errors=True)
        days = [day for day in DAYS if (clients, day) in cells]
        with (
            embedded_server(directory) as server,
            running_system(server, **DEFAULTS) as system,
            in_environment(dagster_environment(system.settings)),
        ):
            found |= _grow(system, clients, days)
        shutil.rmtree(directory, ignore_errors=True)
        _report(found)  # after each size: a larger one may be cut off


def _cell(argument: str) -> Cell:
    clients, _, days = argument.partition("x")
    if int(days) not in DAYS:
        raise ValueError(f"{argument}: the days are one of {', '.join(map(str, DAYS))}")
    return int(clients), int(days)


def _grow(system: System, clients: int, days: Sequence[int]) -> dict[Cell, Found]:
    web = _web_server(system)
    web.stop_schedules()
    system.create(SEEN)
    system.master(_CLIENTS, clients - 1)
    for statement in _AGENDAS:
        system.master(statement)
    known = "select count(*) as n from dynamic_partitions"
    system.wait_until("all are known", lambda: system.dagster(known)[0]["n"] == clients, seconds=60)
    make_room(dagster_dsn(system.settings.dsn))
    found: dict[Cell, Found] = {}
    with dg.DagsterInstance.get() as instance:
        first_backfill = backfill_start(system, web, SEEN, BACKFILL_DAYS)[1]
        patterns = make_patterns(system, instance, web, SEEN)
        slugs = [row["slug"] for row in system.master("select slug from organizations order by slug")]
        before = 0
        for day in days:
            started = time.monotonic()
            add_days(system.settings, patterns, slugs, before, day)
            patterns.note_newest(instance)
            console.print(f"{clients} clients, {day} days of history: filled in {time.monotonic() - started:.0f} s")
            found[clients, day] = _measure(system, instance, web, first_backfill)
            before = day
    return found


def _web_server(system: System) -> WebServer:
    port = free_port()
    workspace = system.settings.state_dir.resolve() / "dagster" / "workspace.yaml"
    url = f"http://127.0.0.1:{port}"
    command = command_lines.web_server(system.settings, workspace, port)
    system.running.add(Process("web server", command, lambda: answers(f"{url}/server_info")))
    return WebServer(url)


def _measure(system: System, instance: dg.DagsterInstance, web: WebServer, backfill_id: str) -> Found:
    found = Found()
    system.dagster("update asset_keys set cached_status_data = null returning 1")
    found.seconds["partition status of one asset, first after a new client"] = web.status()
    assets = [one.to_user_string() for one in instance.all_asset_keys()]
    found.seconds |= web.pages(assets, backfill_id)
    idle, busy = ticks(system, instance)
    found.seconds |= {f"tick of {name}": seconds for name, seconds in idle.items()}
    found.seconds |= {f"tick of {name}, all clients wait": seconds for name, seconds in busy.items()}
    found.seconds |= {f"schedule {name}": seconds for name, seconds in schedules(instance).items()}
    found.seconds |= checks(instance)
    found.seconds |= run_start(system, web)
    found.seconds |= backfill_start(system, web, SEEN, BACKFILL_DAYS)[0]
    with Costs(system) as costs:
        time.sleep(IDLE_SECONDS)
    for kind, cost in costs.by_kind().items():
        if kind in ("daemon", "code server", "web server", "postgres"):
            found.figures[f"CPU of {kind} in an idle minute, s"] = cost.cpu_seconds * 60 / IDLE_SECONDS
    for name in ("daemon", "code server", "web server"):
        memory = psutil.Process(system.process_id(name)).memory_info().rss
        found.figures[f"memory of {name}, MiB"] = memory / 1024**2
    found.figures |= _sizes(system)
    seconds, found.figures["rows that the pruning still found"] = prune(system.settings)
    found.seconds |= seconds
    return found


def _sizes(system: System) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, dsn in (("Dagster", dagster_dsn(system.settings.dsn)), ("master", system.settings.dsn)):
        with psycopg.connect(dsn) as conn:
            [size] = conn.execute("select pg_database_size(current_database())").fetchone() or [0]
        figures[f"{name} database, MiB"] = size / 1024**2
    for table in ("event_logs", "runs", "job_ticks"):
        figures[f"rows of {table}"] = system.dagster(f"select count(*) as n from {table}")[0]["n"]
    return figures


def exponent(found: dict[Cell, Found], name: str, cells: Sequence[Cell], axis: int) -> float | None:
    """How a name's seconds grow from the first of the cells to the last along one axis (0 clients, 1 days): 1 is
    linear, 0 is not at all."""
    first, last = cells[0], cells[-1]
    if len(cells) < 2:
        return None
    ratio = found[last].seconds[name] / found[first].seconds[name]
    return log(ratio) / log(last[axis] / first[axis])


def _report(found: dict[Cell, Found]) -> None:
    cells = sorted(found)
    by_clients = [cell for cell in cells if cell[1] == max(day for _, day in cells)]
    by_days = [cell for cell in cells if cell[0] == max(clients for clients, _ in cells)]
    rows: list[list[Any]] = []
    for name in found[cells[0]].seconds:
        exponents = (exponent(found, name, by_clients, 0), exponent(found, name, by_days, 1))
        rows.append([f"{name}, ms", *(1000 * found[cell].seconds[name] for cell in cells), *map(_shown, exponents)])
    rows += [[name, *(found[cell].figures[name] for cell in cells), "", ""] for name in found[cells[0]].figures]
    heads = ["", *(f"{clients} x {days}" for clients, days in cells), "with clients", "with days"]
    data = {f"{clients}x{days}": vars(found[clients, days]) for clients, days in cells}
    command = f"python -m benchmarks growth {' '.join(data)}"
    title = "What grows: clients x days of history; medians, and exponents of growth (1 is linear, 0 none)"
    report("growth", title, heads, rows, {"command": command, "cells": data})


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
