"""Two warm workers on a real broker, one of which is killed as a whole while it works: nothing is lost or doubled.

`make test-celery` runs it. Not here: how one run shows that it lives (tests/warm_workers).
"""

import time
from collections import Counter
from collections.abc import Iterator

import pytest
from rich.console import Console

from tests.stories.lead_ledger import count_leads, inbox_states
from tests.stories.publish_ledger import judge
from tests.stories.publish_system import OUTSIDER, finish, world_in
from tests.stories.publish_world import SETTLE_SECONDS
from tests.stories.system import System, company_of, running_system
from tests.stories.warm_workers import (
    SECOND,
    WORKER,
    add_worker,
    kill_worker,
    locks_held,
    redis_broker,
    runs_of,
    wait_for_workers,
)

pytestmark = pytest.mark.celery
SLUGS = ("c01-roastery", "c02-roastery", "c03-roastery")
LEADS, POSTS = 8, 10
CLAUDE_SECONDS, CALL_SECONDS = 1.0, 0.5
TOLD_SECONDS = 60.0
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
console = Console()


@pytest.fixture
def system(postgres_dsn: str) -> Iterator[System]:
    """Two workers; each client in a shard of its own, so that there are runs for both."""
    settle = {"DRAGGONNB_PUBLISH_SETTLE_SECONDS": str(SETTLE_SECONDS), "DRAGGONNB_SHARDS": "3"}
    with redis_broker() as broker, running_system(postgres_dsn, DRAGGONNB_CELERY_BROKER=broker, **settle) as running:
        add_worker(running)
        wait_for_workers(running, WORKER, SECOND)
        yield running


@pytest.mark.timeout(900)
def test_a_whole_worker_that_is_killed_loses_and_doubles_nothing_and_its_runs_are_told_within_a_minute(system: System):
    world = world_in(system, SLUGS, latency_seconds=CALL_SECONDS)
    system.sandbox.settings(claude_latency_seconds=CLAUDE_SECONDS)
    untouched = system.table_counts(OUTSIDER)
    for number in range(LEADS):
        for slug in SLUGS:
            assert system.post_lead(slug, company_of(slug, number), f"{slug}-{number}").status_code == 202
    for slug in SLUGS * POSTS:
        world.approve(slug)
    victim = _who_has_leads_and_others(system)

    cut_off = kill_worker(system, victim)
    killed = time.monotonic()
    system.wait_until("the cut off runs are told as failed", lambda: not _open(system, cut_off), seconds=TOLD_SECONDS)
    told_seconds = time.monotonic() - killed
    finish(world, SLUGS)
    system.wait_until("all leads are done", lambda: set(inbox_states(system)) == {"done"}, seconds=120)

    console.print({"victim": victim, "cut off": Counter(cut_off.values()), "told after": round(told_seconds, 1)})
    console.print(Counter((row["job"], row["status"]) for row in _runs(system)))
    assert {row["run_id"] for row in _runs(system) if row["status"] != "SUCCESS"} == set(cut_off)
    posts = judge(world)
    assert (posts.lost, posts.doubled, posts.strange, posts.odd, posts.usage) == ([], [], [], [], [])
    assert posts.rows == {"published": len(world.expected)}
    leads = count_leads(system, list(SLUGS))
    assert inbox_states(system) == {"done": LEADS * len(SLUGS)}
    assert (leads.odd, leads.leads) == ([], {"whole": LEADS * len(SLUGS)})
    assert leads.figures["messages on WhatsApp"] == LEADS * len(SLUGS)
    assert leads.figures["mails in the mailbox"] == LEADS * len(SLUGS)
    assert system.table_counts(OUTSIDER) == untouched
    system.wait_until("nothing is under way", lambda: locks_held(system) == 0, seconds=60)
    assert _began_twice(system) == []


def _who_has_leads_and_others(system: System) -> str:
    """The worker that executes a run with leads in hand, as soon as some of it is done."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        [row] = system.master("select count(*) as n from inbox where state = 'claimed' and stage >= 1")
        for name in (WORKER, SECOND):
            if row["n"] and "qualify_leads" in runs_of(system, name).values():
                return name
        time.sleep(0.1)
    raise AssertionError(f"no worker came to its leads: {inbox_states(system)}, {_runs(system)}")


def _open(system: System, run_ids: dict[str, str]) -> list[str]:
    return [row["run_id"] for row in _runs(system) if row["run_id"] in run_ids and row["status"] not in ENDED]


def _runs(system: System) -> list[dict[str, str]]:
    return system.dagster("select run_id, pipeline_name as job, status from runs")


def _began_twice(system: System) -> list[dict[str, str]]:
    began = "dagster_event_type = 'PIPELINE_START'"
    return system.dagster(f"select run_id from event_logs where {began} group by 1 having count(*) > 1")
