"""The restore drill in earnest: fifty clients with data, one of them lost and restored, then the whole server.

Every database is a real one and every file real. Compared are the rows and a checksum of each table with what was
there before; told are RPO (what a loss costs: the age of the newest backup, at worst one night) and RTO (how long it
takes until everybody is served again).
"""

import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from rich.progress import Progress

from benchmarks.server import bench_server, console, report
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.database_names import create_empty, drop
from draggonnb_pipelines.resources.migrations import migrate
from draggonnb_pipelines.resources.postgres import MasterDb, dsn_for, long_connection
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.resources.table_figures import Figures, table_figures
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import MASTER_MIGRATIONS
from draggonnb_pipelines.workflows.operations.backup_sources import database_of, folder_of
from draggonnb_pipelines.workflows.operations.backups import BackedUp, back_up_all
from draggonnb_pipelines.workflows.operations.drills import drill
from draggonnb_pipelines.workflows.operations.restores import restore_tenant
from draggonnb_pipelines.workflows.operations.server_restores import restore_server
from draggonnb_pipelines.workflows.organizations import NewOrganization, create_organization

CLIENTS = int(os.environ.get("DRAGGONNB_BENCH_CLIENTS", "50"))
LEADS = int(os.environ.get("DRAGGONNB_BENCH_LEADS", "2000"))
BY = "benchmark"
DATA = """
with people as (
    insert into contacts (name, email, email_normalized, company)
    select 'Person ' || n, 'p' || n || '@walmer.example', 'p' || n || '@walmer.example', 'Company ' || n %% 97
    from generate_series(1, %(leads)s) n returning id, name
), enquiries as (
    insert into leads (contact_id, source, received_at, message)
    select id, 'web', now() - random() * interval '90 days', repeat(md5(id::text), 12) from people returning id
)
insert into lead_events (lead_id, source, delivery_id, occurred_at)
select id, 'web', id::text, now() from enquiries
"""


def main(arguments: list[str]) -> None:
    """Run it once and report. There are no arguments."""
    folder = Path(tempfile.mkdtemp(prefix="draggonnb-drill-", dir="/var/tmp"))
    try:
        with bench_server("drill", state_dir=folder) as settings:
            rows, figures = asyncio.run(_drill(settings))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    title = f"Restore drill: {CLIENTS} clients with {LEADS:,} leads each, one lost, then the whole server"
    report("drill", title, ["", "value"], rows, figures)


async def _drill(settings: Settings) -> tuple[list[list[object]], dict[str, Any]]:
    organizations = await _clients(settings)
    before = await _figures(settings, organizations)
    figures: dict[str, Any] = {"databases": CLIENTS + 1, "rows": sum(map(_rows, before.values()))}
    figures |= await _back_up(settings)
    figures |= await _lose_one(settings, organizations[0], before)
    figures |= await _drill_all(settings)
    figures |= await _lose_all(settings, organizations, before)
    figures["RPO: at worst, with nightly backups, h"] = 24
    return [[name, value] for name, value in figures.items()], figures


async def _clients(settings: Settings) -> list[Organization]:
    made = []
    with Progress(console=console) as progress:
        task = progress.add_task("clients with data", total=CLIENTS)
        async with MasterDb(settings.dsn, max_connections=2) as master:
            for number in range(CLIENTS):
                slug = f"client-{number:03}"
                new = NewOrganization(slug, slug.title(), f"sales@{slug}.example")
                vault = Vault(settings.keys)
                created = await create_organization(new, master=master, vault=vault, server_dsn=settings.dsn)
                with psycopg.connect(_dsn(settings, created.organization)) as conn:
                    conn.execute(DATA, {"leads": LEADS})
                made.append(created.organization)
                progress.advance(task)
    return made


async def _back_up(settings: Settings) -> dict[str, Any]:
    async with open_stack(settings) as stack:
        done, seconds = await _timed("backing up", lambda tell: back_up_all(stack, by=BY, on_done=tell))
    _refuse_faults(done)
    size = sum(one.bytes for one in done)
    return {
        "backup of all, s": seconds,
        "backup of all, MiB": size / 2**20,
        "slowest database, s": max(one.seconds for one in done),
    }


async def _lose_one(settings: Settings, client: Organization, before: dict[str, Figures]) -> dict[str, Any]:
    await drop(settings.dsn, str(client.database_name))
    async with open_stack(settings) as stack:
        done = await restore_tenant(stack, client.slug, by=BY)
    _compare(await _figures(settings, [client]), {client.slug: before[client.slug]})
    return {"RTO: one client, s": done.seconds}


async def _drill_all(settings: Settings) -> dict[str, Any]:
    async with open_stack(settings) as stack:
        done, seconds = await _timed("drill", lambda tell: drill(stack, on_done=tell))
    _refuse_faults(done)
    return {"drill of all, s": seconds, "drill: databases equal": len(done)}


async def _lose_all(
    settings: Settings, organizations: list[Organization], before: dict[str, Figures]
) -> dict[str, Any]:
    """Every database is dropped; what is left are the files and the keys."""
    server, name = dsn_for(settings.dsn, "postgres"), database_of(settings.dsn)
    for database in [name, *(str(one.database_name) for one in organizations)]:
        await drop(server, database)
    began = time.monotonic()
    await create_empty(server, name)
    await asyncio.to_thread(migrate, settings.dsn, MASTER_MIGRATIONS)
    done, _ = await _timed("restoring all", lambda tell: restore_server(settings, by=BY, on_done=tell))
    seconds = time.monotonic() - began
    _refuse_faults(done)
    _compare(await _figures(settings, organizations), before)
    files = len(list(folder_of(settings).glob("*.backup")))
    return {"RTO: the whole server, s": seconds, "restored and equal": len(done), "files": files}


async def _timed(description: str, work: Any) -> tuple[list[Any], float]:
    began = time.monotonic()
    with Progress(console=console) as progress:
        task = progress.add_task(description, total=CLIENTS + 1)
        done = await work(lambda _: progress.advance(task))
    return done, time.monotonic() - began


async def _figures(settings: Settings, organizations: list[Organization]) -> dict[str, Figures]:
    found = {}
    for one in organizations:
        async with long_connection(_dsn(settings, one)) as conn, conn.transaction():
            tables = await table_figures(conn)
        # A restore adds its own entry to the audit log.
        found[one.slug] = {name: figure for name, figure in tables.items() if not name.startswith("public.audit_")}
    return found


def _compare(found: dict[str, Figures], before: dict[str, Figures]) -> None:
    different = [slug for slug in before if found.get(slug) != before[slug]]
    if different:
        raise SystemExit(f"not equal after the restore: {', '.join(different)}")


def _refuse_faults(done: list[BackedUp] | list[Any]) -> None:
    if failed := [f"{one.name}: {one.fault}" for one in done if one.fault]:
        raise SystemExit("; ".join(failed[:5]))


def _rows(figures: Figures) -> int:
    return sum(figure["rows"] for figure in figures.values())


def _dsn(settings: Settings, organization: Organization) -> str:
    return dsn_for(settings.dsn, str(organization.database_name))
