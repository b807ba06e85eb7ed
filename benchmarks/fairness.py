"""`python -m benchmarks fairness [others] [posts] [leads] [requests]`: what one big client costs all the others.

The others have one post, one lead and one request for content each, spread evenly over a minute and a half. The whole
stack runs, with the defaults of an installation, Claude at two seconds an answer and the networks at a quarter of one.
First they are alone. Then a big client has so many posts due at once, and sends so many leads and requests as fast as
the API takes them, just before. Measured is how late the others' posts are, and how long their leads and requests take
from the webhook to their end. Every count is checked, the big client's too; a miss is an error.
"""

import asyncio
import os
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg

from benchmarks.burst import CLAUDE_SECONDS, DEFAULTS
from benchmarks.publish import UNLIMITED
from benchmarks.publish_seed import connect_accounts, queue_posts
from benchmarks.server import console, report
from benchmarks.tenants_seed import AGENDA, create_clients
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.embedded_postgres import embedded_server
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.vault import Vault
from tests.stories.system import System, company_of, opened, running_system

OTHERS, POSTS, LEADS, REQUESTS = 50, 2_000, 1_000, 400
BIG = "big-one"
SOCIAL_SECONDS = 0.25
WINDOW_SECONDS = 90.0
HEAD_START_SECONDS = 5.0  # of the big client
POST_SEED_SECONDS = 0.002  # to queue one post, generously
PATIENCE_SECONDS = 3600
SENDERS = 40
# Of nobody's limits: neither the API's nor Claude's budget of a client is what is measured.
ROOMY = {"DRAGGONNB_API_RATE_PER_MINUTE": "1000000", "DRAGGONNB_ORGANIZATION_MONTHLY_AI_BUDGET_USD": "1000000"}
OPEN = "select count(*) as n from inbox where topic in ('leads', 'content') and state in ('received', 'claimed')"
DEAD = "select last_error from inbox where state = 'dead'"
TOOK = """
select o.slug, i.topic, extract(epoch from i.finished_at - i.received_at)::float as seconds
from inbox i join organizations o on o.id = i.organization_id where i.delivery_id like %s and i.state = 'done'
"""
LATE = """
select extract(epoch from published_at - publish_at)::float as seconds from content_queue
where publish_at >= %s and status = 'published' and attempts = 1
"""


@dataclass(frozen=True)
class Size:
    """What the big client has."""

    posts: int = 0
    leads: int = 0
    requests: int = 0


@dataclass(frozen=True)
class Round:
    """Seconds of each of the others' things, and until everything of everybody was done."""

    posts: list[float]
    leads: list[float]
    requests: list[float]
    until_all_done: float


def main(arguments: list[str]) -> None:
    """Both rounds, and the report. Raises RuntimeError where something is missing, or there twice."""
    others, posts, leads, requests = [*map(int, arguments), *(OTHERS, POSTS, LEADS, REQUESTS)[len(arguments) :]]
    size = Size(posts, leads, requests)
    directory = Path(f"/var/tmp/draggonnb-bench-{os.getuid()}-fairness")
    shutil.rmtree(directory, ignore_errors=True)
    with embedded_server(directory) as server, running_system(server, **DEFAULTS, **ROOMY) as system:
        slugs = [f"client-{number:03}" for number in range(1, others + 1)]
        console.print(f"creating {others + 1} clients, each with its own database")
        create_clients(system, [BIG, *slugs])
        vault = Vault(system.settings.keys)
        for slug in (BIG, *slugs):
            with _tenant(system, opened(system, slug)) as conn:
                connect_accounts(conn, vault, opened(system, slug))
        latencies = {"claude_latency_seconds": CLAUDE_SECONDS, "social_latency_seconds": SOCIAL_SECONDS}
        system.sandbox.settings(**latencies, **UNLIMITED)
        alone = _live(system, slugs, Size(), 0)
        beside = _live(system, slugs, size, 1)
    shutil.rmtree(directory, ignore_errors=True)
    _report(others, size, alone, beside)


def _live(system: System, slugs: Sequence[str], size: Size, number: int) -> Round:
    """One round; the posts of the rounds have different words."""
    begins = datetime.now(UTC) + timedelta(seconds=5 + 0.05 * len(slugs) + POST_SEED_SECONDS * size.posts)
    moments = {
        slug: begins + timedelta(seconds=HEAD_START_SECONDS + place * WINDOW_SECONDS / len(slugs))
        for place, slug in enumerate(slugs)
    }
    for place, slug in enumerate(slugs):
        with _tenant(system, opened(system, slug)) as conn:
            queue_posts(conn, opened(system, slug), range(place + 4 * number, place + 4 * number + 1), [moments[slug]])
    if size.posts:
        with _tenant(system, opened(system, BIG)) as conn:
            queue_posts(conn, opened(system, BIG), range(size.posts), [begins] * size.posts)
    due = {opened(system, slug).id: at for slug, at in moments.items()} | {opened(system, BIG).id: begins}
    with psycopg.connect(system.settings.dsn) as conn:
        conn.execute(AGENDA, (list(due), list(due.values())))
    if datetime.now(UTC) > begins:
        raise RuntimeError("queueing the posts took longer than was thought")
    public_before = _public(system)
    asyncio.run(_send(system, moments, size, begins, number))
    console.print(f"all is sent after {(datetime.now(UTC) - begins).total_seconds():.0f} s")
    _wait(system, lambda: system.master(OPEN)[0]["n"] == 0, "leads and requests are done")
    _wait(system, lambda: _public(system) - public_before == len(slugs) + size.posts, "posts are public")
    seconds = (datetime.now(UTC) - begins).total_seconds()
    round_ = _measure(system, slugs, size, begins, number, seconds)
    for name, found in (("posts", round_.posts), ("leads", round_.leads), ("requests", round_.requests)):
        console.print(f"{name} of the others: p95 {_percentiles(found)['p95']:.1f} s, most {max(found):.1f} s")
    return round_


