"""What all processes of all machines may ask of a vendor together, through the master database.

Two things: a rate (calls are paced, each at a place of its own in time), and silence (one process was told to wait, and
all do). Lives here: giving out places and keeping silence. Does not live here: an app's quota at a network, which is
shared between clients (`publish_quotas.py`), nor an account's own.

Places are taken in blocks, so that a process needs about one statement a second however many calls it makes; a place
that is not used in its own time is lost, and so a killed process loses its block and nobody ever makes up for it.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

import psycopg

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries

LIMITS = load_queries("vendor_limits")
BLOCK_SECONDS = 1.0
# How old may be what this process knows of others' silences. Places of a rate are not given out during one at all.
HOLDS_LAST_SECONDS = 5.0
# A header that asks for more is asked again after this: nothing but a row's deletion would end its silence.
LONGEST_HOLD_SECONDS = 3600.0
# One credential of ours for all clients, so that a refusal of one call speaks for all. Elsewhere (networks, WhatsApp,
# a client's Supabase Auth) it may be about one account.
SHARED = frozenset({"claude", "supabase", "github", "vercel", "n8n", "payfast"})
# Calls a minute, below what the vendors state: Supabase 120 a minute; GitHub 5,000 an hour and about 80 writing ones a
# minute. (supabase.com/docs/reference/api, docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api)
STATED = {"supabase": 100, "github": 75}
OVERLOADED = 529
log = logging.getLogger(__name__)


def rates_of(settings: Settings) -> dict[str, float]:
    """Calls a minute by vendor: what is set, and what real vendors state."""
    rates: dict[str, float] = {name: rate for name, rate in STATED.items() if name not in settings.sandboxed_vendors}
    if settings.claude_requests_per_minute is not None:
        rates["claude"] = settings.claude_requests_per_minute
    return rates


class VendorLimits:
    """The limits as this process keeps them; one for each event loop.

    Args:
        rates: calls a minute of all processes together, by vendor; the others are not paced.
        sleep, randomness, monotonic: the world, replaceable in tests.
    """

    def __init__(
        self,
        master: MasterDb,
        rates: Mapping[str, float],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        randomness: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._master = master
        self._paces = {vendor: _Pace(master, vendor, 60.0 / rate, sleep, monotonic) for vendor, rate in rates.items()}
        self._sleep = sleep
        self._randomness = randomness
        self._monotonic = monotonic
        self._held_until: dict[str, float] = {}
        self._looked_at = -HOLDS_LAST_SECONDS
        self._looking = asyncio.Lock()

    async def admit(self, vendor: str, *, max_wait_seconds: float) -> None:
        """Return when a call may be made: silence is over, and its place has come. Who came first goes first.

        Args:
            max_wait_seconds: the longest silence that is waited for; for a place it waits as long as it takes.

        Raises:
            VendorError: THROTTLED, with what is left of a longer silence; RETRY where the master cannot be asked for a
                place. The call was not made.
        """
        pace = self._paces.get(vendor)
        while True:
            while (left := await self._silence(vendor)) > 0:
                if left > max_wait_seconds:
                    message = "it asked to be left alone for a while"
                    raise VendorError(vendor, ErrorClass.THROTTLED, message, retry_after_seconds=left)
                await self._sleep(left + self._randomness())
            if pace is None or await pace.wait():
                return
            await self._look()  # it is held since a moment ago

    async def note(self, error: VendorError) -> None:
        """Take in a refusal: where it speaks for all of us, everybody waits as long as the vendor says."""
        seconds = error.retry_after_seconds
        is_wish = error.error_class is ErrorClass.THROTTLED or error.status == OVERLOADED
        if error.vendor not in SHARED or not is_wish or not seconds or seconds <= 0:
            return
        seconds = min(seconds, LONGEST_HOLD_SECONDS)
        self._held_until[error.vendor] = max(self._held_until.get(error.vendor, 0.0), self._monotonic() + seconds)
        log.warning("%s asks for %.0f s of silence; all processes keep it", error.vendor, seconds)
        try:
            async with self._master.connection() as conn:
                await LIMITS.hold(conn, vendor=error.vendor, seconds=seconds)
        except psycopg.Error as fault:
            log.warning("the silence of %s is known to this process alone: %s", error.vendor, type(fault).__name__)

    async def _silence(self, vendor: str) -> float:
        """Seconds that are left of it; at most `HOLDS_LAST_SECONDS` ago the master was asked."""
        if vendor in SHARED:
            async with self._looking:
                if self._monotonic() - self._looked_at >= HOLDS_LAST_SECONDS:
                    await self._look()
        return self._held_until.get(vendor, 0.0) - self._monotonic()

    async def _look(self) -> None:
        try:
            async with self._master.connection() as conn:
                rows = [row async for row in LIMITS.holds(conn)]
        except psycopg.Error as fault:
            log.warning("vendors' silences could not be read: %s", type(fault).__name__)
            return
        finally:
            # Not before: while the master hangs, each of those who wait for this look would begin one of its own.
            self._looked_at = self._monotonic()
        now = self._monotonic()
        self._held_until = {row["vendor"]: now + row["seconds"] for row in rows}


class _Pace:
    """The places of one vendor that this process has, on its own monotonic clock."""

    def __init__(
        self,
        master: MasterDb,
        vendor: str,
        interval: float,
        sleep: Callable[[float], Awaitable[None]],
        monotonic: Callable[[], float],
    ) -> None:
        self._master = master
        self._vendor = vendor
        self._interval = interval
        self._sleep = sleep
        self._monotonic = monotonic
        self._most = max(1, int(BLOCK_SECONDS / interval))
        self._places: deque[float] = deque()
        self._taking = asyncio.Lock()
        self._waiting = 0
        self._taken, self._taken_at = 0, -BLOCK_SECONDS

    async def wait(self) -> bool:
        """Return when the next call may be made; False: the vendor is held.

        One waits at its place while the others wait in line: no block is taken before the one before it is over, and
        other processes come in between."""
        self._waiting += 1
        try:
            async with self._taking:
                while self._places and self._places[0] + self._interval < self._monotonic():
                    self._places.popleft()  # nobody called in its time
                if not self._places and not await self._take():
                    return False
                await self._sleep(max(self._places.popleft() - self._monotonic(), 0.0))
                return True
        finally:
            self._waiting -= 1

    async def _take(self) -> bool:
        """Take a block. Where nobody else is at the vendor it doubles up to a second's worth, so that a steady trickle
        needs no statement each; where others are, it is what waits here and no more."""
        now = self._monotonic()
        grown = 2 * self._taken if now - self._taken_at < 2 * BLOCK_SECONDS else 1
        count = min(self._most, max(self._waiting, grown))
        try:
            async with self._master.connection() as conn:
                in_seconds = await LIMITS.take_places(conn, vendor=self._vendor, seconds=count * self._interval)
        except psycopg.Error as fault:
            message = f"the limits that are shared cannot be asked for: {type(fault).__name__}"
            raise VendorError(self._vendor, ErrorClass.RETRY, message) from fault
        if in_seconds is None:
            return False
        self._taken_at = self._monotonic()
        self._taken = count if in_seconds <= self._interval else 0
        first = self._taken_at + max(in_seconds, 0.0)
        self._places.extend(first + number * self._interval for number in range(count))
        return True
