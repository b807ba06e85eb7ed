"""Fifty clients at once: paid in the same moment, set up by the real daemon and its runs; Supabase takes a minute.

Then a change of schema for a hundred tenants as one backfill, one of whose databases is down; and that one alone again.
Counted are wall time, runs, processes, CPU and memory. The vendors are the sandbox's; each project is a real database.
"""

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from rich.progress import Progress

from benchmarks.backfills import backfill
from benchmarks.costs import Costs
from benchmarks.server import console, report
from draggonnb_pipelines.resources.embedded_postgres import embedded_server
from draggonnb_pipelines.resources.migrations import create_tenant_database, ensure_tenant_template
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.sql import TENANT_MIGRATIONS
from tests.stories.system import System, running_system

CLIENTS = int(os.environ.get("DRAGGONNB_BENCH_CLIENTS", "50"))
TENANTS = int(os.environ.get("DRAGGONNB_BENCH_TENANTS", "100"))
SUPABASE_SECONDS = float(os.environ.get("DRAGGONNB_BENCH_SUPABASE_SECONDS", "60"))
PATIENCE_SECONDS = 1200
OPEN = """
with made as (
    insert into organizations (id, slug, name, status, plan_key, data_key_wrapped, webhook_token_sha256)
    values (%s, %s, %s, 'provisioning', 'growth', %s, sha256(%s))
    returning id
)
insert into provisionings (organization_id, owner_name, owner_email, requested_by)
select id, 'Front desk', %s, 'benchmark' from made
"""
RUNS = "select count(*) as n from runs where pipeline_name = %s and start_time is not null"
UPGRADES = """
select count(*) as n, min(start_time) as began, max(end_time) as ended, string_agg(distinct status, ', ') as status
from runs where run_body like %s
"""


def main(arguments: list[str]) -> None:
    """Run both once and report. There are no arguments."""
    directory = Path(f"/var/tmp/draggonnb-bench-{os.getuid()}-provision")
    shutil.rmtree(directory, ignore_errors=True)
    with (
        embedded_server(directory) as server,
        running_system(server, DRAGGONNB_SENSOR_INTERVAL_SECONDS="5") as system,
    ):
        system.create("draggonnb")
        rows, figures = _provision(system)
        more, upgrade = _upgrade(system, server)
    shutil.rmtree(directory, ignore_errors=True)
    title = f"Setting up {CLIENTS} paid clients at once, Supabase taking {SUPABASE_SECONDS:.0f} s"
    report("provision", title, ["", "value"], [*rows, *more], {"provisioning": figures, "upgrade": upgrade})


def _provision(system: System) -> tuple[list[Sequence[object]], dict[str, Any]]:
    system.sandbox.settings(supabase_project_seconds=SUPABASE_SECONDS, claude_latency_seconds=2.0)
    with Costs(system) as costs:
        started = time.monotonic()
        _pay(system, [f"client-{number:03}" for number in range(CLIENTS)])
        most_runs = _wait_until_done(system)
        seconds = time.monotonic() - started
    [runs] = system.dagster(RUNS, "set_up_clients")
    projects = system.master("select state from stack_resources where step = 'supabase_project'")
    mails = [mail for mail in system.sandbox.public("mail") if mail["recipient"].startswith("owner@")]
    figures: dict[str, Any] = {
        "wall time, s": seconds,
        "runs": runs["n"],
        "runs at once, at most": most_runs,
        "projects": len(projects),
        "welcome and other mails to owners": len(mails),
    }
    kinds = costs.by_kind()
    rows: list[Sequence[object]] = list(figures.items())
    rows += [[f"CPU of {kind}, s", cost.cpu_seconds] for kind, cost in kinds.items()]
    rows += [["CPU of all per client, s", sum(cost.cpu_seconds for cost in kinds.values()) / CLIENTS]]
    rows += [[f"peak memory of one {kind}, MiB", cost.peak_mib] for kind, cost in kinds.items()]
    return rows, {**figures, "processes": {kind: vars(cost) for kind, cost in kinds.items()}}


def _pay(system: System, slugs: Sequence[str]) -> None:
    vault = Vault(system.settings.keys)
    with psycopg.connect(system.settings.dsn) as conn:
        for slug in slugs:
            key = uuid.uuid4()
            wrapped = vault.new_data_key(key)
            conn.execute(OPEN, (key, slug, slug.title(), wrapped, slug.encode(), f"owner@{slug}.example"))


def _wait_until_done(system: System) -> int:
    """The most runs that were at work at once."""
    most = 0
    with Progress(console=console) as progress:
        task = progress.add_task("set up", total=CLIENTS)

        def all_done() -> bool:
            nonlocal most
            [row] = system.master("select count(*) filter (where state = 'done') as done from provisionings")
            [runs] = system.dagster(
                "select count(*) as n from runs where pipeline_name = 'set_up_clients' and status = 'STARTED'"
            )
            most = max(most, runs["n"])
            progress.update(task, completed=row["done"])
            return progress.tasks[task].finished

        system.wait_until("all clients are set up", all_done, seconds=PATIENCE_SECONDS)
    return most


def _upgrade(system: System, server: str) -> tuple[list[Sequence[object]], dict[str, Any]]:
    """Tenants with the schema of before the last migration, one of them down; then all of them in one backfill."""
    slugs = [f"tenant-{number:03}" for number in range(TENANTS)]
    names = _tenants_of_before(system, server, slugs)
    down = slugs[TENANTS // 2]
    _allow(server, names[down], is_on=False)
    first = backfill(system, "tenant_schema", slugs)
    _allow(server, names[down], is_on=True)
    again = backfill(system, "tenant_schema", [down])
    figures = {
        f"tenants brought up to date by one backfill, of {TENANTS}": first.done,
        "its runs": first.runs,
        "its time, s": first.seconds,
        "failed (a database was down)": ", ".join(first.failed),
        "the failed one alone again, s": again.seconds,
        "failed then": ", ".join(again.failed) or "none",
    }
    return list(figures.items()), {"first": asdict(first), "again": asdict(again)}


def _tenants_of_before(system: System, server: str, slugs: Sequence[str]) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as directory:
        older = Path(directory) / "migrations"
        shutil.copytree(TENANT_MIGRATIONS, older)
        sorted(older.glob("*.sql"))[-1].unlink()
        template = ensure_tenant_template(server, migrations=older)
        prefix = f"older_{uuid.uuid4().hex[:6]}_"
        names = {slug: prefix + slug.replace("-", "_") for slug in slugs}
        for name in names.values():
            create_tenant_database(server, name, template=template)
    with psycopg.connect(system.settings.dsn) as conn:
        vault = Vault(system.settings.keys)
        for slug, name in names.items():
            key = uuid.uuid4()
            conn.execute(
                "insert into organizations (id, slug, name, status, database_name, data_key_wrapped)"
                " values (%s, %s, %s, 'active', %s, %s)",
                (key, slug, slug.title(), name, vault.new_data_key(key)),
            )
    return names


def _allow(server: str, name: str, *, is_on: bool) -> None:
    statement = sql.SQL("alter database {} with allow_connections {}")
    with psycopg.connect(dsn_for(server, "postgres"), autocommit=True) as conn:
        conn.execute(statement.format(sql.Identifier(name), sql.Literal(is_on)))
