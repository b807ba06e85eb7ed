"""The silence that a vendor asks for, at the doors: what one process was told keeps the others from asking."""

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.claude import Claude
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.resources.vendor_limits import LONGEST_HOLD_SECONDS, VendorLimits
from tests.resources.provisioning_clients import github
from tests.resources.raw_server import answer, raw_server, replies
from tests.resources.test_claude import PRICES, REQUEST, Waits
from tests.resources.test_vendor_limits import Clock, throttled
from tests.sandbox_process import Sandbox


async def test_what_claude_answers_one_process_keeps_the_others_from_asking(master: MasterDb, sandbox: Sandbox):
    waits = Waits()
    sandbox.settings(claude_latency_seconds=0.0)
    url = f"{sandbox.url}/anthropic"
    sandbox.faults("POST /anthropic/v1/messages", {"kind": "rate_limit", "retry_after": 86400})
    one, other = (VendorLimits(master, {}) for _ in range(2))

    async with Claude(base_url=url, api_key="sandbox", prices=PRICES, sleep=waits, limits=one) as claude:
        with pytest.raises(VendorError):
            await claude.ask(REQUEST)
    async with Claude(base_url=url, api_key="sandbox", prices=PRICES, sleep=waits, limits=other) as claude:
        with pytest.raises(VendorError) as raised:
            await claude.ask(REQUEST)

    assert raised.value.error_class is ErrorClass.THROTTLED
    assert LONGEST_HOLD_SECONDS - 5 < (raised.value.retry_after_seconds or 0) <= LONGEST_HOLD_SECONDS
    assert len(sandbox.journal("claude")) == 1


async def test_a_silence_that_an_operator_ends_is_over_though_it_was_asked_in_vain_meanwhile(
    master: MasterDb, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
):
    clock = Clock()
    sandbox.settings(claude_latency_seconds=0.0)
    await VendorLimits(master, {}).note(throttled("claude", 3600.0))
    limits = VendorLimits(master, {}, monotonic=clock)
    caplog.clear()
    async with Claude(base_url=f"{sandbox.url}/anthropic", api_key="sandbox", prices=PRICES, limits=limits) as claude:
        with pytest.raises(VendorError):
            await claude.ask(REQUEST)
        async with master.connection() as conn:
            await conn.execute("delete from vendor_limits where vendor = 'claude'")
        clock.at += 4.0
        with pytest.raises(VendorError) as raised:  # as this process knew it four seconds ago
            await claude.ask(REQUEST)
        assert sandbox.journal("claude") == []
        clock.at += 1.0

        answered = await claude.ask(REQUEST)

    assert answered.parsed is not None
    assert raised.value.error_class is ErrorClass.THROTTLED
    assert "silence" not in caplog.text
    async with master.connection() as conn:
        assert await (await conn.execute("select 1 from vendor_limits")).fetchall() == []


async def test_githubs_refusal_of_one_door_keeps_the_others_shut(master: MasterDb):
    refusal = answer(429, b'{"message": "Too many"}', retry_after="600")
    async with raw_server(replies(refusal, answer(200, b"{}"))) as server:
        for _ in range(2):
            async with HttpDoor(user_agent="test", limits=VendorLimits(master, {})) as door:
                with pytest.raises(VendorError) as raised:
                    await github(door, server.url).set_topics("draggonnb", "x", {"org-7"})
            assert raised.value.error_class is ErrorClass.THROTTLED
            assert 595 < (raised.value.retry_after_seconds or 0) <= 600

    assert len(server.seen) == 1
