"""`draggonnb migrate`: the master database, each server's tenant template, and every tenant on our servers.

Does not live here: how a database is migrated (`resources/migrations.py`). One tenant's failure never stops another's.
"""

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import psycopg
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from draggonnb_pipelines.cli.inbox import operator
from draggonnb_pipelines.cli.installation import open_installation
from draggonnb_pipelines.cli.screen import cell, console, table
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.migrations import ensure_tenant_template, has_database, migrate, seed_tenant
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.resources.vault import SealBroken, Vault
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.sql import MASTER_MIGRATIONS, TENANT_MIGRATIONS, load_queries
from draggonnb_pipelines.workflows.operations.backups import words
from draggonnb_pipelines.workflows.placement import MASTERS_OWN, Server, all_servers, refuse_moving

INSTALLATION = load_queries("installation")
ORGANIZATIONS = load_queries("organizations")
TENANTS_AT_ONCE = 4


@dataclass(frozen=True)
class Migrated:
    """One tenant's outcome, or a server's: the files applied, or why not."""

    name: str
    applied: tuple[str, ...] = ()
    fault: str | None = None


def migrate_all() -> None:
    """1. master  2. each server's template, so that new tenants have the new schema  3. the tenants.

    Raises:
        OperatorError: master, or some servers' templates or tenants, could not be migrated; names them.
    """
    screen = console()
    with open_installation(load_settings(), migrate_master=False) as settings:
        applied = migrate(settings.dsn, MASTER_MIGRATIONS, on_step=lambda name: screen.print(f"master: {name}"))
        screen.print(f"master: {len(applied)} migrations applied" if applied else "master: up to date")
        screen.print(f"tenant template: {ensure_tenant_template(settings.dsn)}")
        vault = Vault(settings.keys)
        servers, organizations, own_servers = asyncio.run(_tenants(settings.dsn, vault))
        without = _build_templates(servers)
        outcomes = _migrate_tenants(settings.dsn, Tenants(settings.dsn, vault), organizations)
        asyncio.run(_audit(settings.dsn, applied, outcomes))
    _report(outcomes, without, own_servers)


async def _tenants(dsn: str, vault: Vault) -> tuple[list[Server], list[Organization], int]:
    async with MasterDb(dsn, max_connections=1) as master:
        servers = await all_servers(master, vault)
        async with master.connection() as conn:
            organizations = [Organization(**row) async for row in INSTALLATION.tenant_databases(conn)]
            return servers, organizations, await INSTALLATION.count_own_servers(conn)


def _build_templates(servers: Sequence[Server]) -> list[Migrated]:
    """On the servers besides the master's; those where it failed."""
    failed = []
    for server in servers:
        if server.name == MASTERS_OWN:
            continue
        try:
            ensure_tenant_template(server.dsn)
        except OperatorError as error:
            failed.append(Migrated(server.name, fault=f"{error.message}; {error.remedy}"))
    return failed


async def _audit(dsn: str, applied: Sequence[str], outcomes: Sequence[Migrated]) -> None:
    """Written only where something was applied."""
    tenants = sum(bool(outcome.applied) for outcome in outcomes)
    if not applied and not tenants:
        return
    metadata = json.dumps({"master": list(applied), "tenants": tenants})
    async with MasterDb(dsn, max_connections=1) as master, master.connection() as conn:
        await ORGANIZATIONS.audit(
            conn, actor=f"operator:{operator()}", action="databases.migrated", resource="databases", metadata=metadata
        )


def _migrate_tenants(master_dsn: str, tenants: Tenants, organizations: Sequence[Organization]) -> list[Migrated]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    outcomes: list[Migrated] = []
    with Progress(*columns, console=console()) as progress, ThreadPoolExecutor(TENANTS_AT_ONCE) as workers:
        task = progress.add_task("tenants", total=len(organizations))
        for done in as_completed([workers.submit(_migrate_tenant, master_dsn, tenants, one) for one in organizations]):
            outcomes.append(done.result())
            progress.advance(task)
    return sorted(outcomes, key=lambda outcome: outcome.name)


def _migrate_tenant(master_dsn: str, tenants: Tenants, organization: Organization) -> Migrated:
    slug = organization.slug
    try:
        dsn = tenants.dsn(organization)
        if not has_database(dsn, str(organization.database_name)):
            asyncio.run(_refuse_moving(master_dsn, organization))
            fault = f"its database {organization.database_name} is not there ({organization.status})"
            return Migrated(slug, fault=fault)
        applied = migrate(dsn, TENANT_MIGRATIONS)
        if applied:
            seed_tenant(dsn)
    except OperatorError as error:
        return Migrated(slug, fault=f"{error.message}; {error.remedy}")
    except (SealBroken, psycopg.Error) as error:  # such as where the fence of a move sends us away
        return Migrated(slug, fault=words(error))
    return Migrated(slug, tuple(applied))


async def _refuse_moving(master_dsn: str, organization: Organization) -> None:
    async with MasterDb(master_dsn, max_connections=1) as master:
        await refuse_moving(master, organization)


def _report(outcomes: Sequence[Migrated], without: Sequence[Migrated], own_servers: int) -> None:
    screen = console()
    changed = [outcome for outcome in outcomes if outcome.applied]
    failed = [outcome for outcome in outcomes if outcome.fault is not None]
    up_to_date = len(outcomes) - len(changed) - len(failed)
    screen.print(f"tenants: {len(changed)} migrated, {up_to_date} up to date, {len(failed)} failed")
    if own_servers:
        screen.print(f"tenants on servers of their own, not touched: {own_servers}")
    if without:
        screen.print(f"servers: {len(without)} failed")
    if failed or without:
        faults = table("failed", "why", unbroken=("failed",))
        for outcome in without:
            faults.add_row(cell(f"server {outcome.name}"), cell(outcome.fault))
        for outcome in failed:
            faults.add_row(cell(outcome.name), cell(outcome.fault))
        screen.print(faults)
        said = [f"no tenant template on {_first_names(without)}"] if without else []
        if failed:
            said.insert(0, f"{len(failed)} of {len(outcomes)} tenants could not be migrated: {_first_names(failed)}")
        raise OperatorError(
            "; ".join(said),
            remedy="put right what the table says and migrate again: what was applied stays applied",
        )


def _first_names(failed: Sequence[Migrated], most: int = 5) -> str:
    names = ", ".join(outcome.name for outcome in failed[:most])
    return names if len(failed) <= most else f"{names} and {len(failed) - most} more"
