"""A run that sets clients up, or one that takes a client down again, in a process of its own that may be killed.

What a run does in Dagster, without the seconds that Dagster takes to start one. Not here: who starts and kills it
(`provisioning_world.py`).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from draggonnb_pipelines.domain.provisioning import STEPS
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.resources.supabase_auth import SupabaseAuth
from draggonnb_pipelines.workflows.provisioning.provisioning import run_step, take_waiting
from draggonnb_pipelines.workflows.provisioning.removal import abort
from draggonnb_pipelines.workflows.provisioning.stack_ledger import NotYet
from tests.stories.publish_worker import settings_of
from tests.workflows.lead_work import impatient_claude

PRELOADED = SupabaseAuth  # the stack imports it late; a process that is forked has it already
MAIL_LEASE_SECONDS = 1  # less than settings allow: what a killed run was sending is taken back when it ends


def set_up(values: Mapping[str, Any], run_id: str) -> None:
    """Take who waits, and do every step."""
    logging.disable(logging.WARNING)
    asyncio.run(_set_up(values, run_id))


def take_down(values: Mapping[str, Any], slug: str) -> None:
    """Abort a client, however long its vendors take."""
    logging.disable(logging.WARNING)
    asyncio.run(_take_down(values, slug))


@asynccontextmanager
async def opened(values: Mapping[str, Any]) -> AsyncIterator[Stack]:
    settings = settings_of(values).model_copy(update={"notification_lease_seconds": MAIL_LEASE_SECONDS})
    async with open_stack(settings) as stack, impatient_claude(stack) as claude:
        yield replace(stack, claude=claude)


async def _set_up(values: Mapping[str, Any], run_id: str) -> None:
    async with opened(values) as stack:
        slugs = await take_waiting(stack, run_id)
        for step in STEPS:
            ends = await run_step(stack, run_id, step, slugs)
            slugs = [slug for slug in slugs if ends[slug].resource]


async def _take_down(values: Mapping[str, Any], slug: str) -> None:
    async with opened(values) as stack:
        while True:
            try:
                await abort(stack, slug, by="kill test")
                return
            except NotYet as wait:
                await asyncio.sleep(min(wait.seconds, stack.settings.provision_poll_seconds))
