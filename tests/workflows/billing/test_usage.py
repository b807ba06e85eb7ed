"""Places of a plan's limit: never more than there are, however many ask at once, and none lost by a killed holder."""

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.usage import Reserved, commit, release, reserve
from tests.conftest import MASTER_KEYS
from tests.workflows.conftest import World
from tests.workflows.lead_work import count, master_rows, tenant_rows, variant
from tests.workflows.usage_worker import GATE

POSTS = "posts_monthly"
NOVEMBER = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
COUNTERS = "select period_start::text, used, reserved, limit_value from usage_counters order by metric, period_start"


@pytest.fixture
async def ten_posts(stack: Stack, agency: Organization) -> Stack:
    """A plan that allows ten posts a month, and two accounts."""
    await master_rows(stack, "insert into plans (key, name, position) values ('ten', 'Ten', 99) on conflict do nothing")
    await master_rows(
        stack,
        "insert into plan_limits (plan_key, metric, effective_from, limit_value) values"
        " ('ten', 'posts_monthly', '2026-01-01', 10), ('ten', 'social_accounts', '2026-01-01', 2)"
        " on conflict do nothing",
    )
    await master_rows(stack, "update organizations set plan_key = 'ten' where id = %s", agency.id)
    return stack


@pytest.fixture(autouse=True)
def no_plan_afterwards(world: World) -> Iterator[None]:
    """The master database is shared by all tests of the workflows."""
    yield
    with psycopg.connect(world.dsn) as conn:
        conn.execute("update organizations set plan_key = null")
        conn.execute("delete from plan_limits where plan_key = 'ten'")
        conn.execute("delete from plans where key = 'ten'")


async def ask(
    stack: Stack, organization: Organization, *keys: str, metric: str = POSTS, at: datetime = NOVEMBER
) -> Reserved:
    async with stack.tenants.open(organization) as tenant:
        return await reserve(stack, tenant, metric, keys, at=at, expires_at=stack.now() + timedelta(minutes=15))


async def settle(stack: Stack, organization: Organization, verb: Any, *keys: str, metric: str = POSTS) -> None:
    async with stack.tenants.open(organization) as tenant:
        await verb(tenant, metric, keys)


async def counters(stack: Stack, organization: Organization) -> list[tuple[str, int, int, int | None]]:
    """Per period: its first day, used, reserved, limit."""
    rows = await tenant_rows(stack, organization, COUNTERS)
    return [(row["period_start"], row["used"], row["reserved"], row["limit_value"]) for row in rows]


@contextlib.contextmanager
def workers(world: World, stack: Stack, *shares: Sequence[str], seconds: float) -> Iterator[list[Any]]:
    """Processes that reserve, one for each share of keys, waiting at the gate together until it opens."""
    agency = dsn_for(world.dsn, str(world.agency.database_name))
    environment = os.environ | {
        "DRAGGONNB_MASTER_DSN": world.dsn,
        "DRAGGONNB_MASTER_KEYS": MASTER_KEYS,
        "DRAGGONNB_SANDBOX_PORT": str(stack.settings.sandbox_port),
        "DRAGGONNB_TENANT_CONNECTIONS": "100",
    }
    command = [sys.executable, "-m", "tests.workflows.usage_worker", world.agency.slug, POSTS, str(seconds)]
    running = []
    try:
        with psycopg.connect(agency, autocommit=True) as gate:
            gate.execute("select pg_advisory_lock(%s)", (GATE,))
            for keys in shares:
                running.append(subprocess.Popen([*command, *keys], env=environment, stdout=subprocess.PIPE, text=True))
            _wait_at_gate(gate, sum(map(len, shares)))
        yield running
    finally:
        for process in running:
            process.kill()
            process.communicate(timeout=10)


def _wait_at_gate(gate: psycopg.Connection, wanted: int) -> None:
    deadline, found = time.monotonic() + 60, 0
    waiting = "select count(*) from pg_locks where locktype = 'advisory' and objid = %s and not granted"
    while time.monotonic() < deadline:
        [(found,)] = gate.execute(waiting, (GATE,)).fetchall()
        if found == wanted:
            return
        time.sleep(0.05)
    raise AssertionError(f"only {found} of {wanted} workers came to the gate")


