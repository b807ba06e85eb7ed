"""The numbers of everybody's posts at 06:00 UTC: ours against a bare script, and the daily run as Dagster has it.

For 10, 100 and 1,000 clients with 20 posts each, the networks answering at once and after 50 ms. The bare script
(`analytics_bare.py`) makes the same calls and writes the same readings. Each step has a process of its own, from the
same rows (`analytics_seed.py`), bare first; then the whole job once more from the same rows, with its events in
Dagster's database. `DRAGGONNB_BENCH_ANALYTICS=10,100` chooses other numbers of clients.
"""

import asyncio
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import psycopg
import requests

from benchmarks.analytics_seed import fill_all, make_public
from benchmarks.publish import UNLIMITED
from benchmarks.publish_costs import Measured, ask
from benchmarks.publish_seed import create_clients
from benchmarks.server import bench_server, console, environment, report
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.settings.fields import PROJECT_ROOT
from tests.sandbox_process import Sandbox, sandbox_process
from tests.stories.system import dagster_dsn, dagster_environment

SIZES = tuple(map(int, os.environ.get("DRAGGONNB_BENCH_ANALYTICS", "10,100,1000").split(",")))
POSTS = 20
LATENCIES_MS = (0, 50)
STEPS = ("collect", "snapshots")
OURS, BARE = "benchmarks.analytics_ours", "benchmarks.analytics_bare"


@dataclass(frozen=True)
class Daily:
    """Both steps by hand and by us, and the whole run, at one size and latency."""

    clients: int
    latency_ms: int
    bare: dict[str, Measured]
    ours: dict[str, Measured]
    run: Measured
    calls: dict[str, int]
    run_events: int

    def figures(self) -> dict[str, Any]:
        posts, run_cpu = self.clients * POSTS, self.run.cpu_seconds + self.run.start_cpu_seconds
        both = {who: _sum(of_who.values()) for who, of_who in (("bare", self.bare), ("ours", self.ours))}
        return {
            "posts per second, reading": _ratio(posts, self.bare["collect"].seconds, self.ours["collect"].seconds),
            "posts per second, reading and snapshots": _ratio(posts, both["bare"][0], both["ours"][0]),
            "CPU per post, reading, ms": _per_post(posts, self.bare["collect"], self.ours["collect"]),
            "CPU per post, reading and snapshots, ms": tuple(1000 * both[who][1] / posts for who in ("bare", "ours")),
            "calls per post": tuple(self.calls[who] / posts for who in ("bare", "ours")),
            "peak memory, MiB": tuple(
                max(one.peak_mib for one in of_who.values()) for of_who in (self.bare, self.ours)
            ),
            "the daily run in Dagster: runs": ("", 1),
            "the same: start to end, s": ("", self.run.seconds),
            "the same: CPU per post, ms": ("", 1000 * run_cpu / posts),
            "the same: peak memory, MiB": ("", self.run.peak_mib),
            "the same: event-log rows": ("", self.run_events),
            "the same: event-log rows per client": ("", self.run_events / self.clients),
        }


