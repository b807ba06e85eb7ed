"""A broker and warm workers for a running system: started, found by the runs that they execute, killed as a whole.

Not here: what they work on (`system.py`).
"""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import redis

from draggonnb_pipelines.cli import command_lines
from draggonnb_pipelines.cli.processes import Process, free_port
from draggonnb_pipelines.errors import OperatorError
from tests.stories.system import System, dagster_dsn

WORKER = "worker"
SECOND = "second worker"
# Who executes a run says so in its first event; the lock's holder proves that it still does.
EXECUTED = r"""
select r.run_id, r.pipeline_name as job, (regexp_match(e.event, '\(pid: (\d+)\)'))[1]::int as pid
from runs r join event_logs e on e.run_id = r.run_id
where r.status = 'STARTED' and e.dagster_event_type = 'ENGINE_EVENT' and e.event like '%%Started process for run%%'
"""
HOLDERS = """
select count(*) from pg_locks
where locktype = 'advisory' and granted
  and database = (select oid from pg_database where datname = current_database())
"""


@contextlib.contextmanager
def redis_broker(port: int | None = None) -> Iterator[str]:
    """A Redis of its own, on a free port if none is given, without files; its address.

    Raises:
        OperatorError: there is none on this machine.
    """
    program = shutil.which("redis-server")
    if program is None:
        raise OperatorError("there is no redis-server on PATH", remedy="apt install redis-server")
    port = port or free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen([program, *options], cwd="/var/tmp", stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port, socket_timeout=5) as client:
            for _ in range(100):
                with contextlib.suppress(redis.ConnectionError):
                    client.ping()
                    break
                psutil.wait_procs([psutil.Process(server.pid)], timeout=0.1)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(10)


@contextlib.contextmanager
def file_broker(folder: Path) -> Iterator[str]:
    """A folder as broker; its address."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield f"filesystem://{folder}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def add_worker(system: System) -> None:
    """A second one, as another machine would have it."""
    system.running.add(Process(SECOND, command_lines.worker("second"), lambda: True))


def wait_for_workers(system: System, *names: str) -> None:
    """Until each has said that it is ready: a process that is there may still import."""
    logs = [system.settings.state_dir / "logs" / f"{name.replace(' ', '_')}.log" for name in names]
    system.wait_until("the workers are ready", lambda: all(" ready." in log.read_text() for log in logs), seconds=180)


def processes_of(system: System, name: str) -> list[psutil.Process]:
    """Of a worker: its main process and those that execute runs."""
    main = psutil.Process(system.process_id(name))
    return [main, *main.children(recursive=True)]


def runs_of(system: System, name: str) -> dict[str, str]:
    """The jobs of the runs that a worker executes just now, by their ids."""
    pids = {process.pid for process in processes_of(system, name)}
    return {row["run_id"]: row["job"] for row in system.dagster(EXECUTED) if row["pid"] in pids}


def kill_worker(system: System, name: str) -> dict[str, str]:
    """SIGKILL all of its processes where they are; the jobs of the runs that it executed, by their ids."""
    found = processes_of(system, name)
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    cut_off = runs_of(system, name)
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(found, timeout=10)
    return cut_off


def locks_held(system: System) -> int:
    """How many runs show in Dagster's database that they live."""
    with psycopg.connect(dagster_dsn(system.settings.dsn), autocommit=True) as conn:
        row = conn.execute(HOLDERS).fetchone()
    return row[0] if row else 0
