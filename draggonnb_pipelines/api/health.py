"""GET /api/health: what was probed, and nothing that was not.

Lives here: what the probes' answers amount to, in the shape of the architecture document. Not here: the probes
(`health_probes.py`), the same for Prometheus (`metrics.py`), checks of the workflows themselves (asset checks tell
those).

    healthy    everything that was probed is as it should be
    degraded   something is late or out of reach; the rest goes on
    unhealthy  what comes in is kept, and nothing is done about it: no daemon, no code, no client's database; or it is
               done at the wrong time, by a wrong clock
    down       the master database is away, so that nothing can be taken in: the only 503
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from draggonnb_pipelines.api.health_probes import (
    Kept,
    ServiceState,
    TenantSample,
    probe_daemon,
    probe_master,
    probe_tenants,
    probe_vendors,
)
from draggonnb_pipelines.domain.ticks import DaemonReading, clocks_apart
from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.settings import Settings

KEEP_SECONDS = 5.0
VENDOR_KEEP_SECONDS = 30.0
TENANT_KEEP_SECONDS = 60.0
STALE_INBOX_SECONDS = 900
STALE_POST_SECONDS = 300
STALE_OUTBOX_SECONDS = 3600  # a message that failed comes again for minutes, and no mail is news after an hour
_TROUBLES = {"unreachable": "is out of reach", "untrusted": "has a certificate that is not valid"}
router = APIRouter(tags=["operations"])


class Health:
    """Probes every few seconds (vendors and clients more seldom), and keeps the results.

    `system_uptime` is the share of the master's probes that succeeded since this process started: what we measured,
    not what a status page would like to say.
    """

    def __init__(self, settings: Settings, master: MasterDb, *, keep_seconds: float = KEEP_SECONDS) -> None:
        self._settings = settings
        self._keep_seconds = keep_seconds
        self._started = time.monotonic()
        no_figures: Mapping[str, Any] | None = None
        no_reading: DaemonReading | None = None
        no_vendors: dict[str, ServiceState] = {}
        self._master = Kept(lambda: probe_master(master), keep_seconds, no_figures)
        self._daemon = Kept(lambda: probe_daemon(settings), keep_seconds, no_reading)
        self._vendors = Kept(lambda: probe_vendors(settings), VENDOR_KEEP_SECONDS, no_vendors)
        self._tenants = Kept(lambda: probe_tenants(settings, master), TENANT_KEEP_SECONDS, TenantSample())
        self._probes = 0
        self._failed = 0
        self._lock = asyncio.Lock()

    async def watch(self) -> None:
        """Probe for as long as this task lives, so that a request only reads and the uptime is a real series."""
        while True:
            await self.refresh()
            await asyncio.sleep(self._keep_seconds)

    async def refresh(self) -> None:
        """Probe what is older than its time, side by side; concurrent callers share one probe."""
        async with self._lock:
            was_asked, *_ = await asyncio.gather(
                self._master.refresh(), self._daemon.refresh(), self._vendors.refresh(), self._tenants.refresh()
            )
            if was_asked:
                self._probes += 1
                self._failed += self._master.value is None

    def report(self) -> tuple[int, dict[str, Any]]:
        """Status code and body; 503 only if the master database is down, since then nothing can be taken in."""
        figures, sample, now = self._master.value, self._tenants.value, datetime.now(UTC)
        status, why = self._verdict(now)
        services: dict[str, ServiceState] = {
            "database": "connected" if figures else "unreachable",
            **self._vendors.value,
        }
        known = figures or {}
        body: dict[str, Any] = {"status": status, "why": why, "services": services}
        body["metrics"] = {
            "active_clients": known.get("active_clients"),
            "monthly_posts": _whole(known.get("monthly_posts")),
            "system_uptime": f"{100 * (self._probes - self._failed) / max(self._probes, 1):.1f}%",
            "uptime_seconds": int(time.monotonic() - self._started),
        }
        body["inbox"] = {
            "waiting": known.get("waiting"),
            "oldest_seconds": _whole(known.get("oldest_seconds")),
            "dead": known.get("dead"),
        }
        body["publishing"] = {
            "clients_due": known.get("clients_due"),
            "oldest_due_seconds": _whole(known.get("oldest_due_seconds")),
        }
        body["tenants"] = {"sampled": sample.sampled, "answering": sample.answering}
        body["outbox"] = {"waiting": sample.waiting, "oldest_seconds": _whole(sample.oldest_seconds)}
        body["dagster"] = self._dagster(now)
        body["sandbox"] = list(self._settings.sandboxed_vendors)
        return (200 if figures else 503), body

    def _dagster(self, now: datetime) -> dict[str, Any]:
        reading = self._daemon.value
        if reading is None:
            return {"daemon": "unreachable", "code_location": "unknown", "heartbeat_seconds": {}, "schedules": {}}
        schedules = {
            one.name: {"last_good": one.last_good.isoformat() if one.last_good else None, "is_late": one.is_late(now)}
            for one in reading.instigators
        }
        return {
            "daemon": "silent" if reading.faults() else "alive",
            "code_location": reading.code_location(now),
            "heartbeat_seconds": {name: int(age) for name, age in reading.heartbeats.items()},
            "schedules": schedules,
        }

    def _verdict(self, now: datetime) -> tuple[str, list[str]]:
        """The status, and a line for each reason, the worst first."""
        figures, sample = self._master.value, self._tenants.value
        if figures is None:
            return "down", ["the master database does not answer"]
        clocks = clocks_apart(figures["clock_ahead_seconds"])
        worse, late = [clocks] if clocks else [], []
        reading = self._daemon.value
        if reading is None:
            worse.append("Dagster's database does not answer")
        elif faults := reading.faults():
            worse += faults
        elif not clocks and reading.code_location(now) == "silent":
            worse.append("no sensor ticks: the daemon cannot load the code location")
        elif not clocks:  # by a wrong clock everything is late, or nothing
            late += [f"{name} is late" for kind in (True, False) for name in reading.late(now, schedules=kind)]
        if sample.answering < sample.sampled:
            line = f"{sample.sampled - sample.answering} of {sample.sampled} sampled clients' databases do not answer"
            (late if sample.answering else worse).append(line)
        for what, age, most in (
            ("delivery", figures["oldest_seconds"], STALE_INBOX_SECONDS),
            ("due post", figures["oldest_due_seconds"], STALE_POST_SECONDS),
            ("message", sample.oldest_seconds, STALE_OUTBOX_SECONDS),
        ):
            if (age or 0) > most:
                late.append(f"the oldest {what} has waited for {int(age or 0)} s")
        late += [f"{vendor} {_TROUBLES[state]}" for vendor, state in self._vendors.value.items() if state in _TROUBLES]
        return ("unhealthy" if worse else "degraded" if late else "healthy"), worse + late


def _whole(figure: float | None) -> int | None:
    return None if figure is None else int(figure)


@router.get("/api/health")
async def health(request: Request) -> Response:
    """What is up, what waits, why it is not healthy, and which vendors are only the sandbox."""
    probes: Health = request.app.state.health
    await probes.refresh()
    status, body = probes.report()
    return JSONResponse(body, status, {"cache-control": "no-store"})
