"""The line of clients in one publishing run: who is served next, and who joins while the run is at work.

Clients take turns, so that one with a thousand posts does not hold up another's one; and whoever becomes due meanwhile
joins the line, so that nobody waits for the end of a run that another's posts make long.
Not here: what a turn does, and who is due (`publishing.py`).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.workflows.publishing.publish_records import Tally

log = logging.getLogger(__name__)
# A run ends after about this long, and the next one goes on with whatever is left. That takes a sensor's tick and a
# process's start, so it is let in before.
RUN_SECONDS = 120.0
HAND_OVER_SECONDS = 10.0
# How often the line is opened for who became due: one small query at the master.
JOIN_SECONDS = 1.0


@dataclass
class ClientRun:
    """One client in one run: what was done for it, or why it could not be.

    Args:
        notes: the agenda's notes of it when it came into the line.
        has_joined: it became due while the run was at work.
        has_approved: it may have approved posts that are not on the queue.
        is_in_line: it waits for a turn or has one; else the agenda may be told when it is due next.
        is_held: it is being moved to another server, which waits for what is in hand.
    """

    organization: Organization
    notes: int
    has_joined: bool = False
    tally: Tally = field(default_factory=Tally)
    problem: str | None = None
    next_due_at: datetime | None = None
    has_approved: bool = True
    is_in_line: bool = True
    is_held: bool = False
    was_begun: bool = False
    was_looked_into: bool = False
    is_settled: bool = False
    idle_turns: int = 0

    def come_again(self, organization: Organization, notes: int) -> None:
        """It was done in this run, and something of it has become due since. It may have moved meanwhile."""
        self.organization, self.notes, self.problem, self.idle_turns = organization, notes, None, 0
        self.is_in_line = self.has_approved = True
        self.was_begun = self.was_looked_into = self.is_settled = False


class Line:
    """Workers take the clients in turn, and put those to the end of the line again that have more to do; one that wants
    its next turn in seconds comes back then, and no worker waits for it.

    Args:
        turn: serves a client; returns in how many seconds it wants another turn, None where it is done. Raises nothing.
        newcomers: who is due by now, does not stand in the line and may join it.
        hand_over: lets the next run start, if this one is still at work shortly before its time is over.
        workers: how many clients are served at once.
    """

    def __init__(
        self,
        turn: Callable[[ClientRun], Awaitable[float | None]],
        *,
        newcomers: Callable[[], Awaitable[Sequence[ClientRun]]],
        hand_over: Callable[[], Awaitable[None]],
        workers: int,
    ) -> None:
        self._turn = turn
        self._newcomers = newcomers
        self._hand_over = hand_over
        self._workers = workers
        self._waiting: asyncio.Queue[ClientRun] = asyncio.Queue()
        self._ends = 0.0

    async def work_off(self, clients: Sequence[ClientRun]) -> None:
        """Serve these clients and who joins them, until nobody wants a turn or the run's time is over."""
        self._ends = time.monotonic() + RUN_SECONDS
        for client in clients:
            self._waiting.put_nowait(client)
        tasks = [asyncio.create_task(self._serve()) for _ in range(self._workers)]
        tasks.append(asyncio.create_task(self._let_join()))
        try:
            await self._waiting.join()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client = await self._waiting.get()
            in_seconds = await self._turn(client)
            if in_seconds is None or time.monotonic() + in_seconds > self._ends:
                self._waiting.task_done()
            else:
                loop.call_later(in_seconds, self._come_back, client)

    def _come_back(self, client: ClientRun) -> None:
        self._waiting.put_nowait(client)
        self._waiting.task_done()

    async def _let_join(self) -> None:
        hand_over = self._hand_over
        while time.monotonic() + JOIN_SECONDS < self._ends:
            await asyncio.sleep(JOIN_SECONDS)
            try:
                if hand_over and time.monotonic() > self._ends - HAND_OVER_SECONDS:
                    await hand_over()
                    hand_over = None
                for client in await self._newcomers():
                    self._waiting.put_nowait(client)
            except psycopg.Error as error:
                log.warning("nobody joins the line for now: %s", type(error).__name__)
