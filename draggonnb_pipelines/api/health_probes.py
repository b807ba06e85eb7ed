"""The probes behind GET /api/health: each asks one thing, gives up in time, and keeps its answer for a while.

Lives here: master, a sample of tenants, Dagster's own database, the vendors' doors. Not here: what the answers amount
to (`health.py`), what a reading of the daemon means (`domain/ticks.py`).
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import urlsplit

import psycopg
from psycopg_pool import PoolTimeout

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.ticks import DaemonReading
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.dagster_readings import dagster_dsn, read_daemon
from draggonnb_pipelines.resources.http import trusted_authorities
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries

HEALTH = load_queries("health")
DATABASE_TIMEOUT_SECONDS = 3.0
VENDOR_TIMEOUT_SECONDS = 2.0  # three round trips to another continent, and a name to look up
TENANTS_SAMPLED = 5
ServiceState = Literal["connected", "sandbox", "unreachable", "untrusted"]
T = TypeVar("T")


class Kept(Generic[T]):
    """A probe's newest answer, asked again once it is older than its time."""

    def __init__(self, probe: Callable[[], Awaitable[T]], keep_seconds: float, empty: T) -> None:
        self._probe = probe
        self._keep_seconds = keep_seconds
        self._asked_at: float | None = None
        self.value = empty

    async def refresh(self) -> bool:
        """Ask if it is time to; whether it was."""
        if self._asked_at is not None and time.monotonic() - self._asked_at < self._keep_seconds:
            return False
        self.value = await self._probe()
        self._asked_at = time.monotonic()
        return True


@dataclass(frozen=True, slots=True)
class TenantSample:
    """A few clients' databases, chosen anew each time. Nobody is named.

    Args:
        waiting, oldest_seconds: messages of these clients that should be under way, and how long the oldest has waited.
    """

    sampled: int = 0
    answering: int = 0
    waiting: int = 0
    oldest_seconds: float | None = None


async def probe_master(master: MasterDb) -> Mapping[str, Any] | None:
    """The figures of the master database, and how far our clock is ahead of its; None: it does not answer."""
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT_SECONDS), master.connection() as conn:
            figures = await HEALTH.health_figures(conn)
        return {**figures, "clock_ahead_seconds": (datetime.now(UTC) - figures["clock"]).total_seconds()}
    except (psycopg.Error, PoolTimeout, TimeoutError):
        return None


async def probe_daemon(settings: Settings) -> DaemonReading | None:
    """A reading of Dagster's database; None: there is none, or it does not answer."""
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT_SECONDS):
            return await read_daemon(dagster_dsn(settings))
    except (psycopg.Error, TimeoutError):
        return None


async def probe_tenants(settings: Settings, master: MasterDb) -> TenantSample:
    """Ask a few clients' databases, side by side and over connections of its own: pages do not wait for it."""
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT_SECONDS), master.connection() as conn:
            rows = [row async for row in HEALTH.sample_tenants(conn, row_limit=TENANTS_SAMPLED)]
    except (psycopg.Error, PoolTimeout, TimeoutError):
        return TenantSample()
    async with Tenants(settings.dsn, Vault(settings.keys), max_connections=TENANTS_SAMPLED) as tenants:
        found = await asyncio.gather(*(_ask_tenant(tenants, Organization(**row)) for row in rows))
    answers = [answer for answer in found if answer is not None]
    ages = [answer["oldest_seconds"] for answer in answers if answer["oldest_seconds"] is not None]
    return TenantSample(
        sampled=len(rows),
        answering=len(answers),
        waiting=sum(answer["waiting"] for answer in answers),
        oldest_seconds=max(ages, default=None),
    )


async def _ask_tenant(tenants: Tenants, organization: Organization) -> Mapping[str, Any] | None:
    try:
        async with asyncio.timeout(DATABASE_TIMEOUT_SECONDS), tenants.open(organization) as tenant:
            return await HEALTH.outbox_figures(tenant.conn)
    except (psycopg.Error, DraggonnbError, TimeoutError):
        return None


async def probe_vendors(settings: Settings) -> dict[str, ServiceState]:
    """Whether each vendor's door opens, and where it speaks TLS whether its certificate is valid. Free, without a key,
    and no call that a vendor counts."""
    doors = {
        "claude": _door(settings.claude_base_url),
        "whatsapp": _door(settings.whatsapp_url),
        "mail": (*settings.smtp_address, False),  # STARTTLS comes after a greeting: the doctor looks
        "meta": _door(settings.graph_url),
        "linkedin": _door(settings.linkedin_url),
        "x": _door(settings.x_url),
        "storage": _door(settings.storage_url),
        "supabase": _door(settings.supabase_management_url),
        "payfast": _door(settings.payfast_api_url),
        "github": _door(settings.github_url),
        "vercel": _door(settings.vercel_url),
        "n8n": _door(settings.n8n_url),
    }
    opened = await asyncio.gather(*(_opens(*door) for door in doors.values()))
    live: dict[str, ServiceState] = {}
    for vendor, state in zip(doors, opened, strict=True):
        live[vendor] = "sandbox" if state == "connected" and vendor in settings.sandboxed_vendors else state
    return live


def _door(url: str) -> tuple[str, int, bool]:
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    return parts.hostname or "", parts.port or (443 if is_tls else 80), is_tls


async def _opens(host: str, port: int, is_tls: bool) -> ServiceState:
    try:
        async with asyncio.timeout(VENDOR_TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=trusted_authorities() if is_tls else None)
    except ssl.SSLCertVerificationError:
        return "untrusted"
    except (OSError, TimeoutError):
        return "unreachable"
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(VENDOR_TIMEOUT_SECONDS):
            await writer.wait_closed()
    return "connected"
