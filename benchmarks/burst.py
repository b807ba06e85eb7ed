"""A burst: 500 leads for 50 organizations within ten seconds, through the real API, daemon, code server and runs.

All must be answered with 202. Then it waits until each is analysed and its sales team is told, and counts: runs,
waiting times as the databases have them, CPU and memory by kind of process. The vendors are the sandbox's, Claude at
two seconds an answer.
"""

import asyncio
import os
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
from rich.progress import Progress

from benchmarks.costs import Costs
from benchmarks.server import console, report
from draggonnb_pipelines.resources.embedded_postgres import embedded_server
from tests.stories.system import System, company_of, running_system

ORGANIZATIONS = 50
LEADS = 500
SECONDS = 10.0
CLAUDE_SECONDS = 2.0
PATIENCE_SECONDS = 600
# The defaults of an installation, where the stories are impatient.
DEFAULTS = {
    "DRAGGONNB_LEASE_SECONDS": "60",
    "DRAGGONNB_NOTIFICATION_LEASE_SECONDS": "90",
    "DRAGGONNB_NOTIFICATION_SETTLE_SECONDS": "600",
    "DRAGGONNB_RETRY_BASE_SECONDS": "15",
    "DRAGGONNB_SENSOR_INTERVAL_SECONDS": "5",
}
WAITS = """
select l.id,
       (select min(created_at) from lead_analyses where lead_id = l.id and kind = 'business') as analysed,
       (select max(sent_at) from notification_deliveries where lead_id = l.id) as notified
from leads l
"""


def main(arguments: list[str]) -> None:
    """Run it once and report. There are no arguments."""
    directory = Path(f"/var/tmp/draggonnb-bench-{os.getuid()}-burst")
    shutil.rmtree(directory, ignore_errors=True)
    with embedded_server(directory) as server, running_system(server, **DEFAULTS) as system:
        slugs = [f"client-{number}" for number in range(1, ORGANIZATIONS + 1)]
        console.print(f"creating {ORGANIZATIONS} organizations, each with its own database")
        system.create(*slugs)
        system.sandbox.settings(claude_latency_seconds=CLAUDE_SECONDS)
        with Costs(system) as costs:
            started = time.monotonic()
            answers = asyncio.run(_post_all(system, slugs))
            posted_seconds = time.monotonic() - started
            console.print(f"{LEADS} leads posted in {posted_seconds:.1f} s: {_statuses(answers)}")
            _wait_for_all(system)
            wall_seconds = time.monotonic() - started
        _report(system, slugs, answers, costs, posted_seconds, wall_seconds)
    shutil.rmtree(directory, ignore_errors=True)


async def _post_all(system: System, slugs: Sequence[str]) -> list[tuple[int, float]]:
    """Post at an even pace, whether earlier ones are answered or not; status and seconds of each."""
    limits = httpx.Limits(max_connections=50)
    async with httpx.AsyncClient(
        base_url=system.settings.base_url, timeout=20, limits=limits, trust_env=False
    ) as client:
        started = time.monotonic()

        async def post(number: int) -> tuple[int, float]:
            slug = slugs[number % len(slugs)]
            headers = {"X-Webhook-Token": system.clients[slug].webhook_token, "X-Delivery-Id": f"burst-{number}"}
            await asyncio.sleep(started + number * SECONDS / LEADS - time.monotonic())
            sent = time.monotonic()
            answer = await client.post(f"/webhook/{slug}/leads", json=company_of(slug, number), headers=headers)
            return answer.status_code, time.monotonic() - sent

        return await asyncio.gather(*(post(number) for number in range(LEADS)))


def _wait_for_all(system: System) -> None:
    def done() -> int:
        [row] = system.master("select count(*) as n from inbox where topic = 'leads' and state in ('done', 'dead')")
        return row["n"]

    with Progress(console=console) as progress:
        task = progress.add_task("analysed and notified", total=LEADS)

        def all_done() -> bool:
            progress.update(task, completed=done())
            return progress.tasks[task].finished

        system.wait_until("all leads are done", all_done, seconds=PATIENCE_SECONDS)


def _report(
    system: System,
    slugs: Sequence[str],
    answers: list[tuple[int, float]],
    costs: Costs,
    posted_seconds: float,
    wall_seconds: float,
) -> None:
    took = waits(system, slugs)
    runs = system.dagster("select status, count(*) as n from runs where pipeline_name = 'qualify_leads' group by 1")
    answered = [seconds * 1000 for _, seconds in answers]
    figures = {
        "leads posted": LEADS,
        "answered 202": _statuses(answers)[202],
        "posted in, s": posted_seconds,
        "answer p50, ms": percentile(answered, 50),
        "answer p95, ms": percentile(answered, 95),
        "leads analysed": len(took["analysed"]),
        "leads notified": len(took["notified"]),
        "runs": sum(row["n"] for row in runs),
        "wall time, s": wall_seconds,
        "webhook to analysis p50, s": percentile(took["analysed"], 50),
        "webhook to analysis p95, s": percentile(took["analysed"], 95),
        "webhook to notified p50, s": percentile(took["notified"], 50),
        "webhook to notified p95, s": percentile(took["notified"], 95),
    }
    kinds = costs.by_kind()
    total = sum(cost.cpu_seconds for cost in kinds.values())
    rows: list[Sequence[object]] = [[name, value] for name, value in figures.items()]
    rows += [[f"CPU of {kind}, s", cost.cpu_seconds] for kind, cost in kinds.items()]
    rows += [["CPU of all, s", total], ["CPU of all per lead, ms", 1000 * total / LEADS]]
    rows += [[f"peak memory of one {kind}, MiB", cost.peak_mib] for kind, cost in kinds.items()]
    data = {
        "organizations": ORGANIZATIONS,
        "claude_seconds": CLAUDE_SECONDS,
        "figures": figures,
        "runs_by_status": {row["status"]: row["n"] for row in runs},
        "processes": {kind: vars(cost) for kind, cost in kinds.items()},
    }
    report("burst", f"{LEADS} leads for {ORGANIZATIONS} organizations in {SECONDS:.0f} s", ["", "value"], rows, data)


def waits(system: System, slugs: Sequence[str]) -> dict[str, list[float]]:
    """Seconds from the webhook to each effect, for every lead that has it."""
    received = {
        row["lead_id"]: row["received_at"]
        for row in system.master("select lead_id, received_at from inbox where topic = 'leads'")
    }
    rows = [row for slug in slugs for row in system.tenant(slug, WAITS)]
    return {
        effect: [(row[effect] - received[row["id"]]).total_seconds() for row in rows if row[effect] is not None]
        for effect in ("analysed", "notified")
    }


def _statuses(answers: list[tuple[int, float]]) -> Counter[int]:
    return Counter(status for status, _ in answers)


def percentile(values: list[float], percent: int) -> Any:
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else None
