"""What our apps may still do at the platforms, shared fairly between the clients of one run.

A platform counts the calls of all our clients together (X: posts a day for the whole app; Meta: a percentage). What
its answers say is kept in the master's `app_quotas`, so that every run knows it.
Not here: an account's own quota, which pauses that account alone (`publishing.sql: pause_account`).
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from draggonnb_pipelines.domain.publishing import Limits, Platform
from draggonnb_pipelines.errors import VendorError
from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.sql import load_queries

AGENDA = load_queries("agenda")
STOP_PERCENT = 95.0
PAUSE = timedelta(hours=1)
MANY = 1000
# Facebook and Instagram are one app at Meta, with one quota.
VENDOR_OF = {Platform.FACEBOOK: "meta", Platform.INSTAGRAM: "meta", Platform.LINKEDIN: "linkedin", Platform.X: "x"}


@dataclass
class Quotas:
    """The quotas as this run knows them. `clients` is how many share what is left."""

    clients: int
    remaining: dict[str, int] = field(default_factory=dict)
    resume_at: dict[str, datetime] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)
    _shares: dict[str, int] = field(default_factory=dict)
    _sent: Counter[tuple[str, UUID]] = field(default_factory=Counter)
    _changed: dict[str, Limits] = field(default_factory=dict)
    _newly_stopped: dict[str, str] = field(default_factory=dict)

    def open_platforms(self, organization_id: UUID, now: datetime) -> list[Platform]:
        """Where this client may publish now: not stopped, not silenced, its fair share not used up."""
        return [platform for platform in Platform if self._left(VENDOR_OF[platform], organization_id, now) != 0]

    def most_at_once(self, organization_id: UUID, now: datetime) -> int:
        """How many rows may be in hand at once, wherever they go, so that no share of this client is overdrawn."""
        left = (self._left(vendor, organization_id, now) for vendor in VENDOR_OF.values())
        return min((share for share in left if share), default=MANY)

    def reopens_at(self, now: datetime) -> datetime:
        """When to look again at what is closed."""
        later = [at for at in self.resume_at.values() if at > now]
        return min([*later, now + timedelta(minutes=15)])

    def sent(self, platform: Platform, organization_id: UUID) -> None:
        self._sent[VENDOR_OF[platform], organization_id] += 1

    def note(self, platform: Platform, limits: Limits | None, now: datetime) -> None:
        """Take in what an answer's headers said about the app."""
        if limits is None:
            return
        vendor = VENDOR_OF[platform]
        if limits.app_remaining is not None:
            self.remaining[vendor] = limits.app_remaining
            if limits.app_remaining == 0:
                self.resume_at[vendor] = limits.app_resets_at or now + PAUSE
            elif vendor in self.resume_at and self.resume_at[vendor] <= now:
                del self.resume_at[vendor]  # of the window before; what is left of this one is to be shared again
        if limits.app_percent is not None and limits.app_percent >= STOP_PERCENT:
            self.resume_at[vendor] = limits.resume_at or now + PAUSE
        if limits.app_remaining is not None or limits.app_percent is not None:
            self._changed[vendor] = limits

    def stop(self, platform: Platform, error: VendorError) -> None:
        """A version that ended, a wrong set-up: nothing more goes there until somebody mends it."""
        self.stopped[VENDOR_OF[platform]] = self._newly_stopped[VENDOR_OF[platform]] = str(error)

    async def save(self, master: MasterDb) -> None:
        """Keep for other runs what this one has learned since the last time. What it was told of stays with those who
        told: a stop that somebody has lifted meanwhile must not come back. What was not stored, or was noted anew
        since, is kept for the next time.
        """
        async with master.connection() as conn:
            for vendor, limits in list(self._changed.items()):
                await AGENDA.note_quota(
                    conn,
                    vendor=vendor,
                    remaining=limits.app_remaining,
                    used_percent=limits.app_percent,
                    resume_at=self.resume_at.get(vendor),
                )
                if self._changed[vendor] is limits:
                    del self._changed[vendor]
            for vendor, reason in list(self._newly_stopped.items()):
                await AGENDA.stop_vendor(conn, vendor=vendor, reason=reason)
                if self._newly_stopped[vendor] is reason:
                    del self._newly_stopped[vendor]

    async def learn(self, master: MasterDb) -> None:
        """Take in what other runs have kept; what this one has noted and not saved yet is newer and stays."""
        async with master.connection() as conn:
            rows = [row async for row in AGENDA.app_quotas(conn)]
        told = [row for row in rows if row["vendor"] not in self._changed]
        self.remaining |= {row["vendor"]: row["remaining"] for row in told if row["remaining"] is not None}
        self.resume_at |= {row["vendor"]: row["resume_at"] for row in told if row["resume_at"] is not None}
        stopped = {row["vendor"]: row["stopped_reason"] for row in rows if row["stopped_reason"] is not None}
        self.stopped = stopped | self._newly_stopped

    async def exchange(self, master: MasterDb) -> None:
        """Tell the runs of other processes what this one has learned, and learn from them."""
        await self.save(master)
        await self.learn(master)

    def _left(self, vendor: str, organization_id: UUID, now: datetime) -> int | None:
        """How many more posts this client may send there; None: as many as it likes."""
        resume_at = self.resume_at.get(vendor)
        if vendor in self.stopped or (resume_at is not None and resume_at > now):
            return 0
        if vendor not in self.remaining:
            return None
        if resume_at is not None:  # the quota's window has begun anew since this was noted
            return None
        share = self._shares.setdefault(vendor, max(1, self.remaining[vendor] // max(self.clients, 1)))
        return max(share - self._sent[vendor, organization_id], 0)


async def load_quotas(master: MasterDb, *, clients: int) -> Quotas:
    """What earlier runs have learned."""
    quotas = Quotas(clients)
    await quotas.learn(master)
    return quotas
