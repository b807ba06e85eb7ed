"""The publish drain against a bare script, and how late posts are when all clients want the same minute.

The bare script (`publish_bare.py`) makes the same calls, reads the same rows and keeps no ledger. Each drains all posts
in a process of its own, from the same rows (`publish_seed.py`), bare first, then ours. CPU is the process's own, from
after its imports; what the sandbox and Postgres used meanwhile is shown beside it. `DRAGGONNB_BENCH_SIZE=clients,posts`
makes it smaller.
"""

import asyncio
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import psycopg
import requests

from benchmarks.costs import used, used_by_children
from benchmarks.publish_costs import Measured, ask
from benchmarks.publish_seed import PLATFORMS, create_clients, seed
from benchmarks.server import bench_server, console, environment, report
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.settings import Settings
from tests.sandbox_process import Sandbox, sandbox_process

CLIENTS, POSTS = 200, 10_000
LATENCIES_MS = (0, 50)
PUNCTUAL_FACTOR = 5  # times as many clients when lateness is measured
AHEAD_SECONDS = 5
SEED_SECONDS = 0.12  # for each client, generously
OURS, BARE = "benchmarks.publish_ours", "benchmarks.publish_bare"
# Nothing here is about the networks' limits.
UNLIMITED = {
    "social_window_limit": 10**6,
    "x_app_daily_limit": 10**9,
    "instagram_quota_total": 10**6,
    "instagram_container_seconds": 0.0,
}


@dataclass(frozen=True)
class Drain:
    """One process that published everything, and what it cost elsewhere meanwhile."""

    own: Measured
    calls: int
    sandbox_cpu_seconds: float
    postgres_cpu_seconds: float

    @property
    def posts_per_second(self) -> float:
        return self.own.published / self.own.seconds

    def figures(self) -> dict[str, float]:
        posts = self.own.published
        return {
            "posts": posts,
            "posts_per_second": self.posts_per_second,
            "cpu_ms_per_post": 1000 * self.own.cpu_seconds / posts,
            "sandbox_cpu_ms_per_post": 1000 * self.sandbox_cpu_seconds / posts,
            "postgres_cpu_ms_per_post": 1000 * self.postgres_cpu_seconds / posts,
            "calls_per_post": self.calls / posts,
            "peak_mib": self.own.peak_mib,
            "seconds": self.own.seconds,
        }