async def _send(system: System, moments: dict[str, datetime], size: Size, begins: datetime, number: int) -> None:
    """The big client's at once, each of the others at its moment; all must be taken."""
    permits = asyncio.Semaphore(SENDERS)
    limits = httpx.Limits(max_connections=2 * SENDERS)
    async with httpx.AsyncClient(
        base_url=system.settings.base_url, timeout=60, limits=limits, trust_env=False
    ) as client:

        async def post(slug: str, kind: str, delivery: str, body: dict[str, Any], at: datetime = begins) -> None:
            await asyncio.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds()))
            headers = {"X-Webhook-Token": system.clients[slug].webhook_token, "X-Delivery-Id": delivery}
            answer = await client.post(f"/webhook/{slug}/{kind}", json=body, headers=headers)
            if answer.status_code != 202:
                raise RuntimeError(f"{slug} {delivery}: {answer.status_code} {answer.text[:200]}")

        async def post_of_big(kind: str, delivery: str, body: dict[str, Any]) -> None:
            async with permits:
                await post(BIG, kind, delivery, body)

        async with asyncio.TaskGroup() as tasks:
            for one in range(size.leads):
                tasks.create_task(post_of_big("leads", f"{number}-lead-{one}", company_of(BIG, one)))
            for one in range(size.requests):
                tasks.create_task(post_of_big("generate-content", f"{number}-request-{one}", _request(one)))
            for place, (slug, at) in enumerate(moments.items()):
                tasks.create_task(post(slug, "leads", f"{number}-lead", company_of(slug, number), at))
                tasks.create_task(post(slug, "generate-content", f"{number}-request", _request(place), at))


def _request(number: int) -> dict[str, Any]:
    brief = f"Tell what is special about the coffee of week {number}, and that it is roasted by hand."
    return {"brief": brief, "platforms": ["linkedin"]}


def _measure(system: System, slugs: Sequence[str], size: Size, begins: datetime, number: int, seconds: float) -> Round:
    """Raises RuntimeError: something is not done, or was called twice."""
    if dead := system.master(DEAD):
        raise RuntimeError(f"{len(dead)} deliveries are dead, such as: {dead[0]['last_error']}")
    took: dict[tuple[str, bool], list[float]] = {}
    for row in system.master(TOOK, f"{number}-%"):
        took.setdefault((row["topic"], row["slug"] == BIG), []).append(row["seconds"])
    late = [row["seconds"] for slug in slugs for row in system.tenant(slug, LATE, begins)]
    of_big = len(system.tenant(BIG, LATE, begins))
    counts = {name: len(found) for name, found in took.items()} | {("posts", False): len(late), ("posts", True): of_big}
    wanted = {
        **{(topic, False): len(slugs) for topic in ("posts", "leads", "content")},
        **{("posts", True): size.posts, ("leads", True): size.leads, ("content", True): size.requests},
    }
    if wrong := {name: counts.get(name, 0) for name, count in wanted.items() if counts.get(name, 0) != count}:
        raise RuntimeError(f"{wrong} are done once, and not {wanted}")
    return Round(sorted(late), sorted(took["leads", False]), sorted(took["content", False]), seconds)


def _report(others: int, size: Size, alone: Round, beside: Round) -> None:
    kinds = {
        "posts": "post: seconds after its time",
        "leads": "lead: webhook to its last step, s",
        "requests": "request for content: webhook to its last step, s",
    }
    rows: list[Sequence[object]] = []
    command = f"python -m benchmarks fairness {others} {size.posts} {size.leads} {size.requests}"
    data: dict[str, Any] = {"command": command, "others": others, "big": asdict(size)}
    for name, title in kinds.items():
        of_alone, of_beside = _percentiles(getattr(alone, name)), _percentiles(getattr(beside, name))
        rows += [[f"{title}, {which}", of_alone[which], of_beside[which]] for which in of_alone]
        data[name] = {"alone": of_alone, "beside": of_beside}
    rows.append(["until everything of everybody is done, s", alone.until_all_done, beside.until_all_done])
    data["until_all_done"] = {"alone": alone.until_all_done, "beside": beside.until_all_done}
    title = (
        f"{others} clients with one post, lead and request each, alone and beside one with {size.posts:,} due posts, "
        f"{size.leads:,} leads and {size.requests:,} requests"
    )
    report("fairness", title, ["", "alone", "beside the big one"], rows, data)


def _percentiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "most": values[-1]}


def _public(system: System) -> int:
    return sum(len(system.sandbox.public(name)) for name in ("facebook", "instagram", "linkedin", "x"))


def _wait(system: System, holds: Callable[[], bool], what: str) -> None:
    def look() -> bool:
        time.sleep(1)
        return holds()

    system.wait_until(what, look, seconds=PATIENCE_SECONDS)


def _tenant(system: System, client: Organization) -> psycopg.Connection:
    assert client.database_name
    return psycopg.connect(dsn_for(system.settings.dsn, client.database_name))
