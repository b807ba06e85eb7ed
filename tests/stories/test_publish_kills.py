"""Publishers, the database server and the networks' connections are killed again and again: each post appears once.

The small version is part of `make test`; `make chaos` runs the full one. What is random is seeded and printed.
"""

import os
import random
import time
from dataclasses import dataclass

import pytest
from rich.console import Console
from rich.table import Table

from tests.stories.publish_chaos import MODES, Chaos, victims
from tests.stories.publish_crew import Crew
from tests.stories.publish_ledger import Ledger, judge
from tests.stories.publish_world import OUTSIDER, World, publishing_world

LATENCY_SECONDS = 0.2
LAG_SECONDS = 0.5
TRACES = """
select (select count(*) from content_queue) + (select count(*) from publish_attempts)
     + (select count(*) from usage_counters where metric = 'posts_monthly') as traces
"""
console = Console()


@dataclass(frozen=True)
class Campaign:
    """How much is published, and how often something is killed meanwhile. A fourth of it in each mode."""

    clients: int
    kills: int
    posts_per_kill: int
    end_seconds: float

    @property
    def posts(self) -> int:
        return self.kills * self.posts_per_kill


SMALL = Campaign(clients=8, kills=8, posts_per_kill=25, end_seconds=120)
FULL = Campaign(clients=40, kills=100, posts_per_kill=20, end_seconds=300)


@pytest.mark.timeout(300)
def test_eight_kills_neither_lose_nor_double_any_of_two_hundred_posts() -> None:
    _killed_at_random(SMALL)


@pytest.mark.kill
@pytest.mark.timeout(1800)
def test_a_hundred_kills_neither_lose_nor_double_any_of_two_thousand_posts() -> None:
    _killed_at_random(FULL)


def _killed_at_random(campaign: Campaign) -> None:
    seed = int(os.environ.get("DRAGGONNB_KILL_SEED") or time.time())
    console.print(f"\nDRAGGONNB_KILL_SEED={seed}")
    chance = random.Random(seed)
    with publishing_world(campaign.clients) as world:
        world.sandbox.settings(social_latency_seconds=LATENCY_SECONDS, social_lag_seconds=LAG_SECONDS)
        chaos, crew = Chaos(world, chance, console.print), Crew(world)
        started = time.monotonic()
        try:
            for number, victim in enumerate(victims(chance, campaign.kills)):
                mode = MODES[number * len(MODES) // campaign.kills]
                world.sandbox.settings(social_refuses_duplicates=mode.refuses_duplicates)
                chaos.step(crew, mode, victim, campaign.posts_per_kill)
            killed_seconds = time.monotonic() - started
            chaos.finish(crew, campaign.end_seconds)
        finally:
            crew.dismiss()

        ledger = judge(world)
        _print(world, chaos, ledger, killed_seconds, time.monotonic() - started)
        assert ledger.lost == []
        assert ledger.doubled == []
        assert ledger.strange == []
        assert ledger.odd == []
        assert ledger.rows == {"published": len(world.expected)}
        assert ledger.usage == []
        assert world.ask(OUTSIDER, (TRACES, None)) == [{"traces": 0}]
        assert crew.ended == []
        assert chaos.kills.total() == campaign.kills
        assert world.posts == campaign.posts


def _print(world: World, chaos: Chaos, ledger: Ledger, killed_seconds: float, seconds: float) -> None:
    lines = {
        **{f"kills of {victim}: {phase}": n for (victim, phase), n in sorted(chaos.kills.items())},
        "jumps of the database's clock": chaos.jumps,
        **{f"fault {kind}": n for kind, n in sorted(ledger.faults.items())},
        "clients": len(world.clients),
        "posts approved": world.posts,
        "posts, replies and comments asked for": ledger.expected,
        "seen by the public": ledger.public,
        "lost": len(ledger.lost),
        "doubled": len(ledger.doubled),
        **{f"rows {status}": n for status, n in sorted(ledger.rows.items())},
        "irreversible calls": ledger.calls,
        "of these again, after reading or a refusal": ledger.resent,
        **{f"log of {name}": n for name, n in sorted(ledger.steps.items())},
        "seconds with kills": round(killed_seconds),
        "seconds until all was done": round(seconds),
    }
    table = Table(
        title=f"{chaos.kills.total()} kills while posts are published", title_justify="left", show_header=False
    )
    for name, value in lines.items():
        table.add_row(name, str(value))
    console.print(table)
    for odd in [*ledger.odd[:10], *ledger.usage[:10], *ledger.lost[:5], *ledger.doubled[:10], *ledger.strange[:5]]:
        console.print(odd)
