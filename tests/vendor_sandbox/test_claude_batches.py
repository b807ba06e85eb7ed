"""Message batches of the sandbox, seen through the vendor's own SDK."""

import asyncio
import json
from typing import Any

import anthropic
import pytest

from tests.sandbox_process import Sandbox
from tests.vendor_sandbox.claude_calls import claude, message, prompt


def requests(*names: str) -> list[Any]:
    return [{"custom_id": name, "params": message(prompt(extra=name))} for name in names]


async def test_a_batch_ends_and_its_results_are_found_by_custom_id(sandbox: Sandbox) -> None:
    sandbox.settings(claude_batch_seconds=0.3)
    names = [f"lead-{number}" for number in range(8)]

    async with claude(sandbox) as client:
        made = await client.messages.batches.create(requests=requests(*names))
        with pytest.raises(anthropic.AnthropicError):
            await client.messages.batches.results(made.id)
        await asyncio.sleep(0.35)
        ended = await client.messages.batches.retrieve(made.id)
        results = [entry async for entry in await client.messages.batches.results(made.id)]

    assert (made.processing_status, made.request_counts.processing, made.results_url) == ("in_progress", 8, None)
    assert (ended.processing_status, ended.request_counts.succeeded) == ("ended", 8)
    assert sorted(entry.custom_id for entry in results) == names
    assert [entry.custom_id for entry in results] != names
    for entry in results:
        assert entry.result.type == "succeeded"
        block = entry.result.message.content[-1]
        assert block.type == "text"
        assert "quick_win_1" in json.loads(block.text)
        assert entry.result.message.usage.service_tier == "batch"


async def test_requests_fail_one_by_one_and_the_others_succeed(sandbox: Sandbox) -> None:
    sandbox.settings(claude_batch_seconds=0.0)
    sandbox.faults(
        "BATCH /anthropic/v1/messages",
        {"kind": "errored", "match": "lead-b"},
        {"kind": "expired", "match": "lead-c"},
        {"kind": "truncated", "match": "lead-d"},
    )
    wrong: Any = {"custom_id": "wrong", "params": message() | {"temperature": 1}}

    async with claude(sandbox) as client:
        made = await client.messages.batches.create(requests=[*requests("lead-a", "lead-b", "lead-c", "lead-d"), wrong])
        results = {entry.custom_id: entry.result async for entry in await client.messages.batches.results(made.id)}

    kinds = {name: result.type for name, result in results.items()}
    assert kinds == {
        "lead-a": "succeeded",
        "lead-b": "errored",
        "lead-c": "expired",
        "lead-d": "succeeded",
        "wrong": "errored",
    }
    truncated, errored = results["lead-d"], results["wrong"]
    assert truncated.type == "succeeded"
    assert truncated.message.stop_reason == "max_tokens"
    assert errored.type == "errored"
    assert errored.error.error.message == "temperature: Extra inputs are not permitted"


async def test_batches_are_listed_newest_first_and_paged(sandbox: Sandbox) -> None:
    async with claude(sandbox) as client:
        made = [(await client.messages.batches.create(requests=requests("one"))).id for _ in range(5)]
        page = await client.messages.batches.list(limit=2)
        everything = [batch.id async for batch in client.messages.batches.list(limit=2)]
        newer = await client.messages.batches.list(limit=2, before_id=made[1])

    assert [batch.id for batch in page.data] == [made[4], made[3]]
    assert everything == made[::-1]
    assert [batch.id for batch in newer.data] == [made[3], made[2]]


async def test_a_cancelled_batch_ends_with_cancelled_requests(sandbox: Sandbox) -> None:
    sandbox.settings(claude_batch_seconds=0.2)

    async with claude(sandbox) as client:
        made = await client.messages.batches.create(requests=requests("one", "two"))
        cancelling = await client.messages.batches.cancel(made.id)
        await asyncio.sleep(0.25)
        ended = await client.messages.batches.retrieve(made.id)

    assert cancelling.processing_status == "canceling"
    assert (ended.processing_status, ended.request_counts.canceled) == ("ended", 2)


@pytest.mark.parametrize("names", [("twice", "twice"), ("not allowed",), ()])
async def test_a_batch_with_wrong_custom_ids_is_refused_whole(sandbox: Sandbox, names: tuple[str, ...]) -> None:
    async with claude(sandbox) as client:
        with pytest.raises(anthropic.BadRequestError):
            await client.messages.batches.create(requests=requests(*names))
        listed = await client.messages.batches.list()

    assert listed.data == []
