"""`python -m benchmarks tenants [clients] [minutes]`: a day in fast motion of so many clients, on the whole stack.

Each has a database of its own, four accounts and posts of the days before. In the day 2 leads and 3 requests of each
come in by webhook, reviewers approve, and 5 posts are due, all evenly over so many minutes; then come the next
morning's numbers of 20 posts of each and the report of its week, and each round that the clock starts once. The stack
has the defaults of an installation, Claude takes two seconds for an answer. Every count is checked, and a miss
is an error with names, after the figures. Rounds that fall into the time by the real clock take place in it.
"""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.burst import CLAUDE_SECONDS, DEFAULTS
from benchmarks.costs import Costs
from benchmarks.server import console
from benchmarks.tenants_count import (
    OF_DAY,
    OF_MORNING,
    OF_WEEK,
    WHOLE_DAY,
    WHOLE_MORNING,
    WHOLE_WEEK,
    ask_each,
    judge_public,
    missed_mails,
    total,
    wrong,
)
from benchmarks.tenants_day import Day
from benchmarks.tenants_figures import Lived, Part, tell
from benchmarks.tenants_rounds import measure_rounds, measure_standing
from benchmarks.tenants_seed import create_clients, make_established, morning_after, queue_day
from benchmarks.tenants_sizes import Sizes, cpu_by_job, database_bytes, events, failed_runs, runs
from draggonnb_pipelines.domain.organizations import AGENCY_SLUG
from draggonnb_pipelines.jobs import analytics_config
from draggonnb_pipelines.resources.embedded_postgres import embedded_server
from tests.stories.system import System, running_system

CLIENTS = 50
MINUTES_PER_CLIENT = 0.015  # two cores: 15 minutes for a thousand
LEAST_MINUTES = 2.0
NAMED = 40
NEEDED_FACTOR = 6  # what all of it takes, in days in fast motion
PATIENCE_SECONDS = 1800
WEEKS_DUE = "select count(*) as n from app.weeks_due(now())"
REPORTED = """
select count(*) as n from analytics_agenda a join organizations o on o.id = a.organization_id
where o.slug = any(%s) and a.week_reported is not null
"""
REPORTING = """
select count(*) as n from runs
where pipeline_name = 'report_weeks' and status not in ('SUCCESS', 'FAILURE', 'CANCELED')
"""
KNOWN = "select count(*) as n from dynamic_partitions where partition = any(%s)"


def main(arguments: list[str]) -> None:
    """Live the day once and report. Raises RuntimeError where a count is not as it must be."""
    count = int(arguments[0]) if arguments else CLIENTS
    minutes = float(arguments[1]) if arguments[1:] else max(LEAST_MINUTES, MINUTES_PER_CLIENT * count)
    directory = Path(f"/var/tmp/draggonnb-bench-{os.getuid()}-tenants")
    shutil.rmtree(directory, ignore_errors=True)
    with embedded_server(directory) as server, running_system(server, **DEFAULTS) as system:
        lived = _live(system, [f"client-{number:04}" for number in range(1, count + 1)], 60 * minutes)
        tell(lived)
    shutil.rmtree(directory, ignore_errors=True)
    if lived.misses:
        named = "\n".join(lived.misses[:NAMED])
        raise RuntimeError(f"{len(lived.misses)} counts are wrong, such as\n{named}")


