"""Message batches: handed in once, fetched whole, and found again after a crash."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.claude import Claude, ClaudeAnswer
from tests.resources.test_claude import PRICES, REQUEST, Summary, Waits
from tests.sandbox_process import Sandbox

ROUTE = "POST /anthropic/v1/messages/batches"
REQUESTS = {f"lead-{n}": replace(REQUEST, content=f"lead {n}") for n in range(3)}


@pytest.fixture
async def claude(sandbox: Sandbox) -> AsyncIterator[Claude]:
    sandbox.settings(claude_batch_seconds=0.2)
    async with Claude(
        base_url=f"{sandbox.url}/anthropic", api_key="sandbox", prices=PRICES, sleep=Waits(), random=lambda: 0.5
    ) as opened:
        yield opened


@pytest.fixture
def started() -> datetime:
    return datetime.now(UTC)


async def ended(claude: Claude, batch_id: str) -> None:
    for _ in range(200):
        if (await claude.batch_status(batch_id)).ended:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the batch did not end within ten seconds")


def batches_made(sandbox: Sandbox) -> int:
    return sum(entry["accepted"] for entry in sandbox.journal("claude") if entry["route"] == ROUTE)


async def test_a_batch_brings_every_answer_at_half_the_price(claude: Claude):
    batch_id = await claude.submit_batch(REQUESTS)
    await ended(claude, batch_id)

    answers = {custom_id: answer async for custom_id, answer in claude.batch_answers(batch_id)}

    assert answers.keys() == REQUESTS.keys()
    for answer in answers.values():
        assert isinstance(answer, ClaudeAnswer)
        Summary.model_validate(answer.parsed)
        assert answer.cost_usd == PRICES.cost_usd(answer.usage, batch=True)
    status = await claude.batch_status(batch_id)
    assert (status.ended, status.total, status.counts["succeeded"]) == (True, 3, 3)


async def test_results_asked_for_too_early_are_transient(claude: Claude, sandbox: Sandbox):
    sandbox.settings(claude_batch_seconds=30.0)
    batch_id = await claude.submit_batch(REQUESTS)

    with pytest.raises(VendorError) as raised:
        _ = [answer async for answer in claude.batch_answers(batch_id)]

    assert raised.value.error_class is ErrorClass.RETRY


@pytest.mark.parametrize(
    "step", [{"kind": "accept_then_drop"}, {"kind": "status", "status": 500}, {"kind": "status", "status": 504}]
)
async def test_a_lost_answer_is_ambiguous_and_not_handed_in_again(
    claude: Claude, sandbox: Sandbox, step: dict[str, object]
):
    sandbox.faults(ROUTE, step)

    with pytest.raises(VendorError) as raised:
        await claude.submit_batch(REQUESTS)

    assert raised.value.error_class is ErrorClass.AMBIGUOUS
    assert batches_made(sandbox) <= 1
    assert len(sandbox.journal("claude")) == 1


async def test_where_nothing_can_have_happened_it_is_handed_in_again(claude: Claude, sandbox: Sandbox):
    sandbox.faults(ROUTE, {"kind": "status", "status": 529}, {"kind": "rate_limit", "retry_after": 1})

    await claude.submit_batch(REQUESTS)

    assert batches_made(sandbox) == 1


async def test_a_lost_batch_is_found_by_its_ids_once_it_has_ended(claude: Claude, sandbox: Sandbox, started: datetime):
    sandbox.faults(ROUTE, {"kind": "accept_then_drop"})
    with pytest.raises(VendorError):
        await claude.submit_batch(REQUESTS)
    other = await claude.submit_batch({f"other-{n}": REQUEST for n in range(3)})
    await ended(claude, other)

    found = await claude.find_batch(started, set(REQUESTS))

    assert found not in (None, other)
    assert {key async for key, _ in claude.batch_answers(str(found))} == set(REQUESTS)


async def test_a_candidate_that_has_not_ended_is_neither_adopted_nor_denied(
    claude: Claude, sandbox: Sandbox, started: datetime
):
    sandbox.settings(claude_batch_seconds=30.0)
    batch_id = await claude.submit_batch(REQUESTS)

    with pytest.raises(VendorError) as raised:
        await claude.find_batch(started, set(REQUESTS))

    error = raised.value
    assert (error.error_class, error.code, error.existing_id) == (ErrorClass.RETRY, "batch_in_progress", batch_id)


async def test_a_batch_that_never_reached_the_vendor_is_surely_none(
    claude: Claude, sandbox: Sandbox, started: datetime
):
    await ended(claude, await claude.submit_batch({"alone": REQUEST}))

    assert await claude.find_batch(started, set(REQUESTS)) is None
    assert await claude.find_batch(datetime.now(UTC) + timedelta(hours=1), {"alone"}) is None


async def test_an_empty_batch_is_refused_before_any_call(claude: Claude, sandbox: Sandbox):
    with pytest.raises(VendorError) as raised:
        await claude.submit_batch({})

    assert raised.value.error_class is ErrorClass.INPUT
    assert sandbox.journal("claude") == []