async def test_of_fifty_workers_on_fifty_connections_exactly_ten_pass(
    ten_posts: Stack, world: World, agency: Organization, outsider: Organization
) -> None:
    shares = [[f"post-{process}-{number}" for number in range(10)] for process in range(5)]

    with workers(world, ten_posts, *shares, seconds=600) as running:
        granted = [key for process in running for key in json.loads(process.stdout.readline())]

    assert len(granted) == len(set(granted)) == 10
    [(_, used, reserved, limit)] = await counters(ten_posts, agency)
    assert (used, reserved, limit) == (0, 10, 10)
    held = await tenant_rows(ten_posts, agency, "select key, state, amount from usage_reservations order by key")
    assert held == [{"key": f"posts_monthly:{key}", "state": "held", "amount": 1} for key in sorted(granted)]
    assert await count(ten_posts, outsider, "usage_counters", "usage_reservations") == {
        "usage_counters": 0,
        "usage_reservations": 0,
    }


async def test_fifty_workers_that_ask_for_the_same_post_hold_one_place(
    ten_posts: Stack, world: World, agency: Organization
) -> None:
    shares = [["post-1"] * 25] * 2

    with workers(world, ten_posts, *shares, seconds=600) as running:
        granted = [json.loads(process.stdout.readline()) for process in running]

    assert granted == [["post-1"]] * 2
    assert [row[1:] for row in await counters(ten_posts, agency)] == [(0, 1, 10)]


async def test_reserving_committing_and_releasing_the_same_keys_at_once_keeps_the_books_balanced(
    ten_posts: Stack, agency: Organization
) -> None:
    chance = random.Random(20261123)
    keys = [f"post-{number}" for number in range(12)]

    async def work() -> None:
        for _ in range(20):
            some = chance.sample(keys, 6)
            at = chance.choice([NOVEMBER, NOVEMBER + timedelta(days=31)])
            await ask(ten_posts, agency, *some, at=at)
            await settle(ten_posts, agency, chance.choice([commit, release, release]), *some[:4])

    await asyncio.gather(*(work() for _ in range(5)))

    sums = (
        "select period_start::text, coalesce(sum(amount) filter (where state = 'committed'), 0)::int as used,"
        " coalesce(sum(amount) filter (where state = 'held'), 0)::int as reserved, 10 as limit_value"
        " from usage_reservations group by 1 order by 1"
    )
    held = [tuple(row.values()) for row in await tenant_rows(ten_posts, agency, sums)]
    assert await counters(ten_posts, agency) == held


async def test_the_places_of_a_killed_holder_are_free_once_its_reservation_is_over(
    ten_posts: Stack, world: World, agency: Organization
) -> None:
    keys = [f"post-{number}" for number in range(10)]
    with workers(world, ten_posts, keys, seconds=3) as [holder]:
        assert json.loads(holder.stdout.readline()) == sorted(keys)
        holder.kill()
        assert holder.wait(10) == -9
    now = ten_posts.now()

    early = await ask(ten_posts, agency, "another", at=now)
    later = variant(ten_posts, now=lambda: now + timedelta(seconds=4))
    late = await ask(later, agency, "another", at=now)

    assert early == Reserved(frozenset(), 10, 10)
    assert late == Reserved(frozenset({"another"}), 10, 1)
    assert [row[1:] for row in await counters(ten_posts, agency)] == [(0, 1, 10)]


async def test_what_there_is_room_for_goes_to_the_first_that_were_asked_for(
    ten_posts: Stack, agency: Organization
) -> None:
    await ask(ten_posts, agency, *(f"a-{number}" for number in range(7)))

    reserved = await ask(ten_posts, agency, "b-9", "a-3", "b-1", "b-1", "b-5", "b-0")

    assert reserved == Reserved(frozenset({"a-3", "b-9", "b-1", "b-5"}), 10, 10)
    assert await counters(ten_posts, agency) == [("2026-11-01", 0, 10, 10)]


async def test_a_key_that_is_committed_twice_counts_once_and_is_never_asked_for_again(
    ten_posts: Stack, agency: Organization
) -> None:
    await ask(ten_posts, agency, "post-1", "post-2")

    await settle(ten_posts, agency, commit, "post-1", "never-reserved")
    await settle(ten_posts, agency, commit, "post-1", "post-1")
    again = await ask(ten_posts, agency, "post-1")

    assert again == Reserved(frozenset({"post-1"}), 10, 2)
    assert await counters(ten_posts, agency) == [("2026-11-01", 1, 1, 10)]


