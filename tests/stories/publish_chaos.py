"""The chaos around the publishers: what is killed when, which answers go wrong, and which clock jumps.

All of it by chance that a seed repeats, as far as processes can be repeated. Not here: the clients and their database
(`publish_world.py`), the publishers (`publish_crew.py`), and what became of the posts (`publish_ledger.py`).
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tests.stories.publish_crew import Crew
from tests.stories.publish_world import SETTLE_SECONDS, World

CALLS = (
    "POST /graph/{version}/{page}/feed",
    "POST /graph/{version}/{page}/photos",
    "POST /graph/{version}/{account}/media_publish",
    "POST /graph/{version}/{post}/comments",
    "POST /linkedin/rest/posts",
    "POST /x/2/tweets",
)
CALL_FAULTS = (
    {"kind": "accept_then_drop"},
    {"kind": "accept_then_status", "status": 500},
    {"kind": "drop_before_accept"},
    {"kind": "rate_limit", "retry_after": 1},
    {"kind": "status", "status": 500},
)
# Before and after the call: preparing and reading back.
OTHERS = (
    "POST /graph/{version}/{account}/media",
    "POST /linkedin/rest/images",
    "POST /x/2/media/upload/*",
    "GET /graph/{version}/{page}/published_posts",
    "GET /graph/{version}/{account}/media",
    "GET /linkedin/rest/posts",
    "GET /x/2/users/{user}/tweets",
)
OTHER_FAULTS = (
    {"kind": "status", "status": 500},
    {"kind": "rate_limit", "retry_after": 1},
    {"kind": "drop_before_accept"},
)
PUBLISHER, CONNECTIONS, SERVER = "publisher", "connections", "database server"
CLIENTS_A_STEP = 5
PATIENCE_SECONDS = 5.0  # for a call to be in flight; then whatever is at work will do
AIM_SECONDS = 0.6
CLOCK_SHIFTS_HOURS = (-5, -1, 0, 1, 5)
JUMPS_HOURS = (-1, 1)
# A clock that jumps again before anybody could look is no clock.
JUMP_REST_SECONDS = 3 * SETTLE_SECONDS


@dataclass(frozen=True)
class Mode:
    """How a part of the campaign goes: how many publishers at once, whose clocks jump, what the networks refuse."""

    publishers: int
    clocks_jump: bool
    refuses_duplicates: bool


MODES = (Mode(1, False, True), Mode(2, False, False), Mode(1, True, False), Mode(2, True, True))


@dataclass
class Chaos:
    """Counts the kills by what was killed and by how far the rows were that it hit."""

    world: World
    chance: random.Random
    say: Callable[[str], None]
    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    jumps: int = 0
    _jumped: dict[str, float] = field(default_factory=dict)
    _started: float = field(default_factory=time.monotonic)

    def step(self, crew: Crew, mode: Mode, victim: str, posts: int) -> None:
        """Approve some posts of a few clients, and kill the victim while they are being published."""
        slugs = self.chance.sample(self.world.clients, CLIENTS_A_STEP)
        self._script(hang=victim == CONNECTIONS)
        for number in range(posts):
            self.world.approve(slugs[number % len(slugs)])
        shift = timedelta(hours=self.chance.choice(CLOCK_SHIFTS_HOURS)) if mode.clocks_jump else timedelta(0)
        crew.keep(mode.publishers, shift)
        self._wait_for_calls(slugs)
        if mode.clocks_jump:
            self._jump(slugs)
        time.sleep(self.chance.uniform(0, AIM_SECONDS))
        phase = self._kill(crew, victim, slugs)
        self.kills[victim, phase] += 1
        self.say(f"{time.monotonic() - self._started:6.1f} s  kill {self.kills.total():3}  {victim}: {phase}")
        self.world.time_passes(slugs)

    def finish(self, crew: Crew, seconds: float) -> None:
        """No more kills: a publisher brings to an end what is left, as minutes and hours pass."""
        everyone = self.world.clients
        self.world.sandbox.clear_faults()
        self.world.sandbox.disconnect()  # and with it the answers that would never come
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            crew.keep(1, timedelta(0))
            self.world.time_passes(everyone)
            time.sleep(1)
            if self.world.is_done(everyone):
                return

    def _script(self, *, hang: bool) -> None:
        for routes, faults, often in ((CALLS, CALL_FAULTS, 0.6), (OTHERS, OTHER_FAULTS, 0.2)):
            for route in routes:
                if self.chance.random() < often:
                    self.world.sandbox.faults(route, dict(self.chance.choice(faults)))
        if hang:  # an answer that never comes, until the connection is reset
            self.world.sandbox.faults(self.chance.choice(CALLS), {"kind": "accept_then_hang"})

    def _wait_for_calls(self, slugs: Sequence[str]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and not self.world.states(slugs)["calling"]:
            time.sleep(0.05)

    def _jump(self, slugs: Sequence[str]) -> None:
        """The database's clock of one of these clients, by an hour."""
        slug = self.chance.choice(slugs)
        if time.monotonic() - self._jumped.get(slug, float("-inf")) > JUMP_REST_SECONDS:
            self._jumped[slug] = time.monotonic()
            self.world.clock_jumps(slug, timedelta(hours=self.chance.choice(JUMPS_HOURS)))
            self.jumps += 1

    def _kill(self, crew: Crew, victim: str, slugs: Sequence[str]) -> str:
        member = crew.freeze(self.chance) if victim == PUBLISHER else None
        phase = phase_of(self.world.states(slugs))
        if member is not None:
            crew.kill(member)
        elif victim == CONNECTIONS:
            self.world.sandbox.disconnect()
        else:
            self.world.crash_server(self.chance)
        return phase


def phase_of(states: Counter[str]) -> str:
    """How far the rows were, the most dangerous first."""
    names = {"calling": "call in flight", "unknown": "outcome unknown", "claimed": "preparing", "scheduled": "waiting"}
    return next((name for state, name in names.items() if states[state]), "at rest")


def victims(chance: random.Random, kills: int) -> list[str]:
    """Three in five are publishers, one in five the server; in random order, none of them missing."""
    wanted = [PUBLISHER, SERVER, PUBLISHER, CONNECTIONS, PUBLISHER]
    chosen = [wanted[number % len(wanted)] for number in range(kills)]
    chance.shuffle(chosen)
    return chosen