class Bench:
    """The server, the sandbox and the clients that all drains share."""

    def __init__(
        self,
        settings: Settings,
        sandbox: Sandbox,
        clients: Sequence[Organization],
        drained: Sequence[Organization],
    ) -> None:
        self.settings, self.sandbox, self.clients, self.drained = settings, sandbox, clients, drained
        self.environment = environment(settings) | {"DRAGGONNB_SANDBOX_PORT": str(settings.sandbox_port)}
        with psycopg.connect(settings.dsn) as conn:
            row = conn.execute("select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int").fetchone()
        assert row
        self._postmaster = psutil.Process(row[0])
        [self._sandbox] = [one for one in psutil.Process().children() if "vendor_sandbox" in one.cmdline()]

    def prepare(self, clients: Sequence[Organization], posts_each: int, due_at: datetime, latency_ms: int = 0) -> None:
        self.sandbox.reset()
        self.sandbox.settings(**UNLIMITED, social_latency_seconds=latency_ms / 1000)
        seed(self.settings, clients, posts_each, due_at)

    def drain(self, module: str, posts: int, latency_ms: int) -> Drain:
        """Fill the ledgers and have them emptied.

        Raises:
            RuntimeError: not every post is public, or one is twice.
        """
        due_at = datetime.now(UTC) - timedelta(seconds=1)
        self.prepare(self.drained, posts // len(self.drained), due_at, latency_ms)
        sandbox, postgres = used(self._sandbox), self._postgres()
        own = ask(module, self.environment)
        sandbox, postgres = used(self._sandbox) - sandbox, self._postgres() - postgres
        calls = requests.get(f"{self.sandbox.url}/_sandbox/health", timeout=10).json()["requests"]
        public = [post["text"] for name in PLATFORMS for post in self.sandbox.public(name)]
        if not own.published == len(public) == len(set(public)) == posts:
            raise RuntimeError(f"{posts} posts were due, {own.published} were counted, {len(public)} are public")
        drain = Drain(own, calls, sandbox, postgres)
        console.print(module, latency_ms, "ms:", {name: round(value, 2) for name, value in drain.figures().items()})
        return drain

    def lateness(self) -> list[float]:
        """Seconds after its time that each client's one post was recorded, all due in the same minute; the run begins
        five seconds before."""
        due_at = _next_minute(datetime.now(UTC) + timedelta(seconds=10 + len(self.clients) * SEED_SECONDS))
        self.prepare(self.clients, 1, due_at)
        begins_at = due_at - timedelta(seconds=AHEAD_SECONDS)
        if datetime.now(UTC) > begins_at:
            raise RuntimeError("filling the ledgers took longer than was thought")
        ask(OURS, self.environment, "--at", str(begins_at.timestamp()))
        return sorted(seconds for client in self.clients for seconds in self._lateness_of(client))

    def _lateness_of(self, client: Organization) -> list[float]:
        assert client.database_name
        with psycopg.connect(dsn_for(self.settings.dsn, client.database_name)) as conn:
            found = conn.execute("select extract(epoch from published_at - publish_at)::float from content_queue")
            return [row[0] for row in found.fetchall()]

    def _postgres(self) -> float:
        return used(self._postmaster) + used_by_children(self._postmaster)


def main(_: list[str]) -> None:
    clients, posts = map(int, os.environ.get("DRAGGONNB_BENCH_SIZE", f"{CLIENTS},{POSTS}").split(","))
    with sandbox_process() as sandbox, bench_server("publish", sandbox_port=sandbox.port) as settings:
        console.print(f"creating {PUNCTUAL_FACTOR * clients} organizations, each with its own database")
        organizations = asyncio.run(create_clients(settings, PUNCTUAL_FACTOR * clients))
        bench = Bench(settings, sandbox, organizations, organizations[:clients])
        drains = {
            latency: (bench.drain(BARE, posts, latency), bench.drain(OURS, posts, latency)) for latency in LATENCIES_MS
        }
        start = ask(OURS, bench.environment, "--dagster")
        late = bench.lateness()
    rows: list[Sequence[object]] = []
    for latency, (bare, ours) in drains.items():
        rows += _compared(latency, bare, ours)
    rows.append(["a Dagster run with nothing to do: start to end, s", "", start.seconds, ""])
    rows.append(["the same, CPU, s", "", start.cpu_seconds + start.start_cpu_seconds, ""])
    rows.append(["the same, peak memory, MiB", "", start.peak_mib, ""])
    percentiles = _percentiles(late)
    rows += [
        [f"lateness {name}, s ({len(late):,} clients, one post each, the same minute)", "", seconds, ""]
        for name, seconds in percentiles.items()
    ]
    report(
        "publish",
        f"Publishing {posts:,} due posts of {clients} clients, against a bare aiohttp and psycopg script",
        ("", "bare", "ours", "ratio"),
        rows,
        {
            "clients": clients,
            "posts": posts,
            "drains": {
                f"{latency} ms": {"bare": bare.figures(), "ours": ours.figures()}
                for latency, (bare, ours) in drains.items()
            },
            "dagster_start": asdict(start),
            "lateness_seconds": {"clients": len(late), **percentiles},
        },
    )


def _compared(latency_ms: int, bare: Drain, ours: Drain) -> list[Sequence[object]]:
    names = {
        "posts_per_second": "posts per second",
        "cpu_ms_per_post": "CPU of the process per post, ms",
        "postgres_cpu_ms_per_post": "CPU of Postgres per post, ms",
        "sandbox_cpu_ms_per_post": "CPU of the sandbox per post, ms",
        "calls_per_post": "calls per post",
        "peak_mib": "peak memory, MiB",
    }
    of_bare, of_ours = bare.figures(), ours.figures()
    return [
        [f"{title}, networks answer in {latency_ms} ms", of_bare[name], of_ours[name], of_ours[name] / of_bare[name]]
        for name, title in names.items()
    ]


def _percentiles(values: list[float]) -> dict[str, Any]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "most": values[-1]}


def _next_minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0) + timedelta(minutes=1)