async def test_a_released_place_is_free_and_a_used_one_stays_used(ten_posts: Stack, agency: Organization) -> None:
    await ask(ten_posts, agency, "post-1", "post-2")
    await settle(ten_posts, agency, commit, "post-1")

    await settle(ten_posts, agency, release, "post-1", "post-2")
    await settle(ten_posts, agency, release, "post-2")

    assert await counters(ten_posts, agency) == [("2026-11-01", 1, 0, 10)]
    assert (await ask(ten_posts, agency, "post-2")).used == 2


async def test_work_that_outlived_its_reservation_is_counted_all_the_same(
    ten_posts: Stack, agency: Organization
) -> None:
    await ask(ten_posts, agency, "slow")
    later = variant(ten_posts, now=lambda: datetime.now(UTC) + timedelta(hours=1))
    await ask(later, agency, *(f"fast-{number}" for number in range(10)))

    await settle(ten_posts, agency, commit, "slow")

    assert await counters(ten_posts, agency) == [("2026-11-01", 1, 10, 10)]
    assert await ask(ten_posts, agency, "one-more") == Reserved(frozenset(), 10, 11)


async def test_the_month_begins_at_midnight_of_the_organizations_zone(ten_posts: Stack, agency: Organization) -> None:
    last_of_november = datetime(2026, 11, 30, 21, 59, 59, tzinfo=UTC)  # 23:59:59 in Johannesburg
    tokyo = replace(agency, timezone="Asia/Tokyo")

    await ask(ten_posts, agency, "late", at=last_of_november)
    await ask(ten_posts, agency, "new-year", at=datetime(2026, 12, 31, 22, 0, tzinfo=UTC))
    await ask(ten_posts, agency, "early", at=last_of_november + timedelta(seconds=1))
    await ask(ten_posts, tokyo, "tokyo", at=last_of_november)

    assert await counters(ten_posts, agency) == [
        ("2026-11-01", 0, 1, 10),
        ("2026-12-01", 0, 2, 10),
        ("2027-01-01", 0, 1, 10),
    ]


async def test_the_limit_is_the_one_that_the_plan_has_on_that_day(ten_posts: Stack, agency: Organization) -> None:
    await master_rows(
        ten_posts,
        "insert into plan_limits (plan_key, metric, effective_from, limit_value) values"
        " ('ten', 'posts_monthly', '2026-12-01', 1), ('ten', 'posts_monthly', '2027-01-01', null)",
    )
    keys = ["post-1", "post-2"]

    november = await ask(ten_posts, agency, *keys)
    december = await ask(ten_posts, agency, "post-3", "post-4", at=datetime(2026, 12, 5, tzinfo=UTC))
    january = await ask(ten_posts, agency, "post-5", "post-6", at=datetime(2027, 1, 5, tzinfo=UTC))

    assert november == Reserved(frozenset(keys), 10, 2)
    assert december == Reserved(frozenset({"post-3"}), 1, 1)
    assert january == Reserved(frozenset({"post-5", "post-6"}), None, 2)


async def test_without_a_plan_nothing_is_limited_and_everything_counted(stack: Stack, agency: Organization) -> None:
    keys = [f"post-{number}" for number in range(100)]

    assert await ask(stack, agency, *keys) == Reserved(frozenset(keys), None, 100)
    assert await ask(stack, agency) == Reserved(frozenset(), None, 100)


async def test_one_post_holds_a_place_in_each_metric(ten_posts: Stack, agency: Organization) -> None:
    posts = await ask(ten_posts, agency, "post-1")
    generations = await ask(ten_posts, agency, "post-1", metric="ai_generations")

    assert posts == Reserved(frozenset({"post-1"}), 10, 1)
    assert generations == Reserved(frozenset({"post-1"}), None, 1)


async def test_what_lasts_counts_in_every_month_until_it_is_given_back(ten_posts: Stack, agency: Organization) -> None:
    accounts: dict[str, Any] = {"metric": "social_accounts"}
    await ask(ten_posts, agency, "a", "b", **accounts)
    await settle(ten_posts, agency, commit, "a", "b", **accounts)
    next_year = NOVEMBER + timedelta(days=365)

    full = await ask(ten_posts, agency, "c", at=next_year, **accounts)
    await settle(ten_posts, agency, release, "a", **accounts)
    free = await ask(ten_posts, agency, "c", at=next_year, **accounts)

    assert full == Reserved(frozenset(), 2, 2)
    assert free == Reserved(frozenset({"c"}), 2, 2)
    assert await counters(ten_posts, agency) == [("2000-01-01", 1, 1, 2)]
