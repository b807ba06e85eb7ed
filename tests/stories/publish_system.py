"""Clients that publish, in a whole running system, and waiting until all of it is out.

Not here: what they ask for (`publish_world.py`), and what must come of it (`publish_ledger.py`).
"""

import asyncio
import time
from collections.abc import Sequence

from draggonnb_pipelines.resources.stack import open_stack
from tests.stories.publish_world import OUTSIDER, World
from tests.stories.system import System
from tests.workflows.publish_work import connect

STANDSTILL_SECONDS = 120.0


def world_in(system: System, slugs: Sequence[str], *, latency_seconds: float) -> World:
    """These clients with an account at each network, and an outsider who has none."""
    system.create(OUTSIDER, *slugs)
    # More posts than the networks' daily quotas: what is spent would wait for tomorrow.
    system.sandbox.settings(
        social_latency_seconds=latency_seconds,
        social_refuses_duplicates=False,
        social_window_limit=100_000,
        x_app_daily_limit=1_000_000,
        instagram_quota_total=100_000,
    )
    organizations = {slug: system.clients[slug].organization for slug in slugs}

    async def connect_all() -> None:
        async with open_stack(system.settings) as stack:
            for organization in organizations.values():
                await connect(stack, organization)

    asyncio.run(connect_all())
    return World(system.sandbox, system.settings.dsn, organizations)


def finish(world: World, slugs: Sequence[str]) -> None:
    """However long the rest takes on this machine: it may not stand still."""
    seen, deadline = world.states(slugs), time.monotonic() + STANDSTILL_SECONDS
    while not world.is_done(slugs):
        if (states := world.states(slugs)) != seen:
            seen, deadline = states, time.monotonic() + STANDSTILL_SECONDS
        assert time.monotonic() < deadline, states
        world.time_passes(slugs)
        time.sleep(1)
