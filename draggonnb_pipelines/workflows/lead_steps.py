"""How one step of the lead workflow is walked over a batch: tenant by tenant, each one's trouble its own.

Lives here: what becomes of a lead by the outcome of a step (goes on, comes again later, waits, is left to a person).
Not here: what the steps do, and the batches themselves (`lead_batches.py`).
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from uuid import UUID

import psycopg

from draggonnb_pipelines.domain.leads import LeadWork, Stage
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import DraggonnbError, NeedsReview, TenantUnavailable, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.lead_batches import (
    LEADS,
    LONGEST_DELAY_SECONDS,
    Batch,
    GiveBack,
    Outcome,
    reason_of,
)

log = logging.getLogger(__name__)
TENANTS_AT_ONCE = 16

TenantStep = Callable[[Stack, Batch, Organization, list[LeadWork]], Awaitable[list[Outcome]]]


async def run_step(stack: Stack, batch: Batch, stage: Stage, step: TenantStep) -> list[Outcome]:
    """Walk one step over all tenants of the batch, at most `TENANTS_AT_ONCE` at a time.

    Every lead gets an outcome. Done leads advance; troubled ones are given back with a delay, parked for a person,
    or left waiting, by the class of their trouble. A tenant's failure touches its own leads only.
    """
    await batch.begin(stage)
    by_tenant: dict[UUID, list[LeadWork]] = defaultdict(list)
    for work in await batch.leads():
        by_tenant[work.organization.id].append(work)
    permits = asyncio.Semaphore(TENANTS_AT_ONCE)

    async def one_tenant(works: list[LeadWork]) -> list[Outcome]:
        async with permits:
            try:
                outcomes = await step(stack, batch, works[0].organization, works)
            except Exception as error:
                if not isinstance(error, DraggonnbError | psycopg.Error):
                    log.exception("%s: step %s broke", works[0].organization.slug, stage.name)
                outcomes = [Outcome(work, problem=error) for work in works]
            await _settle(stack, batch, stage, outcomes)  # at once: what is done survives a kill during the others
            return outcomes

    return [outcome for part in await asyncio.gather(*map(one_tenant, by_tenant.values())) for outcome in part]


async def _settle(stack: Stack, batch: Batch, stage: Stage, outcomes: list[Outcome]) -> None:
    """Turn each lead's outcome into what happens to its inbox rows."""
    await batch.advance(stage, [outcome.work for outcome in outcomes if outcome.problem is None])
    troubled = [outcome for outcome in outcomes if outcome.problem is not None]
    attempts = await batch.attempts([outcome.work for outcome in troubled]) if troubled else {}
    given_back: dict[GiveBack, list[UUID]] = defaultdict(list)
    for outcome in troubled:
        tries = max((attempts.get(inbox_id, 1) for inbox_id in outcome.work.inbox_ids), default=1)
        if not await _parked(stack, outcome, tries):
            given_back[_give_back(stack, outcome, tries)] += outcome.work.inbox_ids
    for how, inbox_ids in given_back.items():
        await batch.give_back(stage, inbox_ids, how)
    if stage is Stage.NOTIFIED:
        await batch.finish([outcome.work for outcome in outcomes if outcome.problem is None])


async def _parked(stack: Stack, outcome: Outcome, tries: int) -> bool:
    """Leave it to a person if no machine can go on, or a vendor's trouble has lasted for all attempts."""
    problem = outcome.problem
    give_up = isinstance(problem, VendorError) and not outcome.waits and tries >= stack.settings.max_attempts
    if problem is None or not (isinstance(problem, NeedsReview) or give_up):
        return False
    try:
        await park(stack, outcome.work, reason_of(problem))
    except (TenantUnavailable, psycopg.Error) as error:
        outcome.problem = error
        return False
    outcome.needs_review, outcome.problem = True, None
    return True


def _give_back(stack: Stack, outcome: Outcome, tries: int) -> GiveBack:
    """When to come again: soon if it only waits, later with each attempt of its own, as the vendor says if it does."""
    problem = outcome.problem
    assert problem is not None
    counts = not (isinstance(problem, TenantUnavailable) or outcome.waits)
    delay = stack.settings.retry_base_seconds * (4 ** max(tries - 1, 0) if counts else 1)
    if isinstance(problem, VendorError) and problem.retry_after_seconds:
        delay = max(delay, problem.retry_after_seconds)
    return GiveBack(reason_of(problem)[:500], counts, min(delay, LONGEST_DELAY_SECONDS))


async def park(stack: Stack, work: LeadWork, reason: str) -> None:
    """Leave the lead to a person, with the reason; the last step tells the sales team."""
    async with stack.tenants.open(work.organization) as tenant:
        await LEADS.park_lead(tenant.conn, lead_id=work.lead_id, reason=reason)
    log.warning("%s: lead %s needs a person: %s", work.organization.slug, work.lead_id, reason)
