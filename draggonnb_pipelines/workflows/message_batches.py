"""Many questions to Claude at half the price: message batches, submitted once and never lost.

The batch's intent is committed before it is submitted; after a crash it is found at the vendor, or known not to exist.
Answers are stored like any other (`generation.py`); the step that asked is then walked again and finds them.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from draggonnb_pipelines.errors import DraggonnbError, ErrorClass, VendorError
from draggonnb_pipelines.resources.claude import ClaudeAnswer
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.ai_budgets import settle_spend
from draggonnb_pipelines.workflows.generation import GENERATIONS, Missing, judge, store_answer

BATCHES = load_queries("message_batches")
RESULTS_LAST = timedelta(days=28)  # the vendor keeps them for 29
log = logging.getLogger(__name__)


class BatchRunning(DraggonnbError):
    """The batch has not ended within the time that a run waits. It is asked for again later; nothing is lost."""


async def answer_in_batch(
    stack: Stack,
    purpose: str,
    missing: Sequence[Missing],
    *,
    wait_seconds: float,
    sleep: Callable[[float], Any] = asyncio.sleep,
) -> None:
    """Have all these questions answered and stored; the same question is never in two batches at once.

    Raises:
        BatchRunning: not ended within `wait_seconds`, or another run is submitting at this moment.
        VendorError: the batch could not be submitted or read.
    """
    async with _alone(stack, purpose):
        wanted = await _unanswered(stack, missing)
        covered = await _settle_open(stack, wanted)
        if rest := {custom_id: question for custom_id, question in wanted.items() if custom_id not in covered}:
            await _submit(stack, purpose, rest)
    waited, pause = 0.0, 1.0
    while running := await _collect_ended(stack, wanted):
        if waited >= wait_seconds:
            raise BatchRunning(f"{purpose}: {running} batch(es) at Anthropic have not ended after {waited:.0f} s")
        await sleep(pause)
        waited, pause = waited + pause, min(pause * 1.5, 30.0)


@asynccontextmanager
async def _alone(stack: Stack, purpose: str) -> AsyncIterator[None]:
    """One run at a time looks what is under way and submits the rest. A killed run's lock ends with its connection."""
    async with stack.master.connection() as conn:
        if not await BATCHES.take_submission_lock(conn):
            raise BatchRunning(f"{purpose}: another run is submitting a message batch")
        try:
            yield
        finally:
            await BATCHES.free_submission_lock(conn)


async def _unanswered(stack: Stack, missing: Sequence[Missing]) -> dict[str, Missing]:
    """By custom id what still has no usable answer: another run's batch may have brought some meanwhile."""
    by_tenant: dict[UUID, list[Missing]] = defaultdict(list)
    for question in missing:
        by_tenant[question.organization.id].append(question)
    wanted: dict[str, Missing] = {}
    for questions in by_tenant.values():
        async with stack.tenants.open(questions[0].organization) as tenant:
            hashes = [question.request.request_hash for question in questions]
            answered = {row["request_hash"] async for row in GENERATIONS.usable_hashes(tenant.conn, hashes=hashes)}
        wanted |= {one.custom_id: one for one in questions if one.request.request_hash not in answered}
    return wanted


async def _settle_open(stack: Stack, wanted: dict[str, Missing]) -> set[str]:
    """Find out what became of intents, and which of the wanted questions are answered or under way already."""
    covered: set[str] = set()
    for batch in await _open_batches(stack, wanted):
        if batch["state"] == "ended":
            covered |= await _store_answers(stack, batch, wanted)
            continue
        if batch["state"] == "intent":
            vendor_id = await stack.claude.find_batch(batch["created_at"], frozenset(batch["requests"]))
            async with stack.master.connection() as conn:
                if vendor_id is None:
                    await BATCHES.record_state(conn, id=batch["id"], state="failed", reason="it was never submitted")
                    continue
                await BATCHES.record_submission(conn, id=batch["id"], vendor_batch_id=vendor_id)
        covered |= set(batch["requests"])
    return covered


