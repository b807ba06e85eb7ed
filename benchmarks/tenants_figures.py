"""What the day in fast motion cost, per client: the table and the figures that `results/tenants.json` keeps.

Lives here: sums, percentiles, and what a day at its real pace costs. Not here: measuring (`tenants.py` and its parts).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.burst import CLAUDE_SECONDS, percentile, waits
from benchmarks.costs import POSTGRES, SANDBOX
from benchmarks.server import report
from benchmarks.tenants_count import Public
from benchmarks.tenants_rounds import EMPTY, Round
from benchmarks.tenants_seed import DUE_POSTS, LEADS, MEASURED, REQUESTS
from tests.stories.system import System

DAY_SECONDS = 86_400
LATENESS = "lateness of due posts in fast motion, where a publishing run is nearly always at work,"
MIB = 1024 * 1024


@dataclass(frozen=True)
class Part:
    """A part of the day: its seconds, `Cost` of each kind of process as a dict, CPU seconds of run workers by job."""

    seconds: float
    processes: Mapping[str, Mapping[str, float]]
    jobs: Mapping[str, float]

    @property
    def cpu_seconds(self) -> float:
        """Of everything that an installation runs: without the sandbox."""
        return sum(cost["cpu_seconds"] for kind, cost in self.processes.items() if kind != SANDBOX)


@dataclass(frozen=True)
class Lived:
    """All that was measured.

    Args:
        misses: counts that are not as they must be, with the client's name.
        counts: of all clients together.
        seconds: how long the day was.
        standing: CPU seconds a second by kind of process, while nothing came in.
        runs: by job, of the day, the morning and the week.
        memory_mib: of all processes of a kind together, when all kinds but the sandbox had most together.
    """

    misses: Sequence[str]
    counts: Mapping[str, int]
    system: System
    slugs: Sequence[str]
    seconds: float
    created_seconds: float
    public: Public
    parts: Mapping[str, Part]
    rounds: Mapping[str, Round]
    standing: Mapping[str, float]
    runs: Mapping[str, Mapping[str, Any]]
    events: Mapping[str, int]
    database_bytes: Mapping[str, Mapping[str, float]]
    connections: Mapping[str, int]
    memory_mib: Mapping[str, float]


def tell(lived: Lived) -> None:
    """Print the table and keep the figures.

    A day in fast motion has a publishing run at work at nearly every time, which due posts join at once. Over 24 hours
    most of them wait for a tick and the start of a run first, so their lateness says nothing about a real day's.
    """
    count = len(lived.slugs)
    took = waits(lived.system, lived.slugs)["analysed"]
    cpu = cpu_of_a_day(lived)
    late = {"due": lived.public.late_due, "approved": lived.public.late_approved}
    figures: dict[str, Any] = {
        "clients": count,
        "counts that are wrong": len(lived.misses),
        **lived.counts,
        "creating a client, s": lived.created_seconds / count,
        "the day's work, from its begin until all is finished, s": lived.parts["day"].seconds,
        "the morning's numbers and snapshots, s": lived.parts["morning"].seconds,
        "the weekly reports, s": lived.parts["week"].seconds,
        "webhook to analysis p50, s": percentile(took, 50),
        "webhook to analysis p95, s": percentile(took, 95),
        **{f"{LATENESS} p{percent}, s": percentile(late["due"], percent) for percent in (50, 95)},
        "approval to public p50, s": percentile(late["approved"], 50),
        "approval to public p95, s": percentile(late["approved"], 95),
        **{f"CPU per client and day: {name}, s": seconds for name, seconds in cpu.items()},
        **_peaks(lived),
        **_together(lived.memory_mib),
        "event-log rows per client": lived.events["rows"] / count,
        "event log per client, KiB": lived.events["bytes"] / count / 1024,
        **{f"database {name}, MiB": size / MIB for name, size in lived.database_bytes["after"].items()},
        "server connections at most": lived.connections["most"],
        "of them at work at most": lived.connections["most_active"],
        "runs": sum(of["runs"] for of in lived.runs.values()),
    }
    rows: list[Sequence[object]] = [[name, value] for name, value in figures.items()]
    rows += [
        [f"runs of {job}, and their seconds in all", f"{of['runs']}, {of['seconds']:,.0f}"]
        for job, of in lived.runs.items()
    ]
    rows += [
        [f"CPU of the workers of {job} in the {name}, s", cpu]
        for name, part in lived.parts.items()
        for job, cpu in part.jobs.items()
    ]
    rows += [[f"round: {name} ({one.times_a_day} a day), s", one.seconds] for name, one in lived.rounds.items()]
    rows += [
        [f"round: {name}, CPU of the run and of Postgres, s", one.cpu_seconds] for name, one in lived.rounds.items()
    ]
    each = f"{LEADS} leads, {REQUESTS} requests, {DUE_POSTS} due posts each"
    title = f"A day in {lived.seconds / 60:,.0f} minutes: {count:,} clients, {each}"
    data = {
        "command": f"python -m benchmarks tenants {count} {lived.seconds / 60:g}",
        "clients": count,
        "day_seconds": lived.seconds,
        "misses": list(lived.misses),
        "claude_seconds": CLAUDE_SECONDS,
        "each": {"leads": LEADS, "requests": REQUESTS, "due_posts": DUE_POSTS, "measured": MEASURED},
        "figures": figures,
        "cpu_seconds_per_client_and_day": cpu,
        "parts": {name: asdict(part) for name, part in lived.parts.items()},
        "rounds": {name: asdict(one) for name, one in lived.rounds.items()},
        "standing_cpu_per_second": dict(lived.standing),
        "runs": lived.runs,
        "event_log": dict(lived.events),
        "database_bytes": lived.database_bytes,
        "connections": lived.connections,
        "memory_mib_at_most": lived.memory_mib,
    }
    report("tenants", title, ["", "value"], rows, data)


def cpu_of_a_day(lived: Lived) -> dict[str, float]:
    """CPU seconds per client, without the sandbox, of a day that takes its 24 hours.

    In fast motion many things share one run; over 24 hours they do not. `at most, for runs of their own` is what
    it adds if every lead, request and post has a run to itself: the price of an empty run for each. What Postgres
    would have used anyway is part of what stands by, and of nothing else.
    """
    count, standing, postgres = len(lived.slugs), sum(lived.standing.values()), lived.standing[POSTGRES]
    rounds = {name: one.cpu_seconds - postgres * one.seconds for name, one in lived.rounds.items()}
    work = {name: part.cpu_seconds - standing * part.seconds for name, part in lived.parts.items()}
    things = LEADS + REQUESTS + DUE_POSTS + REQUESTS  # what is written is published by a run of its own
    found = {
        "leads, requests, posts": work["day"] / count,
        "numbers and snapshots": work["morning"] / count,
        "a seventh of the weekly report": work["week"] / 7 / count,
        "rounds by the clock": sum(rounds[name] * one.times_a_day for name, one in lived.rounds.items()) / count,
        "processes that stand by": standing * DAY_SECONDS / count,
    }
    found["all of it"] = sum(found.values())
    most_runs = things * count - sum(of["runs"] for of in lived.runs.values())
    found["at most, for runs of their own"] = rounds[EMPTY] * max(most_runs, 0) / count
    return found


def _peaks(lived: Lived) -> dict[str, float]:
    kinds = lived.parts["day"].processes
    peaks = {kind: max(part.processes[kind]["peak_mib"] for part in lived.parts.values()) for kind in kinds}
    order = sorted(peaks, key=lambda kind: (kind == SANDBOX, kind == POSTGRES))
    return {f"peak memory of one {kind}, MiB": peaks[kind] for kind in order}


def _together(memory: Mapping[str, float]) -> dict[str, float]:
    """In the moment in which everything but the sandbox had most memory."""
    found = {
        f"memory of all of kind {kind} at that moment, MiB": mib for kind, mib in memory.items() if kind != SANDBOX
    }
    return {"memory of all processes together at most, MiB": sum(found.values()), **found}