class Bench:
    """The server, the sandbox and the clients, whose posts stand on the sandbox's timelines throughout."""

    def __init__(self, settings: Settings, sandbox: Sandbox, clients: Sequence[Organization]) -> None:
        self.settings, self.sandbox, self.clients = settings, sandbox, clients
        self.now = datetime.now(UTC)
        # The next 06:00 UTC, so that the day before is over in every zone of the clients.
        self.at = datetime.combine(self.now.date() + timedelta(days=1), time(6, 0, 30), UTC)
        self.environment = environment(settings) | dagster_environment(settings)
        self.environment["DRAGGONNB_SANDBOX_PORT"] = str(settings.sandbox_port)
        make_public(sandbox.url, clients, POSTS, self.now)

    def measure(self, count: int, latency_ms: int) -> Daily:
        """Raises RuntimeError where a post was not read, or one twice."""
        self.sandbox.settings(social_latency_seconds=latency_ms / 1000)
        taken, calls = {}, {}
        for module in (BARE, OURS):
            fill_all(self.settings, self.clients[:count], POSTS, self.now)
            before = self._calls()
            taken[module] = {step: self._ask(module, step, count) for step in STEPS}
            calls[module] = self._calls() - before
        fill_all(self.settings, self.clients[:count], POSTS, self.now)
        events = self._events()
        run = self._ask(OURS, "run", count)
        daily = Daily(
            count,
            latency_ms,
            taken[BARE],
            taken[OURS],
            run,
            {"bare": calls[BARE], "ours": calls[OURS]},
            self._events() - events,
        )
        console.print(count, "clients,", latency_ms, "ms:", daily.figures())
        return daily

    def _ask(self, module: str, step: str, count: int) -> Measured:
        done = ask(module, self.environment, step, "--at", self.at.isoformat())
        snapshots = step != "collect"
        found = [self._stored(client, with_snapshots=snapshots) for client in self.clients[:count]]
        if done.published != count or found != [(POSTS, POSTS, int(snapshots))] * count:
            raise RuntimeError(f"{module} {step}: {done.published} of {count} clients; {sorted(set(found))}")
        return done

    def _stored(self, client: Organization, *, with_snapshots: bool) -> tuple[int, int, int]:
        """Readings, posts that have one, and snapshots of days."""
        assert client.database_name
        with psycopg.connect(dsn_for(self.settings.dsn, client.database_name)) as conn:
            row = conn.execute(
                "select (select count(*) from platform_metrics), (select count(distinct queue_id) from platform_metrics"
                " where engagement_data <> '{}'), (select count(*) from analytics_snapshots where period = 'day')"
            ).fetchone()
        assert row
        return row[0], row[1], row[2] if with_snapshots else 0

    def _calls(self) -> int:
        return requests.get(f"{self.sandbox.url}/_sandbox/health", timeout=10).json()["requests"]

    def _events(self) -> int:
        with psycopg.connect(dagster_dsn(self.settings.dsn)) as conn:
            exists = conn.execute("select to_regclass('event_logs') is not null").fetchone()
            row = conn.execute("select count(*) from event_logs").fetchone() if exists and exists[0] else None
        return row[0] if row else 0


def main(_: list[str]) -> None:
    state = Path(f"/var/tmp/draggonnb-bench-{os.getuid()}-analytics-state")
    shutil.rmtree(state, ignore_errors=True)
    (state / "dagster").mkdir(parents=True)
    shutil.copy(PROJECT_ROOT / "dagster.yaml", state / "dagster")
    with (
        sandbox_process() as sandbox,
        bench_server("analytics", sandbox_port=sandbox.port, state_dir=state) as settings,
    ):
        sandbox.reset()
        sandbox.settings(**UNLIMITED)
        console.print(f"creating {max(SIZES)} organizations, each with its own database")
        clients = asyncio.run(create_clients(settings, max(SIZES)))
        bench = Bench(settings, sandbox, clients)
        taken = [bench.measure(count, latency) for latency in LATENCIES_MS for count in SIZES]
    shutil.rmtree(state, ignore_errors=True)
    rows: list[Sequence[object]] = []
    for daily in taken:
        for name, (bare, ours) in daily.figures().items():
            ratio = ours / bare if isinstance(bare, float) and bare else ""
            rows.append([f"{daily.clients:,}", daily.latency_ms, name, bare, ours, ratio])
    rows += _growth(taken)
    report(
        "analytics",
        f"Numbers and snapshots of clients with {POSTS} posts each, against a bare aiohttp and psycopg script",
        ("clients", "latency, ms", "", "bare", "ours", "ratio"),
        rows,
        {
            "posts_each": POSTS,
            "daily": [
                {"clients": one.clients, "latency_ms": one.latency_ms, "figures": one.figures()} for one in taken
            ],
        },
    )


def _growth(taken: Sequence[Daily]) -> list[Sequence[object]]:
    """How much longer a client takes among the most than among the fewest: 1 is growth in proportion."""
    rows: list[Sequence[object]] = []
    for latency in LATENCIES_MS:
        sizes = sorted((one for one in taken if one.latency_ms == latency), key=lambda one: one.clients)
        fewest, most = (_sum(one.ours.values())[0] / one.clients for one in (sizes[0], sizes[-1]))
        clients = f"{sizes[0].clients:,} to {sizes[-1].clients:,}"
        rows.append([clients, latency, "growth of the time per client (1: in proportion)", "", most / fewest, ""])
    return rows


def _sum(measured: Any) -> tuple[float, float]:
    taken = list(measured)
    return sum(one.seconds for one in taken), sum(one.cpu_seconds for one in taken)


def _ratio(posts: int, bare_seconds: float, our_seconds: float) -> tuple[float, float]:
    return posts / bare_seconds, posts / our_seconds


def _per_post(posts: int, bare: Measured, ours: Measured) -> tuple[float, float]:
    return 1000 * bare.cpu_seconds / posts, 1000 * ours.cpu_seconds / posts
