"""Clients who ask for fresh numbers: whose wishes a run takes up, and the end of these wishes.

Lives here: the claims, at most one an hour for each organization. Not here: the webhook (`api/analytics.py`), and the
measuring (`collection.py`). A run that is killed leaves its claims to the next one, once their lease is over.
"""

from collections.abc import Collection

from draggonnb_pipelines.domain.fresh_numbers import PAUSE
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries

FRESH = load_queries("fresh_numbers")
LEASE_SECONDS = 1800  # longer than a run that measures


async def take_requests(stack: Stack, run_id: str) -> list[str]:
    """Claim what can be worked on now; the slugs of who asked, each once."""
    async with stack.master.connection() as conn, conn.transaction():
        await FRESH.lock_requests(conn)
        taken = FRESH.take_requests(
            conn,
            run_id=run_id,
            now=stack.now(),
            pause_seconds=PAUSE.total_seconds(),
            lease_seconds=LEASE_SECONDS,
        )
        return [row["slug"] async for row in taken]


async def asked_in(stack: Stack, run_id: str) -> list[str]:
    """Whose wishes this run has claimed and not closed yet."""
    async with stack.master.connection() as conn:
        return [row["slug"] async for row in FRESH.held_by(conn, run_id=run_id)]


async def close_requests(stack: Stack, run_id: str, slugs: Collection[str]) -> int:
    """The numbers of these are there: their wishes that this run has claimed are done; how many wishes."""
    async with stack.master.connection() as conn:
        closed = FRESH.close_requests(conn, run_id=run_id, slugs=list(slugs), now=stack.now())
        return len([row async for row in closed])
