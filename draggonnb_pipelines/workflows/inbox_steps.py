"""How one step of a workflow is walked over a batch: tenant by tenant, each one's trouble its own.

Lives here: what becomes of a piece of work by the outcome of a step (goes on, comes again later, waits, is left to a
person). Not here: what the steps do, and the batches themselves (`inbox_batches.py`).
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol
from uuid import UUID

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import DraggonnbError, NeedsReview, TenantUnavailable, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.ai_budgets import BudgetHeld
from draggonnb_pipelines.workflows.inbox_batches import (
    LONGEST_DELAY_SECONDS,
    GiveBack,
    InboxWork,
    StepOutcome,
    WorkT,
    reason_of,
)

log = logging.getLogger(__name__)
TENANTS_AT_ONCE = 16


class Batch(Protocol):
    """What a walk asks of a batch; see `inbox_batches.ClaimedRows`."""

    async def advance(self, stage: int, works: Sequence[InboxWork]) -> None: ...
    async def finish(self, works: Sequence[InboxWork]) -> None: ...
    async def give_back(self, stage: int, inbox_ids: Sequence[UUID], how: GiveBack) -> None: ...
    async def attempts(self, works: Sequence[InboxWork]) -> dict[UUID, int]: ...


class Walk(Generic[WorkT]):
    """One step over one batch.

    Args:
        stage: the one that the step leads to.
        park: leaves a piece of work to a person, with the reason; None where nothing is stored yet that could say so:
            then the inbox row keeps the reason, and is buried after all attempts.
        is_last: rows that pass this step are finished.
    """

    def __init__(
        self,
        stack: Stack,
        batch: Batch,
        stage: int,
        *,
        park: Callable[[Stack, WorkT, str], Awaitable[None]] | None,
        is_last: bool = False,
    ) -> None:
        self._stack = stack
        self._batch = batch
        self._stage = stage
        self._park = park
        self._is_last = is_last

    async def over(
        self,
        works: Sequence[WorkT],
        step: Callable[[Organization, list[WorkT]], Awaitable[list[StepOutcome[WorkT]]]],
    ) -> list[StepOutcome[WorkT]]:
        """Walk the step over all tenants of the works, at most `TENANTS_AT_ONCE` at a time.

        Every piece of work gets an outcome. What is done advances; what is troubled is given back with a delay, parked
        for a person, or left waiting, by the class of its trouble. A tenant's failure touches its own work only.
        """
        by_tenant: dict[UUID, list[WorkT]] = defaultdict(list)
        for work in works:
            by_tenant[work.organization.id].append(work)
        permits = asyncio.Semaphore(TENANTS_AT_ONCE)

        async def one_tenant(works: list[WorkT]) -> list[StepOutcome[WorkT]]:
            async with permits:
                try:
                    outcomes = await step(works[0].organization, works)
                except Exception as error:
                    if not isinstance(error, DraggonnbError | psycopg.Error):
                        log.exception("%s: step %s broke", works[0].organization.slug, self._stage)
                    outcomes = [StepOutcome(work, problem=error) for work in works]
                await self._settle(outcomes)  # at once: what is done survives a kill during the others
                return outcomes

        return [outcome for part in await asyncio.gather(*map(one_tenant, by_tenant.values())) for outcome in part]

    async def _settle(self, outcomes: list[StepOutcome[WorkT]]) -> None:
        """Turn each outcome into what happens to its inbox rows."""
        batch, stage = self._batch, self._stage
        await batch.advance(stage, [outcome.work for outcome in outcomes if outcome.problem is None])
        troubled = [outcome for outcome in outcomes if outcome.problem is not None]
        attempts = await batch.attempts([outcome.work for outcome in troubled]) if troubled else {}
        given_back: dict[GiveBack, list[UUID]] = defaultdict(list)
        for outcome in troubled:
            tries = max((attempts.get(inbox_id, 1) for inbox_id in outcome.work.inbox_ids), default=1)
            if not await self._parked(outcome, tries):
                given_back[self._give_back(outcome, tries)] += outcome.work.inbox_ids
        for how, inbox_ids in given_back.items():
            await batch.give_back(stage, inbox_ids, how)
        if self._is_last:
            await batch.finish([outcome.work for outcome in outcomes if outcome.problem is None])

    async def _parked(self, outcome: StepOutcome[WorkT], tries: int) -> bool:
        """Leave it to a person if no machine can go on, or a vendor's trouble has lasted for all attempts."""
        problem = outcome.problem
        give_up = isinstance(problem, VendorError) and not outcome.waits and tries >= self._stack.settings.max_attempts
        if self._park is None or problem is None or not (isinstance(problem, NeedsReview) or give_up):
            return False
        try:
            await self._park(self._stack, outcome.work, reason_of(problem))
        except (TenantUnavailable, psycopg.Error) as error:
            outcome.problem = error
            return False
        outcome.needs_review, outcome.problem = True, None
        return True

    def _give_back(self, outcome: StepOutcome[WorkT], tries: int) -> GiveBack:
        """When to come again: soon if it only waits, later with each attempt of its own, as the vendor says if it
        does."""
        problem = outcome.problem
        assert problem is not None
        counts = not (isinstance(problem, TenantUnavailable) or outcome.waits)
        delay = self._stack.settings.retry_base_seconds * (4 ** max(tries - 1, 0) if counts else 1)
        if isinstance(problem, VendorError) and problem.retry_after_seconds:
            delay = max(delay, problem.retry_after_seconds)
        return GiveBack(reason_of(problem)[:500], counts, min(delay, LONGEST_DELAY_SECONDS))


async def gather_outcomes(
    works: Sequence[WorkT], one: Callable[[WorkT], Awaitable[StepOutcome[WorkT]]]
) -> list[StepOutcome[WorkT]]:
    """Run `one` for each piece of work at once; its trouble becomes its own outcome."""

    async def guarded(work: WorkT) -> StepOutcome[WorkT]:
        try:
            return await one(work)
        except Exception as error:
            ids = ", ".join(map(str, work.inbox_ids)) or work.key
            log.info("%s: delivery %s: %s", work.organization.slug, ids, reason_of(error), exc_info=error)
            return StepOutcome(work, problem=error, waits=isinstance(error, BudgetHeld))

    return await asyncio.gather(*(guarded(work) for work in works))
