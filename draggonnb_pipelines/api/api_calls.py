"""The calls of our API, counted per organization and day of its zone, against the plan's limit of its month.

Lives here: the count in this process's memory, its way into master every few seconds and at shutdown, and the refusal
beyond the limit. Not here: who calls (`webhooks.py`), and which endpoints may refuse: a lead never is.

Nothing of it waits for the database on the way of a lead. A process that is killed loses what it counted in the last
seconds; one that is told to stop loses nothing. Several processes learn of each other's calls as often as they store
their own, so a month may end a few seconds' calls above its limit, never refused below it.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Self
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from draggonnb_pipelines.api.problems import OVER_PLAN, Problem
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.usage import month_of, zone_of
from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.sql import load_queries

USAGE = load_queries("usage_metrics")
FLUSH_SECONDS = 5.0
FLUSH_TIMEOUT_SECONDS = 5.0
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Tally:
    """One organization: what is not stored yet by day, and how its month stood when that was last stored."""

    zone: str
    waiting: dict[date, int] = field(default_factory=dict)
    month: date | None = None
    used: int = 0
    limit: int | None = None
    is_seen: bool = False


class ApiCalls:
    """Counts calls; `async with` keeps storing them, and stores the rest at the end."""

    def __init__(self, master: MasterDb, *, now: Callable[[], datetime], flush_seconds: float = FLUSH_SECONDS) -> None:
        self._master = master
        self._now = now
        self._flush_seconds = flush_seconds
        self._tallies: dict[UUID, _Tally] = {}
        self._lock = asyncio.Lock()
        self._stop = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep_storing())
        return self

    async def __aexit__(self, *_: object) -> None:
        """The keeper ends its storing and is not cut off in it, since a commit whose answer is lost counts twice."""
        self._stop.set()
        if self._keeper:
            await self._keeper
        await self.flush()

    def count(self, organization: Organization) -> None:
        """One call that is served. Touches nothing but memory."""
        tally = self._tally(organization)
        day = self._day(tally)
        tally.waiting[day] = tally.waiting.get(day, 0) + 1
        tally.is_seen = True

    async def count_within_plan(self, organization: Organization) -> None:
        """One call that is served only while the plan's month has room; a refused one is not counted.

        The first one of an organization in this process and month asks the database how the month stands; where that
        does not answer, nobody is refused.

        Raises:
            Problem: OVER_PLAN: says how many there are, and when the count begins again.
        """
        tally = self._tally(organization)
        tally.is_seen = True
        if tally.month != month_of(self._day(tally))[0]:
            await self.flush()
        day = self._day(tally)
        first, end = month_of(day)
        taken = tally.used + sum(calls for waiting, calls in tally.waiting.items() if waiting >= first)
        if tally.month == first and tally.limit is not None and taken >= tally.limit:
            zone = zone_of(tally.zone)
            seconds = (datetime.combine(end, time(), zone) - self._now()).total_seconds()
            raise Problem(
                OVER_PLAN,
                f"{taken} calls were made this month, and the plan allows {tally.limit}. The count begins again on "
                f"{end} at 00:00 ({zone}); a larger plan lifts the limit at once. Leads are taken all the same.",
                retry_after_seconds=max(1, int(seconds)),
            )
        self.count(organization)

    async def flush(self) -> None:
        """Store what was counted, and learn how these months stand now. What cannot be stored now waits."""
        async with self._lock:
            seen = {key: tally for key, tally in self._tallies.items() if tally.is_seen}
            for tally in seen.values():
                tally.is_seen = False
            if not seen:
                return
            try:
                async with asyncio.timeout(FLUSH_TIMEOUT_SECONDS):
                    await self._store(seen)
            except (psycopg.Error, PoolTimeout, TimeoutError) as error:
                log.warning("calls of %d organizations wait to be stored: %s", len(seen), type(error).__name__)
                for tally in seen.values():
                    tally.is_seen = True

    async def _store(self, seen: dict[UUID, _Tally]) -> None:
        rows = [(key, day, calls) for key, tally in seen.items() for day, calls in tally.waiting.items()]
        days = {key: self._day(tally) for key, tally in seen.items()}
        months = {key: month_of(day) for key, day in days.items()}
        async with self._master.connection() as conn:
            if rows:
                await USAGE.add_calls(
                    conn,
                    organization_ids=[key for key, _, _ in rows],
                    days=[day for _, day, _ in rows],
                    calls=[calls for _, _, calls in rows],
                )
            for key, day, calls in rows:  # those that were counted meanwhile stay
                tally = seen[key]
                tally.used += calls if tally.month and day >= tally.month else 0
                tally.waiting[day] -= calls
                if not tally.waiting[day]:
                    del tally.waiting[day]
            standings = USAGE.call_standings(
                conn,
                organization_ids=list(days),
                days=list(days.values()),
                firsts=[first for first, _ in months.values()],
                untils=[until for _, until in months.values()],
            )
            async for row in standings:
                tally, first = seen[row["organization_id"]], months[row["organization_id"]][0]
                tally.month, tally.used, tally.limit = first, row["used"], row["limit_value"]

    async def _keep_storing(self) -> None:
        while not self._stop.is_set():
            try:
                async with asyncio.timeout(self._flush_seconds):
                    await self._stop.wait()
            except TimeoutError:
                await self.flush()

    def _tally(self, organization: Organization) -> _Tally:
        tally = self._tallies.get(organization.id)
        if tally is None:
            tally = self._tallies[organization.id] = _Tally(organization.timezone)
        tally.zone = organization.timezone
        return tally

    def _day(self, tally: _Tally) -> date:
        return self._now().astimezone(zone_of(tally.zone)).date()
