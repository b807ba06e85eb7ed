"""Publishers as processes of their own: kept at work, frozen where they are, killed with SIGKILL.

Not here: when that is done (`publish_chaos.py`), and what they do (`publish_worker.py`).
"""

import multiprocessing
import os
import random
import signal
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess

from tests.stories.publish_worker import work
from tests.stories.publish_world import World


def _ready_to_fork() -> ForkServerContext:
    """A new publisher is a fork of a process that has imported everything, and opened nothing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.stories.publish_worker"])
    return context


@dataclass
class Crew:
    """The publishers at work. `ended` has the exit codes of those that ended by themselves, which none should."""

    world: World
    context: ForkServerContext = field(default_factory=_ready_to_fork)
    members: list[BaseProcess] = field(default_factory=list)
    ended: list[int | None] = field(default_factory=list)

    def keep(self, count: int, clock_shift: timedelta) -> None:
        """Start as many as are missing; the new ones go by a clock that is wrong by this."""
        self.ended += [member.exitcode for member in self.members if not member.is_alive()]
        self.members = [member for member in self.members if member.is_alive()]
        while len(self.members) > count:
            self.kill(self.members[-1])
        while len(self.members) < count:
            arguments = (self.world.settings, self.world.organizations, clock_shift)
            member = self.context.Process(target=work, args=arguments, daemon=True)
            member.start()
            self.members.append(member)

    def freeze(self, chance: random.Random) -> BaseProcess:
        """Stop one where it is, so that what it holds can be seen before it is killed."""
        member = chance.choice(self.members)
        if member.pid is not None and member.is_alive():
            os.kill(member.pid, signal.SIGSTOP)
        return member

    def kill(self, member: BaseProcess) -> None:
        if member.is_alive():
            member.kill()
            member.join(10)
            self.members.remove(member)

    def dismiss(self) -> None:
        for member in list(self.members):
            self.kill(member)