def _live(system: System, slugs: Sequence[str], seconds: float) -> Lived:
    now = datetime.now(UTC)
    morning = morning_after(now)
    if morning - now < timedelta(seconds=NEEDED_FACTOR * seconds):
        raise SystemExit("the real 06:00 UTC would come in the middle of it; start it after that")
    created = _create(system, slugs, now)
    before = database_bytes(system)
    system.sandbox.settings(claude_latency_seconds=CLAUDE_SECONDS)
    begins, due_texts = queue_day(system, slugs, seconds)
    day = Day(system, slugs, begins, seconds)
    with Sizes(system) as sizes:
        parts = {
            "day": _part(system, lambda: day.live(patience_seconds=PATIENCE_SECONDS)),
            "morning": _part(system, lambda: _measure_morning(system, morning)),
            "week": _part(system, lambda: _wait_for_reports(system, slugs, morning)),  # begun by now
        }
        public = judge_public(system, slugs, due_texts)
        log, done = events(system), runs(system, now)
        counts, misses = _count(system, slugs, morning)
        misses += [*day.told.refused, *public.misses, *failed_runs(done)]
        rounds = measure_rounds(system)
    return Lived(
        misses=misses,
        counts=counts | {"posts public, each once": public.posts},
        system=system,
        slugs=slugs,
        seconds=seconds,
        created_seconds=created,
        public=public,
        parts=parts,
        rounds=rounds,
        standing=measure_standing(system),
        runs=done,
        events=log,
        database_bytes={"before": before, "after": database_bytes(system)},
        connections={"most": sizes.most, "most_active": sizes.most_active},
        memory_mib=sizes.memory,
    )


def _count(system: System, slugs: Sequence[str], morning: datetime) -> tuple[dict[str, int], list[str]]:
    """What there is of everything, and whoever has not as much as it must."""
    day = ask_each(system, slugs, OF_DAY)
    numbers = ask_each(system, slugs, OF_MORNING, morning, morning)
    week = ask_each(system, slugs, OF_WEEK)
    counts = {
        "leads analysed": total(day, "analysed_leads"),
        "requests written": total(day, "written_requests"),
        "posts measured": total(numbers, "measured_posts"),
        "snapshots of the day": total(numbers, "day_snapshots"),
        "weekly reports": total(week, "reports"),
        "weekly reports mailed": total(week, "mails_sent"),
    }
    misses = [*wrong(day, WHOLE_DAY), *wrong(numbers, WHOLE_MORNING), *wrong(week, WHOLE_WEEK)]
    return counts, misses + missed_mails(system, slugs)


def _create(system: System, slugs: Sequence[str], now: datetime) -> float:
    """Seconds until all have their databases, and Dagster knows them; then what they have from earlier days."""
    console.print(f"creating {len(slugs)} clients, each with its own database")
    began = time.monotonic()
    system.create(AGENCY_SLUG)
    create_clients(system, slugs)
    created = time.monotonic() - began
    make_established(system, slugs, now)
    system.wait_until(
        "Dagster knows everybody", lambda: system.dagster(KNOWN, list(slugs))[0]["n"] == len(slugs), seconds=120
    )
    console.print(f"created in {created:.0f} s, established after {time.monotonic() - began:.0f} s")
    return created


def _part(system: System, work: Callable[[], Any]) -> Part:
    began = time.monotonic()
    with Costs(system) as costs:
        work()
    seconds, processes = time.monotonic() - began, {kind: asdict(cost) for kind, cost in costs.by_kind().items()}
    part = Part(seconds, processes, cpu_by_job(system, costs.by_worker()))
    console.print(f"done in {part.seconds:.0f} s, {part.cpu_seconds:.0f} CPU s without the sandbox")
    return part


def _measure_morning(system: System, at: datetime) -> None:
    """The daily run as the next morning has it."""
    system.sandbox.settings(social_clock_ahead_seconds=(at - datetime.now(UTC)).total_seconds())
    system.launch("collect_analytics", analytics_config(everyone=True, at=at.isoformat()), seconds=PATIENCE_SECONDS)


def _wait_for_reports(system: System, slugs: Sequence[str], morning: datetime) -> None:
    """The sensor has them written, now that each client has its snapshot; on a Monday before 06:00 UTC, when the real
    clock knows no week that is over and measured, the run is asked for."""
    if not system.master(WEEKS_DUE)[0]["n"]:
        config = {"ops": {"report_on_weeks": {"config": {"at": morning.isoformat()}}}}
        system.launch("report_weeks", config, seconds=PATIENCE_SECONDS)

    def are_reported() -> bool:
        time.sleep(1)
        reported = system.master(REPORTED, list(slugs))[0]["n"] == len(slugs)
        return reported and not system.dagster(REPORTING)[0]["n"]

    system.wait_until("every week has its report", are_reported, seconds=PATIENCE_SECONDS)
