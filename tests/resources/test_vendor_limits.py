"""Limits that processes share: together they never exceed a rate, and what one is told all keep."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.postgres import Connection, MasterDb
from draggonnb_pipelines.resources.vendor_limits import BLOCK_SECONDS, LONGEST_HOLD_SECONDS, VendorLimits, rates_of
from draggonnb_pipelines.settings import Settings
from tests.conftest import MASTER_KEYS

PER_MINUTE = 600  # ten a second
TEN_A_SECOND = 0.1


class CountingMaster(MasterDb):
    """The master database, and how often something was asked of it."""

    asked = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        self.asked += 1
        async with super().connection() as conn:
            yield conn


class Clock:
    """A process's monotonic clock, moved by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
async def master(master_dsn: str) -> AsyncIterator[CountingMaster]:
    async with CountingMaster(master_dsn) as opened:
        yield opened


def throttled(vendor: str = "github", seconds: float | None = 30.0, **more: Any) -> VendorError:
    return VendorError(vendor, ErrorClass.THROTTLED, "slowly", status=429, retry_after_seconds=seconds, **more)


def start_worker(dsn: str, callers: int, seconds: float, skew: float = 0.0) -> subprocess.Popen[str]:
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.resources.limits_worker", *map(str, (PER_MINUTE, callers, seconds, skew))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdin
    worker.stdin.write(f"{dsn}\n")
    worker.stdin.close()
    return worker


def calls_of(worker: subprocess.Popen[str]) -> list[float]:
    assert worker.stdout
    with worker.stdout:
        calls = [float(line) for line in worker.stdout]
    worker.wait(timeout=20)
    return calls


def most_in_a_second(calls: list[float]) -> int:
    return max(sum(begin <= at < begin + 1.0 for at in calls) for begin in calls)


def test_processes_with_clocks_that_differ_share_a_rate_evenly_and_exceed_it_in_no_second_by_more_than_a_call_each(
    master_dsn: str,
):
    workers = [start_worker(master_dsn, callers, 5.0, skew) for callers, skew in ((40, 0.0), (5, 1e6), (5, -500.0))]

    each = [calls_of(worker) for worker in workers]

    together = sorted(at for calls in each for at in calls)
    lasted = together[-1] - together[0]
    # A place is used in its own tenth of a second; each process may be held up at the one that it waits for.
    assert most_in_a_second(together) <= 10 + 1 + len(workers)
    assert len(together) <= lasted / TEN_A_SECOND + 2
    assert len(together) >= 0.5 * lasted / TEN_A_SECOND
    assert min(map(len, each[1:])) >= len(together) / 8  # five callers beside forty


async def test_a_killed_process_takes_no_more_than_its_block_with_it(master: CountingMaster):
    killed = start_worker(master.dsn, 50, 600.0)
    assert killed.stdout
    for _ in range(15):  # it is in its second block
        killed.stdout.readline()
    killed.kill()
    killed.wait(timeout=10)
    killed.stdout.close()

    async with master.connection() as conn:
        found = await conn.execute("select extract(epoch from next_at - clock_timestamp())::float from vendor_limits")
        [left] = [value for row in await found.fetchall() for value in row.values()]
    assert left <= BLOCK_SECONDS + TEN_A_SECOND
    await VendorLimits(master, {"claude": PER_MINUTE}).admit("claude", max_wait_seconds=0)


async def test_a_trickle_costs_about_a_statement_a_second(master: CountingMaster):
    limits = VendorLimits(master, {"claude": 3000})
    started = time.monotonic()
    while time.monotonic() - started < 3.0:
        await limits.admit("claude", max_wait_seconds=1)
        await asyncio.sleep(0.05)

    # Doubling to a whole block takes five; and one that reads silences.
    assert master.asked <= 5 + 3 + 2


async def test_a_vendor_without_a_rate_costs_nothing_but_a_look_at_silences_now_and_then(master: CountingMaster):
    clock = Clock()
    limits = VendorLimits(master, {}, monotonic=clock)

    for _ in range(100):
        await limits.admit("facebook", max_wait_seconds=1)
    assert master.asked == 0

    for _ in range(100):
        await limits.admit("github", max_wait_seconds=1)
    assert master.asked == 1
    clock.at += 5.0
    await limits.admit("github", max_wait_seconds=1)
    assert master.asked == 2


