"""Stored leads through the current prompts again: new versions beside the old ones, nobody notified.

Where the prompt and the inputs did not change, the stored answer gives the version that is there; the rest goes
through message batches. A batch that takes longer than a run waits is taken up again by the next run.
"""

from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.errors import VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.generation import AnswerPending, Asker
from draggonnb_pipelines.workflows.leads.lead_batches import DayBatch, Outcome
from draggonnb_pipelines.workflows.message_batches import BATCHES, BatchRunning, answer_in_batch

LEDGER = load_queries("ledger")
RUN_LEASE_SECONDS = 3700  # longer than a run may last, so that a request is never worked on twice at once
MAX_ATTEMPTS = 300  # of one request, at one each five minutes: a day, within which every batch ends

AskingStep = Callable[..., Coroutine[Any, Any, list[Outcome]]]


async def reprocess_step(stack: Stack, batch: DayBatch, name: str, step: AskingStep) -> list[Outcome]:
    """Walk a step that asks Claude: collect what is missing, have it answered in a batch, walk it again."""
    asker = Asker(stack, collects=True)
    outcomes = await step(stack, batch, asker=asker)
    if not asker.missing:
        return outcomes
    try:
        await answer_in_batch(stack, name, asker.missing, wait_seconds=stack.settings.claude_batch_wait_seconds)
    except (BatchRunning, VendorError) as error:
        return [_still_waiting(outcome, error) for outcome in outcomes]
    outcomes = await step(stack, batch, asker=Asker(stack, collects=True))
    return [_still_waiting(outcome, outcome.problem) for outcome in outcomes]


def _still_waiting(outcome: Outcome, error: Exception | None) -> Outcome:
    if not isinstance(outcome.problem, AnswerPending):
        return outcome
    return replace(outcome, problem=error, waits=True)


async def request_reprocessing(
    stack: Stack,
    organizations: Sequence[str],
    from_day: date,
    to_day: date,
    *,
    requested_by: str,
    request_id: UUID,
    starts_in_seconds: int = 0,
) -> None:
    """Record a request; the sensor `reprocessing_requests` takes it up, and again until it is done."""
    async with stack.master.connection() as conn:
        await BATCHES.open_reprocessing(
            conn,
            id=request_id,
            organizations=list(organizations),
            from_day=from_day,
            to_day=to_day,
            requested_by=requested_by,
            delay_seconds=starts_in_seconds,
        )


async def begin_request(stack: Stack, reprocessing_id: UUID, run_id: str) -> list[PartitionKey]:
    """Its organizations and days with leads; a request without any is done."""
    keys = await reprocessing_keys(stack, reprocessing_id)
    async with stack.master.connection() as conn:
        await BATCHES.take_reprocessing(conn, id=reprocessing_id, run_id=run_id)
        if not keys:
            reason = "there are no leads in that time"
            await BATCHES.close_reprocessing(conn, id=reprocessing_id, run_id=run_id, state="done", reason=reason)
    return keys


async def reprocessing_keys(stack: Stack, reprocessing_id: UUID) -> list[PartitionKey]:
    """The organizations and days of a request on which there are leads, by the ledger."""
    async with stack.master.connection() as conn:
        request = await BATCHES.get_reprocessing(conn, id=reprocessing_id)
        if request is None:
            return []
        return await keys_with_leads(conn, request["organizations"], request["from_day"], request["to_day"])


async def keys_with_leads(conn: Any, organizations: Sequence[str], from_day: date, to_day: date) -> list[PartitionKey]:
    """Where the ledger knows of leads; an empty list of organizations means all."""
    rows = LEDGER.days_with_leads(conn, organizations=list(organizations), from_day=from_day, to_day=to_day)
    return [PartitionKey(row["slug"], row["day"]) async for row in rows]


async def settle_request(stack: Stack, reprocessing_id: UUID, run_id: str, done: Collection[PartitionKey]) -> None:
    """Close the request, or set its next attempt where something failed or waits."""
    left = [key for key in await reprocessing_keys(stack, reprocessing_id) if key not in done]
    async with stack.master.connection() as conn:
        request = await BATCHES.get_reprocessing(conn, id=reprocessing_id)
        if request is None or request["state"] != "open":
            return
        reason = f"{len(left)} left, the first is {left[0].slug} on {left[0].day}" if left else None
        common = {"id": reprocessing_id, "run_id": run_id, "reason": reason}
        if not left:
            await BATCHES.close_reprocessing(conn, **common, state="done")
        elif request["attempts"] >= MAX_ATTEMPTS:
            await BATCHES.close_reprocessing(conn, **common, state="failed")
        else:
            await BATCHES.postpone_reprocessing(conn, **common, delay_seconds=stack.settings.reprocess_poll_seconds)
