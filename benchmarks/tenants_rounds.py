"""What the clock starts in every installation, whatever comes in: each of these runs once, and what it costs.

Lives here: the jobs of `schedules.py` with how often a day has them, and what a stack costs that has nothing to do. Not
here: the work that comes in (`tenants_day.py`), and the morning's numbers, which are measured with the day.
Left out: the canary and WhatsApp's templates, which need accounts of the agency's own, and the weekly drill.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.costs import POSTGRES, SANDBOX, WORKERS, Costs
from benchmarks.server import console
from draggonnb_pipelines.jobs import billing_config, content_config
from tests.stories.system import System

# The first is a run that finds nothing to do: the price of a run as such. It is no round.
EMPTY = "an empty run"
ROUNDS: Mapping[str, tuple[str, int, Mapping[str, Any]]] = {
    EMPTY: ("publish_due_posts", 0, content_config(shard=0)),
    "publishing, look into everybody": ("publish_due_posts", 96, content_config(shard=0, everyone=True)),
    "tending": ("look_after_clients", 96, {}),
    "checks of leads": ("check_leads", 24, {}),
    "checks of publishing": ("check_publishing", 24, {}),
    "checks of clients": ("check_clients", 24, {}),
    "checks of messages": ("check_messages", 24, {}),
    "checks of operations": ("check_operations", 24, {}),
    "alerts to operators": ("tell_operators", 24, {}),
    "care for stacks": ("look_after_stacks", 24, {}),
    "backups": ("back_up_databases", 1, {}),
    "pruning of events": ("prune_asset_history", 1, {}),
    "retention": ("keep_retention", 1, {}),
    "check of retention": ("check_retention", 1, {}),
    "books": ("keep_books", 1, billing_config(daily=True)),
}
ROWS = "select count(*) as rows from event_logs where run_id = %s"
STANDING_SECONDS = 45.0
ROUND_PATIENCE_SECONDS = 3600


@dataclass(frozen=True)
class Round:
    """One of them: how long from asking to end, the CPU of the run and of Postgres meanwhile, how often a day, and the
    rows of its run in Dagster's event log."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    times_a_day: int
    rows: int


def measure_rounds(system: System) -> dict[str, Round]:
    """Each once, one after the other; all must end well."""
    return {name: _measure(system, name, *of) for name, of in ROUNDS.items()}


def _measure(system: System, name: str, job: str, times: int, config: Mapping[str, Any]) -> Round:
    began = time.monotonic()
    with Costs(system) as costs:
        run_id = system.launch(job, config, seconds=ROUND_PATIENCE_SECONDS)
    seconds, kinds = time.monotonic() - began, costs.by_kind()
    cpu = kinds[WORKERS].cpu_seconds + kinds[POSTGRES].cpu_seconds
    console.print(f"{name}: {seconds:.1f} s, {cpu:.1f} CPU s")
    [log] = system.dagster(ROWS, run_id)
    return Round(seconds, cpu, kinds[WORKERS].peak_mib, times, log["rows"])


def measure_standing(system: System) -> dict[str, float]:
    """CPU seconds a second of each kind of process while nothing comes in; without the sandbox, and without the runs
    that the clock may start meanwhile."""
    with Costs(system) as costs:
        time.sleep(STANDING_SECONDS)
    left_out = (SANDBOX, WORKERS)
    return {kind: cost.cpu_seconds / STANDING_SECONDS for kind, cost in costs.by_kind().items() if kind not in left_out}