async def test_what_one_process_is_told_holds_the_others_back_and_no_other_vendor(master: CountingMaster):
    clock = Clock()
    told, other = VendorLimits(master, {}), VendorLimits(master, {}, monotonic=clock)
    await other.admit("github", max_wait_seconds=1)

    await told.note(throttled())
    clock.at += 5.0

    for limits in (told, other, VendorLimits(master, {"github": 6000})):
        with pytest.raises(VendorError) as raised:
            await limits.admit("github", max_wait_seconds=1)
        error = raised.value
        assert (error.vendor, error.error_class) == ("github", ErrorClass.THROTTLED)
        assert 28 < (error.retry_after_seconds or 0) <= 30
        await limits.admit("vercel", max_wait_seconds=0)


async def test_a_short_silence_is_waited_for_by_those_who_have_places_too(master: CountingMaster):
    limits = VendorLimits(master, {"github": 6000}, randomness=lambda: 0.0)
    await limits.admit("github", max_wait_seconds=1)
    await VendorLimits(master, {}).note(throttled(seconds=0.7))
    started = time.monotonic()

    await asyncio.gather(*(limits.admit("github", max_wait_seconds=2) for _ in range(5)))

    # What was taken before, a hundredth of a second's worth, may be used; the next is not given.
    assert 0.6 < time.monotonic() - started < 5.0


async def test_a_longer_silence_is_not_ended_by_a_shorter_one_and_none_lasts_for_ever(master: CountingMaster):
    limits = VendorLimits(master, {})
    for seconds in (30.0, 5.0):
        await limits.note(throttled(seconds=seconds))
    await limits.note(throttled("vercel", 1e9))

    async with master.connection() as conn:
        found = await conn.execute(
            "select vendor, extract(epoch from held_until - clock_timestamp())::float as seconds from vendor_limits"
        )
        left = {row["vendor"]: row["seconds"] for row in await found.fetchall()}
    assert left.keys() == {"github", "vercel"}
    assert 28 < left["github"] <= 30
    assert LONGEST_HOLD_SECONDS - 2 < left["vercel"] <= LONGEST_HOLD_SECONDS


@pytest.mark.parametrize(
    "error",
    [
        throttled(seconds=None),
        throttled(seconds=0.0),
        throttled(seconds=-5.0),
        throttled("facebook"),  # perhaps one account's
        throttled("whatsapp"),
        VendorError("github", ErrorClass.RETRY, "later", status=503, retry_after_seconds=9.0),
        VendorError("github", ErrorClass.AUTH, "no", status=401, retry_after_seconds=9.0),
    ],
    ids=lambda error: f"{error.vendor} {error.status} {error.retry_after_seconds}",
)
async def test_other_refusals_silence_nobody(master: CountingMaster, error: VendorError):
    limits = VendorLimits(master, {})

    await limits.note(error)
    await limits.admit(error.vendor, max_wait_seconds=0)

    async with master.connection() as conn:
        assert await (await conn.execute("select 1 from vendor_limits")).fetchall() == []


async def test_an_overload_that_says_for_how_long_is_silence_too(master: CountingMaster):
    overload = VendorError("claude", ErrorClass.RETRY, "overloaded", status=529, retry_after_seconds=9.0)
    await VendorLimits(master, {}).note(overload)

    with pytest.raises(VendorError):
        await VendorLimits(master, {}).admit("claude", max_wait_seconds=1)


async def test_without_the_master_a_paced_call_is_not_made_and_the_others_are(master_dsn: str):
    async with MasterDb(master_dsn) as closed:
        pass
    limits = VendorLimits(closed, {"claude": 60})

    await limits.admit("github", max_wait_seconds=0)
    await limits.note(throttled())
    with pytest.raises(VendorError) as raised:
        await limits.admit("claude", max_wait_seconds=0)

    assert raised.value.error_class is ErrorClass.RETRY


async def test_while_the_master_hangs_one_look_at_silences_is_enough_for_all_who_wait_for_it(master_dsn: str):
    clock = Clock()

    class HangingMaster(CountingMaster):
        @asynccontextmanager
        async def connection(self) -> AsyncIterator[Connection]:
            clock.at += 15.0
            async with super().connection() as conn:
                yield conn

    async with HangingMaster(master_dsn) as master:
        limits = VendorLimits(master, {}, monotonic=clock)

        await asyncio.gather(*(limits.admit("github", max_wait_seconds=0) for _ in range(5)))

        assert master.asked == 1


def test_real_vendors_are_paced_below_what_they_state_and_claude_as_it_is_set():
    def settings(**given: Any) -> Settings:
        keys = SecretStr(MASTER_KEYS)
        return Settings(_env_file=None, master_keys=keys, **given)  # pyright: ignore[reportCallIssue]

    assert rates_of(settings()) == {}
    assert rates_of(settings(claude_requests_per_minute=50, github_token=SecretStr("ghp_x"), github_owner="x")) == {
        "claude": 50,
        "github": 75,
    }
