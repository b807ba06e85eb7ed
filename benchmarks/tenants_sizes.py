"""How large things are while many clients are served: databases, the event log, connections, memory of all processes.

Not here: CPU of processes, and the memory of single ones (`costs.py`).
"""

import contextlib
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import psycopg

from benchmarks.costs import SANDBOX, Costs
from tests.stories.system import System

SAMPLE_SECONDS = 1.0
WEIGH_SECONDS = 20.0  # it costs some milliseconds for each process
# All but the samplers' own.
CONNECTIONS = """
select count(*), count(*) filter (where state = 'active')
from pg_stat_activity where backend_type = 'client backend' and application_name <> 'sizes'
"""
# Of the tenants, and of everything else by name.
DATABASES = """
select case when o.id is null then d.datname else 'tenants' end as name, count(*) as n,
       sum(pg_database_size(d.oid)) as bytes
from pg_database d left join organizations o on o.database_name = d.datname
where not d.datistemplate group by 1
"""
EVENTS = """
select count(*) as rows, pg_total_relation_size('event_logs') as bytes,
       count(*) filter (where asset_key is not null) as of_assets from event_logs
"""
RUNS = """
select pipeline_name as job, count(*) as runs, count(*) filter (where status in ('FAILURE', 'CANCELED')) as failed,
       sum(end_time - start_time) as seconds
from runs where start_time >= extract(epoch from cast(%s as timestamptz)) group by 1 order by 1
"""
# Dagster's launcher says which process executes a run.
WORKERS_OF = """
select r.pipeline_name as job, cast(substring(e.event from '\\(pid: ([0-9]+)\\)') as integer) as pid
from event_logs e join runs r on r.run_id = e.run_id
where e.dagster_event_type = 'ENGINE_EVENT' and e.event like '%(pid: %'
"""


class Sizes:
    """Watches between `with` and its end.

    `most` server connections, `most_active` of them at work; `memory` of each kind of process in MiB, all together,
    at the moment at which the whole stack had most.
    """

    def __init__(self, system: System) -> None:
        self.most = self.most_active = 0
        self.memory: dict[str, float] = {}
        self._costs = Costs(system)
        self._dsn = system.settings.dsn
        self._ended = threading.Event()
        samplers = ((self._count, SAMPLE_SECONDS), (self._weigh, WEIGH_SECONDS))
        self._samplers = [threading.Thread(target=self._sample, args=of, daemon=True) for of in samplers]

    def __enter__(self) -> Self:
        for sampler in self._samplers:
            sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for sampler in self._samplers:
            sampler.join()

    def _sample(self, look: Callable[[psycopg.Connection], None], seconds: float) -> None:
        with contextlib.closing(psycopg.connect(self._dsn, autocommit=True, application_name="sizes")) as conn:
            while not self._ended.wait(seconds):
                look(conn)

    def _count(self, conn: psycopg.Connection) -> None:
        row = conn.execute(CONNECTIONS).fetchone()
        assert row
        self.most, self.most_active = max(self.most, row[0]), max(self.most_active, row[1])

    def _weigh(self, _: psycopg.Connection) -> None:
        now = self._costs.shares_now()
        if _without_sandbox(now) > _without_sandbox(self.memory):
            self.memory = now


def _without_sandbox(memory: Mapping[str, float]) -> float:
    return sum(mib for kind, mib in memory.items() if kind != SANDBOX)


def database_bytes(system: System) -> dict[str, float]:
    """Of the master, of Dagster's, and of one tenant in the mean."""
    found = {row["name"]: row for row in system.master(DATABASES)}
    [master] = [row["name"] for row in system.master("select current_database() as name")]
    tenants = found["tenants"]
    return {
        "master": float(found[master]["bytes"]),
        "dagster": float(found[f"{master}_dagster"]["bytes"]),
        "mean tenant": float(tenants["bytes"]) / tenants["n"],
    }


def events(system: System) -> dict[str, int]:
    """Rows of Dagster's event log, with its size in bytes."""
    [row] = system.dagster(EVENTS)
    return row


def runs(system: System, since: Any) -> dict[str, dict[str, Any]]:
    """By job: runs that began since then, how many did not end well, and how long all of them took."""
    return {row.pop("job"): row for row in system.dagster(RUNS, since)}


def failed_runs(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Jobs of which a run ended badly; of `runs`."""
    return [f"{job}: {of['failed']} of {of['runs']} runs failed" for job, of in found.items() if of["failed"]]


def cpu_by_job(system: System, by_worker: Mapping[int, float]) -> dict[str, float]:
    """CPU seconds of the runs' own processes, by job; without what Postgres did for them."""
    jobs = {row["pid"]: row["job"] for row in system.dagster(WORKERS_OF)}
    found = dict.fromkeys(sorted({jobs[pid] for pid in by_worker if pid in jobs}), 0.0)
    for pid, seconds in by_worker.items():
        if pid in jobs:
            found[jobs[pid]] += seconds
    return found
