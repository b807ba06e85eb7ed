"""Finds the processes that execute runs, sees how far each has come, and kills them with SIGKILL at chosen moments.

Only living run workers are killed: the children of the stack's code server that Dagster spawned for a run.
"""

import contextlib
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import psutil

from draggonnb_pipelines.domain.leads import Stage
from tests.stories.system import System

START_UP = "start-up"
# What a run does while the least advanced of its rows stands at a stage.
PHASES = {
    Stage.RECEIVED: "capture",
    Stage.CAPTURED: "research",
    Stage.RESEARCHED: "competitors",
    Stage.COMPETITORS: "business",
    Stage.ANALYSED: "proposal",
    Stage.PROPOSED: "notify",
}
PATIENCE_SECONDS = 15  # for a worker to come to the phase that is wanted; then any phase will do
AIM_SECONDS = 0.4


@dataclass
class Killer:
    """Kills run workers, so that every phase is hit about as often; counts the kills by phase."""

    system: System
    chance: random.Random
    kills: Counter[str] = field(default_factory=Counter)

    def kill_one(self) -> str | None:
        """Wait for a worker in the phase that was hit least, let it go on for a random moment, kill it.

        Returns the phase that it was in, or None if there was nothing to kill for a long while.
        """
        wanted = self._least_hit()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline + PATIENCE_SECONDS:
            for worker in self._workers():
                phase = self._phase(worker)
                if phase == wanted or (time.monotonic() > deadline and phase != START_UP):
                    time.sleep(self.chance.uniform(0, AIM_SECONDS))
                    if hit := self._kill(worker):
                        return hit
            time.sleep(0.03)
        return None

    def _least_hit(self) -> str:
        """Of the phases that some row has still before it."""
        [row] = self.system.master(
            "select min(stage) as stage from inbox where topic = 'leads' and state in ('received', 'claimed')"
        )
        ahead = [name for stage, name in PHASES.items() if row["stage"] is None or stage >= row["stage"]]
        phases = [START_UP, *ahead]
        fewest = min(self.kills[phase] for phase in phases)
        return self.chance.choice([phase for phase in phases if self.kills[phase] == fewest])

    def _workers(self) -> list[psutil.Process]:
        children = psutil.Process(self.system.process_id("code server")).children()
        return [child for child in children if is_run_worker(child)]

    def _phase(self, worker: psutil.Process) -> str | None:
        """None once the run has nothing left in the inbox."""
        run = self.system.dagster(
            "select run_id from event_logs where timestamp > now() at time zone 'UTC' - interval '10 minutes'"
            " and dagster_event_type = 'ENGINE_EVENT' and event like %s order by id desc limit 1",
            f"%(pid: {worker.pid})%",
        )
        if not run:
            return START_UP
        [row] = self.system.master(
            "select min(stage) filter (where state = 'claimed') as stage, count(*) as claimed from inbox"
            " where run_id = %s",
            run[0]["run_id"],
        )
        if row["claimed"] == 0:
            return START_UP
        return PHASES[Stage(row["stage"])] if row["stage"] is not None else None

    def _kill(self, worker: psutil.Process) -> str | None:
        phase = self._phase(worker)
        if phase is None:
            return None
        with contextlib.suppress(psutil.NoSuchProcess):
            if worker.status() != psutil.STATUS_ZOMBIE:
                worker.kill()
                self.kills[phase] += 1
                return phase
        return None


def is_run_worker(process: psutil.Process) -> bool:
    """Dagster's default launcher executes a run in a spawned child of the code server."""
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return any("spawn_main" in part for part in process.cmdline())
    return False
