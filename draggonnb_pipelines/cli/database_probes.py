"""The doctor's probes of the databases: the server, master, the tenants, the master keys, backups, Dagster's
heartbeats.

Each takes its own short connection, so that they run side by side. Does not live here: repairing (`migrate.py`).
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row

from draggonnb_pipelines.cli.findings import PROBE_SECONDS, Finding, fault, note, ok
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.ticks import clocks_apart
from draggonnb_pipelines.errors import DraggonnbError, OperatorError
from draggonnb_pipelines.resources.dagster_readings import dagster_dsn, read_daemon
from draggonnb_pipelines.resources.migrations import TEMPLATE_PREFIX, pending
from draggonnb_pipelines.resources.postgres import Connection, Tenants
from draggonnb_pipelines.resources.schema_history import read_migrations
from draggonnb_pipelines.resources.vault import SealBroken, Vault
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import MASTER_MIGRATIONS, TENANT_MIGRATIONS, load_queries
from draggonnb_pipelines.workflows.operations.backup_sources import BACKUPS, MASTER
from draggonnb_pipelines.workflows.operations.drills import is_stale

INSTALLATION = load_queries("installation")
VERSIONS = range(15, 19)
CONNECTIONS_BESIDE_TENANTS = 40  # pools of the API and of Dagster's processes, and a person with psql
TENANTS_AT_ONCE = 8
NAMES_SHOWN = 5
SAMPLE_KEYS = 10


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Connection]:
    """One connection that gives up in time."""
    conn = await psycopg.AsyncConnection[DictRow].connect(
        dsn, autocommit=True, row_factory=dict_row, connect_timeout=int(PROBE_SECONDS) - 1
    )
    async with conn:
        yield conn


async def server(settings: Settings) -> Finding:
    check = "database server"
    async with connected(settings.dsn) as conn:
        facts = await INSTALLATION.server_facts(conn)
    what = f"Postgres {facts['version']}, {facts['connections']} of {facts['max_connections']} connections used"
    if facts["major"] not in VERSIONS:
        return fault(check, what, f"use Postgres {VERSIONS.start} to {VERSIONS.stop - 1}")
    needed = settings.tenant_connections + CONNECTIONS_BESIDE_TENANTS
    if facts["max_connections"] < needed:
        return fault(check, what, f"set max_connections to at least {needed}, or lower DRAGGONNB_TENANT_CONNECTIONS")
    if clocks := clocks_apart((datetime.now(UTC) - facts["clock"]).total_seconds()):
        return fault(check, clocks, "set the clock (timedatectl) and restart the processes")
    return ok(check, what)


async def master_migrations(settings: Settings) -> Finding:
    check = "master migrations"
    try:
        missing = await asyncio.to_thread(pending, settings.dsn, MASTER_MIGRATIONS)
    except OperatorError as error:
        return fault(check, error.message, error.remedy)
    if missing:
        return fault(check, f"{len(missing)} to apply, the first is {missing[0]}", "draggonnb migrate")
    return ok(check, "up to date")


async def tenant_template(settings: Settings) -> Finding:
    check = "tenant template"
    async with connected(settings.dsn) as conn:
        names = [row["datname"] async for row in INSTALLATION.tenant_templates(conn, prefix=TEMPLATE_PREFIX)]
    if names:
        return ok(check, ", ".join(names))
    return note(check, "not built yet", "the first `draggonnb tenant create`, or `draggonnb migrate`, builds it")


async def master_keys(settings: Settings) -> Finding:
    """Opens the wrapped data keys of the oldest and the newest organizations."""
    check = "master keys"
    async with connected(settings.dsn) as conn:
        rows = [row async for row in INSTALLATION.sample_keys(conn, row_limit=SAMPLE_KEYS)]
    vault = Vault(settings.keys)
    broken = [row["slug"] for row in rows if not _opens(vault, row)]
    if broken:
        return fault(
            check,
            f"do not open what is sealed for {_names(broken)}",
            "put the key that sealed it into DRAGGONNB_MASTER_KEYS; after a rotation the old one stays behind a comma",
        )
    return ok(check, f"open {len(rows)} of {len(rows)} sampled data keys") if rows else ok(check, "nothing sealed yet")


def _opens(vault: Vault, row: dict[str, Any]) -> bool:
    try:
        vault.tenant_key(row["id"], row["data_key_wrapped"])
    except SealBroken:
        return False
    return True


@dataclass
class _Tally:
    reached: int = 0
    behind: list[str] | None = None
    unreachable: list[str] | None = None


async def tenants(settings: Settings) -> Finding:
    """Every tenant's database: does it answer, and which migrations does it lack? As many as fit into the time."""
    check = "tenants"
    async with connected(settings.dsn) as conn:
        organizations = [Organization(**row) async for row in INSTALLATION.organizations_with_keys(conn)]
    if not organizations:
        return ok(check, "none yet")
    wanted = {migration.version for migration in read_migrations(TENANT_MIGRATIONS)}
    tally = _Tally(behind=[], unreachable=[])
    is_late = False
    async with Tenants(settings.dsn, Vault(settings.keys), max_connections=TENANTS_AT_ONCE) as opened:
        try:
            async with asyncio.timeout(PROBE_SECONDS - 1), asyncio.TaskGroup() as probes:
                for organization in organizations:
                    probes.create_task(_probe_tenant(opened, organization, wanted, tally))
        except TimeoutError:
            is_late = True
    return _tenants_finding(check, tally, len(organizations), is_late=is_late)


