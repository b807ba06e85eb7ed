"""GET /api/health: what was probed, and nothing that was not.

Lives here: the probes, their cache, the answer in the shape of the architecture document. Not here: checks of the
workflows themselves (asset checks tell those).
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import psycopg
from fastapi import APIRouter
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries

HEALTH = load_queries("health")
KEEP_SECONDS = 5.0
VENDOR_KEEP_SECONDS = 30.0
MASTER_TIMEOUT_SECONDS = 3.0
VENDOR_TIMEOUT_SECONDS = 1.0
STALE_INBOX_SECONDS = 900
ServiceState = Literal["connected", "sandbox", "unreachable"]
router = APIRouter(tags=["operations"])


class Health:
    """Probes the master database every few seconds, the vendors' doors twice a minute, and keeps the results.

    `system_uptime` is the share of the master's probes that succeeded since this process started: what we measured,
    not what a status page would like to say.
    """

    def __init__(self, settings: Settings, master: MasterDb, *, keep_seconds: float = KEEP_SECONDS) -> None:
        self._settings = settings
        self._keep_seconds = keep_seconds
        self._master = master
        self._started = time.monotonic()
        self._probed_at = 0.0
        self._vendors_at = 0.0
        self._figures: Mapping[str, Any] | None = None
        self._vendors: dict[str, ServiceState] = {}
        self._probes = 0
        self._failed = 0
        self._lock = asyncio.Lock()

    async def watch(self) -> None:
        """Probe for as long as this task lives, so that a request only reads and the uptime is a real series."""
        while True:
            await self.refresh()
            await asyncio.sleep(self._keep_seconds)

    async def refresh(self) -> None:
        """Probe what is older than its time; concurrent callers share one probe."""
        async with self._lock:
            now = time.monotonic()
            if not self._probed_at or now - self._probed_at >= self._keep_seconds:
                self._figures = await self._probe_master()
                self._probes += 1
                self._failed += self._figures is None
                self._probed_at = time.monotonic()
            if not self._vendors_at or now - self._vendors_at >= VENDOR_KEEP_SECONDS:
                self._vendors = await self._probe_vendors()
                self._vendors_at = time.monotonic()

    def report(self) -> tuple[int, dict[str, object]]:
        """Status code and body; 503 only if the master database is down, since then nothing can be taken in."""
        figures = self._figures
        services: dict[str, ServiceState] = {
            "database": "connected" if figures else "unreachable",
            **self._vendors,
        }
        body: dict[str, object] = {"status": self._status(services), "services": services}
        body["metrics"] = {
            "active_clients": figures["active_clients"] if figures else None,
            "monthly_posts": int(figures["monthly_posts"]) if figures else None,
            "system_uptime": f"{100 * (self._probes - self._failed) / max(self._probes, 1):.1f}%",
            "uptime_seconds": int(time.monotonic() - self._started),
        }
        oldest = figures["oldest_seconds"] if figures else None
        body["inbox"] = {
            "waiting": figures["waiting"] if figures else None,
            "oldest_seconds": None if oldest is None else int(oldest),
            "dead": figures["dead"] if figures else None,
        }
        body["sandbox"] = list(self._settings.sandboxed_vendors)
        return (200 if figures else 503), body

    def _status(self, services: Mapping[str, ServiceState]) -> str:
        if self._figures is None:
            return "down"
        is_late = (self._figures["oldest_seconds"] or 0) > STALE_INBOX_SECONDS
        return "degraded" if is_late or "unreachable" in services.values() else "healthy"

    async def _probe_master(self) -> Mapping[str, Any] | None:
        try:
            async with asyncio.timeout(MASTER_TIMEOUT_SECONDS), self._master.connection() as conn:
                return await HEALTH.health_figures(conn)
        except (psycopg.Error, PoolTimeout, TimeoutError):
            return None

    async def _probe_vendors(self) -> dict[str, ServiceState]:
        settings = self._settings
        doors = {
            "claude": _door(settings.claude_base_url),
            "whatsapp": _door(settings.whatsapp_url),
            "mail": settings.smtp_address,
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
        for vendor, is_open in zip(doors, opened, strict=True):
            reachable: ServiceState = "sandbox" if vendor in settings.sandboxed_vendors else "connected"
            live[vendor] = reachable if is_open else "unreachable"
        return live


def _door(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


async def _opens(host: str, port: int) -> bool:
    """A TCP connection and no more: free, without a key, and no call that a vendor counts."""
    try:
        async with asyncio.timeout(VENDOR_TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


@router.get("/api/health")
async def health(request: Request) -> Response:
    """What is up, what waits, and which vendors are only the sandbox."""
    probes: Health = request.app.state.health
    await probes.refresh()
    status, body = probes.report()
    return JSONResponse(body, status, {"cache-control": "no-store"})