async def _submit(stack: Stack, purpose: str, questions: dict[str, Missing]) -> None:
    batch_id = uuid4()
    requests = {
        custom_id: {
            "organization_id": str(question.organization.id),
            "lead_id": str(question.subject.lead_id),
            "request_hash": question.request.request_hash,
            "reservation_id": str(question.reservation_id),
        }
        for custom_id, question in questions.items()
    }
    async with stack.master.connection() as conn:
        await BATCHES.intend_batch(conn, id=batch_id, purpose=purpose, requests=Jsonb(requests))
    try:
        vendor_id = await stack.claude.submit_batch({key: question.request for key, question in questions.items()})
    except VendorError as error:
        if error.error_class is not ErrorClass.AMBIGUOUS:
            async with stack.master.connection() as conn:
                await BATCHES.record_state(conn, id=batch_id, state="failed", reason=str(error))
        raise
    async with stack.master.connection() as conn:
        if not await BATCHES.record_submission(conn, id=batch_id, vendor_batch_id=vendor_id):
            log.error("%s: batch %s was submitted, but its intent is gone; look at it by hand", purpose, vendor_id)
    log.info("%s: batch %s with %d questions submitted", purpose, vendor_id, len(questions))


async def _collect_ended(stack: Stack, wanted: dict[str, Missing]) -> int:
    """Store the answers of ended batches; returns how many batches are still running."""
    running = 0
    for batch in await _open_batches(stack, wanted):
        if batch["state"] == "ended":
            continue
        if batch["vendor_batch_id"] is None:
            running += 1
        elif (await stack.claude.batch_status(batch["vendor_batch_id"])).ended:
            await _store_answers(stack, batch, wanted)
        else:
            running += 1
    return running


async def _store_answers(stack: Stack, batch: dict[str, Any], wanted: dict[str, Missing]) -> set[str]:
    """Store what is wanted of an ended batch; returns what has a usable answer now.

    Answers that nobody wants now stay at the vendor and the batch stays open: a later request may want them.
    """
    usable: set[str] = set()
    faults = 0
    async for custom_id, answer in stack.claude.batch_answers(batch["vendor_batch_id"]):
        question = wanted.get(custom_id)
        if question is None:
            continue
        if isinstance(answer, VendorError):
            faults += 1
            log.warning("batch %s: %s: %s", batch["vendor_batch_id"], custom_id, answer)
            await _release(stack, question)
        elif await _store_answer(stack, batch, question, answer):
            usable.add(custom_id)
    is_all = batch["requests"].keys() <= wanted.keys()
    is_old = stack.now() - batch["created_at"] > RESULTS_LAST
    async with stack.master.connection() as conn:
        reason = f"{faults} questions were not answered" if faults else None
        await BATCHES.record_state(conn, id=batch["id"], state="stored" if is_all or is_old else "ended", reason=reason)
    return usable


async def _store_answer(stack: Stack, batch: dict[str, Any], question: Missing, answer: ClaudeAnswer) -> bool:
    checked, fault = judge(answer, question.answer_type)
    if checked is None:
        log.warning("batch %s: %s: %s", batch["vendor_batch_id"], question.subject, fault)
    async with stack.tenants.open(question.organization) as tenant, tenant.conn.transaction():
        await GENERATIONS.lock_question(tenant.conn, request_hash=question.request.request_hash)
        stored = await store_answer(
            stack,
            tenant,
            question.subject,
            question.request,
            answer,
            usable=checked is not None,
            message_batch_id=batch["id"],
        )
        await settle_spend(tenant, question.reservation_id, answer.cost_usd if stored else Decimal(0))
    return checked is not None


async def _release(stack: Stack, question: Missing) -> None:
    async with stack.tenants.open(question.organization) as tenant:
        await settle_spend(tenant, question.reservation_id, Decimal(0))


async def _open_batches(stack: Stack, wanted: dict[str, Missing]) -> list[dict[str, Any]]:
    async with stack.master.connection() as conn:
        rows = [row async for row in BATCHES.open_batches(conn)]
    return [row for row in rows if not wanted.keys().isdisjoint(row["requests"])]