async def _probe_tenant(opened: Tenants, organization: Organization, wanted: set[str], tally: _Tally) -> None:
    assert tally.behind is not None
    assert tally.unreachable is not None
    try:
        async with opened.open(organization) as tenant:
            applied = {row["version"] async for row in INSTALLATION.applied_versions(tenant.conn)}
    except (DraggonnbError, psycopg.Error):
        tally.unreachable.append(organization.slug)
        return
    tally.reached += 1
    if not wanted <= applied:
        tally.behind.append(organization.slug)


def _tenants_finding(check: str, tally: _Tally, total: int, *, is_late: bool) -> Finding:
    unreachable, behind = tally.unreachable or [], tally.behind or []
    parts = [f"{tally.reached} of {total} answer"]
    if unreachable:
        parts.append(f"{len(unreachable)} do not: {_names(unreachable)}")
    if behind:
        parts.append(f"{len(behind)} are behind: {_names(behind)}")
    if is_late:
        parts.append(f"{total - tally.reached - len(unreachable)} were not reached within the time")
    what = "; ".join(parts)
    if unreachable:
        return fault(check, what, "is the database there? `draggonnb tenant show SLUG` names it; its rows wait")
    if behind:
        return fault(check, what, "draggonnb migrate")
    return note(check, what) if is_late else ok(check, f"{what}, none is behind")


async def backups(settings: Settings) -> Finding:
    """How old the newest good backups are: the master's, and of the clients' the oldest. Reads what is recorded; that
    the files are sound is what `draggonnb backup verify` proves."""
    check, now = "backups", datetime.now(UTC)
    async with connected(settings.dsn) as conn:
        rows = [row async for row in BACKUPS.newest_of_each(conn)]
    parts = [f"master {_age([row for row in rows if row['slug'] == MASTER], now)}"]
    clients = [row for row in rows if row["slug"] != MASTER]
    if clients:
        parts.append(f"{len(clients)} clients, the oldest {_age(clients, now)}")
    what = "; ".join(parts)
    if stale := [row["slug"] for row in rows if is_stale(row, now)]:
        remedy = "look at the runs of back_up_databases and the disk, then: draggonnb backup create --all"
        return fault(check, f"{what}; none of the last night: {_names(stale)}", remedy)
    if all(row["newest"] is None for row in rows):
        return note(check, "none yet", "the first is taken in the night, or by: draggonnb backup create --all")
    return ok(check, what)


def _age(rows: Sequence[dict[str, Any]], now: datetime) -> str:
    """Of the database whose newest backup is the oldest; those that are too young to have one do not count, unless
    none has one."""
    newest = [row["newest"] for row in rows if row["newest"] is not None]
    return f"{(now - min(newest)).total_seconds() / 3600:.1f} h ago" if newest else "never"


async def dagster_daemon(settings: Settings) -> Finding:
    """Reads Dagster's own table, so that Dagster need not be imported."""
    check, dsn = "Dagster daemon", dagster_dsn(settings)
    remedy = "start it with `draggonnb up`, or its systemd unit; its log is in the folder logs of the state directory"
    try:
        reading = await read_daemon(dsn)
    except psycopg.OperationalError:
        name = conninfo_to_dict(dsn).get("dbname")
        return fault(check, f"has never run here (there is no database {name} of its own)", remedy)
    if faults := reading.faults():
        return fault(check, "; ".join(faults), remedy)
    now = datetime.now(UTC)
    if reading.code_location(now) == "silent":
        return fault(check, "it lives, and no sensor ticks", "look into the code server's log: our code does not load")
    beats = reading.heartbeats
    what = f"{len(beats)} heartbeats, the oldest {max(beats.values()):.0f} s ago"
    late = [name for kind in (True, False) for name in reading.late(now, schedules=kind)]
    return note(check, f"{what}; late: {_names(late)}", "look at their ticks in the UI") if late else ok(check, what)


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names)[:NAMES_SHOWN])
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {len(names) - NAMES_SHOWN} more"
