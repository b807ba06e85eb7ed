"""The whole system publishes, and Dagster's run workers are killed while calls are in flight: each post appears once.

The agenda, the sensor and the daemon must start the next run by themselves. The small version is part of `make test`;
`make chaos` runs the full one. Not here: kills by the hundred, and of everything else (`test_publish_kills.py`).
"""

import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import Iterator

import psutil
import pytest
from rich.console import Console

from tests.stories.killer import is_run_worker
from tests.stories.publish_chaos import phase_of
from tests.stories.publish_ledger import judge
from tests.stories.publish_system import OUTSIDER, finish, world_in
from tests.stories.publish_world import SETTLE_SECONDS, World
from tests.stories.system import System, running_system

SLUGS = tuple(f"c{number:02}-roastery" for number in range(1, 6))
LATENCY_SECONDS = 0.5
CALL_SECONDS = 40.0  # for a run to start and come to its calls
console = Console()


@pytest.fixture
def fresh_system(postgres_dsn: str) -> Iterator[System]:
    with running_system(postgres_dsn, DRAGGONNB_PUBLISH_SETTLE_SECONDS=str(SETTLE_SECONDS)) as running:
        yield running


@pytest.mark.timeout(300)
def test_two_kills_of_publishing_runs_neither_lose_nor_double_a_post(fresh_system: System) -> None:
    _killed_at_random(fresh_system, kills=2, posts_per_kill=30)


@pytest.mark.kill
@pytest.mark.timeout(1800)
def test_twenty_kills_of_publishing_runs_neither_lose_nor_double_a_post(fresh_system: System) -> None:
    _killed_at_random(fresh_system, kills=20, posts_per_kill=25)


def _killed_at_random(system: System, *, kills: int, posts_per_kill: int) -> None:
    seed = int(os.environ.get("DRAGGONNB_KILL_SEED") or time.time())
    console.print(f"\nDRAGGONNB_KILL_SEED={seed}")
    chance, killed = random.Random(seed), Counter[str]()
    world = world_in(system, SLUGS, latency_seconds=LATENCY_SECONDS)
    untouched = system.table_counts(OUTSIDER)
    started = time.monotonic()

    for _ in range(kills):
        for number in range(posts_per_kill):
            world.approve(SLUGS[number % len(SLUGS)])
        phase = _kill_a_run(system, world, chance)
        killed[phase] += 1
        console.print(f"{time.monotonic() - started:6.1f} s  kill {killed.total():2}  {phase}")
    finish(world, SLUGS)

    ledger = judge(world)
    console.print({**killed, **ledger.rows, **ledger.steps, "seconds": round(time.monotonic() - started)})
    assert (ledger.lost, ledger.doubled, ledger.strange, ledger.odd, ledger.usage) == ([], [], [], [], [])
    assert ledger.rows == {"published": len(world.expected)}
    assert killed.total() == kills
    assert world.posts == kills * posts_per_kill
    assert system.table_counts(OUTSIDER) == untouched


def _kill_a_run(system: System, world: World, chance: random.Random) -> str:
    """Wait until a run has calls in flight, let it go on for a moment, and kill it where it is."""
    deadline = time.monotonic() + CALL_SECONDS
    while time.monotonic() < deadline:
        if world.states(SLUGS)["calling"]:
            time.sleep(chance.uniform(0, LATENCY_SECONDS))
            workers = [child for child in _children(system) if is_run_worker(child)]
            for worker in workers:
                worker.suspend()
            phase = phase_of(world.states(SLUGS))
            for worker in workers:
                worker.kill()
            if workers:
                return phase
        time.sleep(0.05)
    raise AssertionError(f"no run came to its calls: {world.states(SLUGS)}")


def _children(system: System) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(system.process_id("code server")).children()
    return []
