"""Publishers as processes, and the chaos around them: what is killed when, by chance that a seed repeats.

Not here: the clients and their database (`publish_world.py`), and what became of the posts (`publish_ledger.py`).
"""

import contextlib
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.process import BaseProcess

from tests.stories.publish_worker import work
from tests.stories.publish_world import World

CALLS = {
    "facebook": "POST /graph/{version}/{page}/feed",
    "instagram": "POST /graph/{version}/{account}/media_publish",
    "linkedin": "POST /linkedin/rest/posts",
    "x": "POST /x/2/tweets",
}
READS = (
    "GET /graph/{version}/{page}/published_posts",
    "GET /graph/{version}/{account}/media",
    "GET /linkedin/rest/posts",
    "GET /x/2/users/{id}/tweets",
    "POST /graph/{version}/{account}/media",
)
CALL_FAULTS = (
    {"kind": "accept_then_drop"},
    {"kind": "accept_then_status", "status": 500},
    {"kind": "drop_before_accept"},
    {"kind": "rate_limit", "retry_after": 1},
    {"kind": "status", "status": 500},
)
READ_FAULTS = (
    {"kind": "status", "status": 500},
    {"kind": "rate_limit", "retry_after": 1},
    {"kind": "drop_before_accept"},
)
CLOCK_SHIFTS_HOURS = (-5, -1, 1, 5)
PATIENCE_SECONDS = 6.0  # for a call to be in flight; then whatever is at work will do
AIM_SECONDS = 0.5


@dataclass
class Crew:
    """The publishers that are at work. `ended` counts those that ended by themselves, which none should."""

    world: World
    context: multiprocessing.context.ForkServerContext = field(
        default_factory=lambda: multiprocessing.get_context("forkserver")
    )
    members: list[BaseProcess] = field(default_factory=list)
    ended: list[int | None] = field(default_factory=list)

    def keep(self, count: int, clock_shift: timedelta) -> None:
        """Start as many as are missing; new ones go by a clock that is wrong by this."""
        self.ended += [member.exitcode for member in self.members if not member.is_alive()]
        self.members = [member for member in self.members if member.is_alive()]
        while len(self.members) > count:
            self._kill(self.members[-1])
        while len(self.members) < count:
            arguments = (self.world.values, self.world.organizations, clock_shift)
            member = self.context.Process(target=work, args=arguments, daemon=True)
            member.start()
            self.members.append(member)

    def freeze(self, chance: random.Random) -> BaseProcess:
        """Stop one where it is, to look at what it holds before it is killed."""
        member = chance.choice(self.members)
        if member.pid is not None and member.is_alive():
            os.kill(member.pid, signal.SIGSTOP)
        return member

    def kill(self, member: BaseProcess) -> None:
        self._kill(member)

    def dismiss(self) -> None:
        for member in list(self.members):
            self._kill(member)

    def _kill(self, member: BaseProcess) -> None:
        if not member.is_alive():
            return  # `keep` notes how it ended
        member.kill()
        member.join(10)
        self.members.remove(member)
