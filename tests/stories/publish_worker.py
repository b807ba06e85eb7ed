"""A publisher of its own: what the publishing run does in Dagster, again and again in one process that may be killed.

Dagster takes seconds to start a run; this takes a tenth of one, so that a hundred kills fit into minutes. Not here:
who starts and kills it (`publish_crew.py`).
"""

import asyncio
import itertools
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
from pydantic import SecretStr

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.stack import Stack, open_stack, utc_now
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready
from draggonnb_pipelines.workflows.publishing.publishing import plan_run, publish_due
from tests.conftest import MASTER_KEYS

SWEEP_EVERY = 4  # runs; every one of the others goes by the agenda
IDLE_SECONDS = 0.2


def settings_of(values: Mapping[str, Any]) -> Settings:
    """Settings of this test alone: nothing from the environment's .env."""
    return Settings(_env_file=None, master_keys=SecretStr(MASTER_KEYS), **values)  # pyright: ignore[reportCallIssue]


def work(values: Mapping[str, Any], organizations: Mapping[str, Organization], clock_shift: timedelta) -> None:
    """Publish for ever, by a clock that goes wrong by `clock_shift`."""
    logging.disable(logging.WARNING)
    asyncio.run(_work(values, organizations, clock_shift))


async def _work(values: Mapping[str, Any], organizations: Mapping[str, Organization], clock_shift: timedelta) -> None:
    async with open_stack(settings_of(values), now=lambda: utc_now() + clock_shift) as stack:
        for number in itertools.count():
            try:
                is_busy = await _run(stack, organizations, everyone=number % SWEEP_EVERY == SWEEP_EVERY - 1)
            except (DraggonnbError, psycopg.Error):
                is_busy = False  # as a run that failed: the next one has an id of its own
            if not is_busy:
                await asyncio.sleep(IDLE_SECONDS)


async def _run(stack: Stack, organizations: Mapping[str, Organization], *, everyone: bool) -> bool:
    run_id = str(uuid4())
    plan = await plan_run(stack, run_id, everyone=everyone)
    for slug, found in plan.items():
        if found.has_approved:
            await enqueue_ready(stack, organizations[slug])
    if plan:
        await publish_due(stack, run_id, list(plan))
    return bool(plan)
