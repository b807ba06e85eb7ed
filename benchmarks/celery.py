"""What warm workers save: the default launcher against one and two Celery workers on Redis, and one on files.

For each of them the whole stack starts anew, with an installation's defaults. First runs that find nothing to do, one
after another for the latency and the CPU of a run, then all at once; then leads and posts of all clients together,
after which nothing may be lost or doubled. `python -m benchmarks celery [CLIENTS [RUNS]]`, 20 and 40.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import psutil

from benchmarks.burst import DEFAULTS, percentile, waits
from benchmarks.costs import postmaster, used, used_by_children
from benchmarks.server import console, report
from draggonnb_pipelines.jobs import content_config
from draggonnb_pipelines.resources.embedded_postgres import embedded_server
from tests.stories.lead_ledger import count_leads, inbox_states
from tests.stories.publish_ledger import judge
from tests.stories.publish_system import world_in
from tests.stories.system import System, company_of, dagster_environment, running_system
from tests.stories.warm_workers import (
    SECOND,
    WORKER,
    add_worker,
    file_broker,
    processes_of,
    redis_broker,
    wait_for_workers,
)

JOB = "publish_due_posts"
ONE_BY_ONE = 10
IDLE_SECONDS = 20.0
LEADS, POSTS = 5, 5
CLAUDE_SECONDS, SOCIAL_SECONDS = 2.0, 0.5
PATIENCE_SECONDS = 1200.0
SHARDS = "4"
_MIB = 1024 * 1024
_RUNS = """
select run_id, status, end_time - asked as seconds, asked, end_time
from (select *, extract(epoch from create_timestamp at time zone 'UTC')::float as asked from runs) r
where run_id = any(%s)
"""


@dataclass
class Figures:
    """Of one way to run; seconds, CPU seconds, MiB (shared memory counted once)."""

    latency_p50_seconds: float = 0.0
    cpu_seconds_per_run: float = 0.0
    cpu_seconds_per_run_with_postgres: float = 0.0
    standing_cpu_seconds_per_minute: float = 0.0
    runs_per_minute: float = 0.0
    load_seconds: float = 0.0
    load_runs: int = 0
    load_cpu_seconds: float = 0.0
    analysis_p50_seconds: float = 0.0
    analysis_p95_seconds: float = 0.0
    executors_mib: float = 0.0
    troubles: list[str] = field(default_factory=list)


WAYS: dict[str, tuple[Callable[[], contextlib.AbstractContextManager[str]] | None, int]] = {
    "default launcher": (None, 0),
    "1 worker, Redis": (redis_broker, 1),
    "2 workers, Redis": (redis_broker, 2),
    "1 worker, files": (lambda: file_broker(Path(f"/var/tmp/draggonnb-bench-{os.getuid()}-broker")), 1),
}


def main(arguments: list[str]) -> None:
    """Run all ways and report. Raises RuntimeError when a way lost or doubled something.

    Args:
        arguments: how many clients, how many runs at once.
    """
    clients, runs = [*map(int, arguments), *(20, 40)[len(arguments) :]]
    found = {name: _measure(name, clients, runs) for name in WAYS}
    titles = {
        "request to end of one run p50, s": "latency_p50_seconds",
        "CPU of one run, s": "cpu_seconds_per_run",
        "CPU of one run with Postgres, s": "cpu_seconds_per_run_with_postgres",
        "CPU of an idle minute of what executes runs, s": "standing_cpu_seconds_per_minute",
        f"runs a minute, {runs} asked for at once": "runs_per_minute",
        f"load of {clients} clients: time, s": "load_seconds",
        "load: runs": "load_runs",
        "load: CPU of what executes runs, s": "load_cpu_seconds",
        "load: webhook to analysis p50, s": "analysis_p50_seconds",
        "load: webhook to analysis p95, s": "analysis_p95_seconds",
        "memory of what executes runs after it, MiB": "executors_mib",
    }
    rows = [[title, *(getattr(figures, name) for figures in found.values())] for title, name in titles.items()]
    data = {
        "command": f"python -m benchmarks celery {clients} {runs}",
        "clients": clients,
        "leads_per_client": LEADS,
        "posts_per_client": POSTS,
        "runs": runs,
        "figures": {name: asdict(figures) for name, figures in found.items()},
    }
    title = f"Launchers: empty runs, then {LEADS} leads and {POSTS} posts of each of {clients} clients"
    report("celery", title, ["", *found], rows, data)
    if troubles := [f"{name}: {trouble}" for name, figures in found.items() for trouble in figures.troubles]:
        raise RuntimeError("; ".join(troubles))


def _measure(name: str, clients: int, runs: int) -> Figures:
    console.print(f"{name}: starting")
    with _system(name) as system:
        figures = Figures()
        _empty_runs(system, figures, runs)
        _load(system, figures, clients)
        figures.executors_mib = sum(_pss(process) for process in _executors(system))
        console.print(f"{name}: {figures}")
        return figures


@contextlib.contextmanager
def _system(name: str) -> Iterator[System]:
    broker, workers = WAYS[name]
    directory = Path(f"/var/tmp/draggonnb-bench-{os.getuid()}-celery")
    shutil.rmtree(directory, ignore_errors=True)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        server = stack.enter_context(embedded_server(directory))
        address = {"DRAGGONNB_CELERY_BROKER": stack.enter_context(broker())} if broker else {}
        settings = {**DEFAULTS, "DRAGGONNB_SHARDS": SHARDS, **address}
        system = stack.enter_context(running_system(server, **settings))
        if workers == 2:
            add_worker(system)
        wait_for_workers(system, *(WORKER, SECOND)[:workers])
        yield system


def _empty_runs(system: System, figures: Figures, runs: int) -> None:
    """One after another, the first of them not counted; then many at once, under the limits of dagster.yaml.

    What stands by uses CPU too, which is taken off a run's.
    """
    _wait(system, _launch(system, 1))
    idle, idle_of_postgres = _cpu(system), _cpu_of_postgres(system)
    time.sleep(IDLE_SECONDS)
    standing = (_cpu(system) - idle) / IDLE_SECONDS
    standing_of_postgres = (_cpu_of_postgres(system) - idle_of_postgres) / IDLE_SECONDS

    started, before, postgres = time.monotonic(), _cpu(system), _cpu_of_postgres(system)
    seconds = []
    for _ in range(ONE_BY_ONE):
        run_ids = _launch(system, 1)
        seconds += [row["seconds"] for row in _wait(system, run_ids)]
    took = time.monotonic() - started
    of_runs = _cpu(system) - before - took * standing
    of_postgres = _cpu_of_postgres(system) - postgres - took * standing_of_postgres
    figures.latency_p50_seconds = median(seconds)
    figures.cpu_seconds_per_run = of_runs / ONE_BY_ONE
    figures.cpu_seconds_per_run_with_postgres = (of_runs + of_postgres) / ONE_BY_ONE
    figures.standing_cpu_seconds_per_minute = 60 * standing
    console.print(f"{figures.cpu_seconds_per_run:.2f} CPU s and {figures.latency_p50_seconds:.1f} s for an empty run")
    many = _wait(system, _launch(system, runs))
    took = max(row["end_time"] for row in many) - min(row["asked"] for row in many)
    figures.runs_per_minute = 60 * runs / took
    console.print(f"{figures.runs_per_minute:.1f} runs a minute")


def _load(system: System, figures: Figures, clients: int) -> None:
    slugs = [f"client-{number}" for number in range(1, clients + 1)]
    world = world_in(system, slugs, latency_seconds=SOCIAL_SECONDS)
    system.sandbox.settings(claude_latency_seconds=CLAUDE_SECONDS)
    [before] = system.dagster("select count(*) as n from runs")
    cpu, started = _cpu(system), time.monotonic()
    for number in range(LEADS):
        for slug in slugs:
            answer = system.post_lead(slug, company_of(slug, number), f"{slug}-{number}")
            answer.raise_for_status()
    for slug in slugs * POSTS:
        world.approve(slug)
    done = {"done": LEADS * clients}
    system.wait_until(
        "all is done", lambda: inbox_states(system) == done and world.is_done(slugs), seconds=PATIENCE_SECONDS
    )
    figures.load_seconds = time.monotonic() - started
    figures.load_cpu_seconds = _cpu(system) - cpu
    [after] = system.dagster("select count(*) as n from runs")
    figures.load_runs = after["n"] - before["n"]
    analysed = waits(system, slugs)["analysed"]
    figures.analysis_p50_seconds, figures.analysis_p95_seconds = percentile(analysed, 50), percentile(analysed, 95)
    posts, leads = judge(world), count_leads(system, slugs)
    wrong = {
        "posts lost": posts.lost,
        "posts doubled": posts.doubled,
        "posts of nobody": posts.strange,
        "rows of posts": posts.odd,
        "leads": leads.odd,
    }
    figures.troubles = [f"{len(found)} {what}" for what, found in wrong.items() if found]


def _launch(system: System, count: int) -> list[str]:
    """Runs of publishing with nothing due, asked for at once as by the UI; their ids.

    That job because it is the one that runs most often, and no limit but that of all runs holds it back.
    """
    config = json.dumps(json.dumps(content_config(shard=0)))
    place = f'repositoryLocationName: "draggonnb", repositoryName: "__repository__", pipelineName: "{JOB}"'
    one = f'launchRun(executionParams: {{selector: {{{place}}}, runConfigData: {config}, mode: "default"}}) {{...ids}}'
    asked = " ".join(f"run{number}: {one}" for number in range(count))
    ids = "fragment ids on LaunchRunResult { ... on LaunchRunSuccess { run { runId } } ... on Error { message } }"
    said = subprocess.run(
        [
            Path(sys.executable).with_name("dagster-graphql"),
            "--workspace",
            system.settings.state_dir.resolve() / "dagster" / "workspace.yaml",
            "--text",
            f"mutation {{ {asked} }} {ids}",
        ],
        env=os.environ | dagster_environment(system.settings),
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    ).stdout
    return [answer["run"]["runId"] for answer in json.loads(said)["data"].values()]


def _wait(system: System, run_ids: Sequence[str]) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = []

    def all_ended() -> bool:
        rows[:] = system.dagster(_RUNS, list(run_ids))
        return len(rows) == len(run_ids) and all(row["end_time"] for row in rows)

    system.wait_until("the runs have ended", all_ended, seconds=PATIENCE_SECONDS)
    if bad := [row for row in rows if row["status"] != "SUCCESS"]:
        raise RuntimeError(f"runs that should have done nothing: {bad}")
    return rows


def _cpu(system: System) -> float:
    """CPU seconds so far of what executes runs: the code server's children, or workers with theirs."""
    seconds = used_by_children(psutil.Process(system.process_id("code server")))
    for name in _workers(system):
        main = psutil.Process(system.process_id(name))
        seconds += used(main) + used_by_children(main)
    return seconds


def _cpu_of_postgres(system: System) -> float:
    main = postmaster(system)
    return used(main) + used_by_children(main)


def _executors(system: System) -> list[psutil.Process]:
    """The processes that stay for runs; under the default launcher there are none between two runs."""
    return [process for name in _workers(system) for process in processes_of(system, name)]


def _workers(system: System) -> list[str]:
    return [process.name for process in system.running.processes if process.name in (WORKER, SECOND)]


def _pss(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        return process.memory_full_info().pss / _MIB
    return 0.0
