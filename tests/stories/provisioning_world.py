"""Clients that have paid, vendors with a database server, and runs in processes that are killed where they stand.

Lives here: the databases, the sandbox, one client's way to a point and to its end. Not here: the points
(`provisioning_points.py`), the runs (`provisioning_worker.py`), what must come of it (`provisioning_ledger.py`).
"""

import asyncio
import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.domain.organizations import AGENCY_SLUG, Organization
from draggonnb_pipelines.domain.provisioning import project_name
from draggonnb_pipelines.resources.postgres import MasterDb, dsn_for
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.workflows.organizations import NewOrganization, create_organization
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox, sandbox_process
from tests.stories.provisioning_points import SALES, Abort, Hold, Point
from tests.stories.provisioning_worker import opened, set_up, take_down
from tests.supabase_calls import management
from tests.workflows.paid_clients import open_client

# Longer than a request takes that is done after its sender's death.
SETTLE_SECONDS = 1.2
PATIENCE_SECONDS = 60
ROUNDS = 8
TIME_PASSES = "update provisionings set not_before = now() where state = 'waiting' and not_before > now()"
STATE = """
select p.state, p.last_step, p.last_error from provisionings p join organizations o on o.id = p.organization_id
where o.slug = %(slug)s
"""
# A statement that came before the process died would be done when the way is free.
BLOCKED = """
select pg_terminate_backend(pid) from pg_stat_activity
where %(pid)s = any(pg_blocking_pids(pid))
"""


@dataclass(frozen=True)
class Stay:
    """How one client came through.

    Args:
        seconds: until it had everything, or nothing any more.
        runs: how many it took after the last kill.
        fate: what the vendor did with the request of the point, the last one: "done", "refused", or "nothing".
    """

    plan: Point | Abort
    slug: str
    seconds: float
    runs: int
    fate: str


def _ready_to_fork() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.stories.provisioning_worker"])
    return context


@dataclass
class World:
    """One set of vendors, one master database; its clients are set up one after the other."""

    sandbox: Sandbox
    server_dsn: str
    values: dict[str, Any]
    agency: Organization
    context: ForkServerContext = field(default_factory=_ready_to_fork)
    seen: int = 0

    @property
    def master_dsn(self) -> str:
        return self.values["master_dsn"]

    def open(self, slug: str) -> None:
        async def work() -> None:
            async with opened(self.values) as stack:
                await open_client(stack, slug)

        asyncio.run(work())

    def run(self) -> None:
        """A run to its end."""
        self._to_its_end(self.start(set_up, f"run-{uuid4()}"))

    def start(self, work: Callable[[Mapping[str, Any], str], None], argument: str) -> BaseProcess:
        process = self.context.Process(target=work, args=(self.values, argument), daemon=True)
        process.start()
        return process

    def ask(self, query: str, **values: Any) -> list[dict[str, Any]]:
        with psycopg.Connection[DictRow].connect(self.master_dsn, row_factory=dict_row) as conn:
            cursor = conn.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def databases(self) -> set[str]:
        """The refs of projects that have a database on the server, also other worlds'."""
        rows = self.ask("select datname from pg_database where datname like 'supabase\\_%%'", some=None)
        return {row["datname"].removeprefix("supabase_") for row in rows}

    def state(self, slug: str) -> str:
        return self.ask(STATE, slug=slug)[0]["state"]

    def finish(self, slug: str) -> int:
        """Runs, and time between them, until the client is done; how many runs it took."""
        for number in range(ROUNDS):
            if self.state(slug) == "done":
                return number
            self.ask(TIME_PASSES)
            self.run()
        assert self.state(slug) == "done", f"{slug}: {self.ask(STATE, slug=slug)}"
        return ROUNDS

    def pass_through(self, point: Point, slug: str) -> Stay:
        """One new client: a run that is killed at the point, then as many as it takes."""
        began = time.monotonic()
        self.open(slug)
        self.hit(point, slug)
        runs = self.finish(slug)
        return Stay(point, slug, time.monotonic() - began, runs, self.fate(point))

    def give_up(self, plan: Abort, slug: str) -> Stay:
        """One new client: runs that are killed, an abort that is killed, and as many aborts as it takes."""
        began = time.monotonic()
        self.open(slug)
        for point in plan.stopped:
            self.hit(point, slug)
        self.hit(plan.removing, slug, take_down)
        runs = 0
        while self.state(slug) != "aborted":
            assert runs < ROUNDS, f"{slug}: {self.ask(STATE, slug=slug)}"
            self.start(take_down, slug).join(PATIENCE_SECONDS)
            runs += 1
        return Stay(plan, slug, time.monotonic() - began, runs, self.fate(plan.removing))

    def hit(self, point: Point, slug: str, work: Callable[[Mapping[str, Any], str], None] = set_up) -> None:
        """Start a process and kill it at the point."""
        self._look_at_journal()
        self.sandbox.faults(point.call.route, *point.steps)
        victim = self.start(work, slug if work is take_down else f"run-{uuid4()}")
        try:
            if point.moment == "error":
                self._to_its_end(victim)
                assert not self._is_on_its_way(), f"{point.name} was not come to"
            else:
                self._until(lambda: not self._is_on_its_way(), victim, point)
                self._strike(point, slug, victim)
        finally:
            victim.kill()
            victim.join(PATIENCE_SECONDS)
            self.sandbox.clear_faults()

    def fate(self, point: Point) -> str:
        """What became of the request at the point that was hit last; one that comes late is waited for."""
        if point.moment == "late":
            self._until(lambda: self._entry(point) is not None, None, point)
        entry = self._entry(point)
        if entry is None or point.moment == "before":
            return "nothing"
        return "done" if entry["accepted"] else "refused"

    def _strike(self, point: Point, slug: str, victim: BaseProcess) -> None:
        if point.moment == "unheard":
            self._until(lambda: self._entry(point) is not None, victim, point)
        if point.hold is None or point.moment != "unwritten":
            victim.kill()
            victim.join(PATIENCE_SECONDS)
            return
        dsn = self._dsn(point.hold, slug)
        with psycopg.connect(dsn) as conn, psycopg.connect(dsn, autocommit=True) as other:
            conn.execute(point.hold.statement.encode(), {"slug": slug, "step": point.call.step})
            blocked = "select from pg_stat_activity where %s = any(pg_blocking_pids(pid))"
            pid = conn.info.backend_pid
            self._until(lambda: bool(other.execute(blocked, [pid]).fetchall()), victim, point)
            victim.kill()
            victim.join(PATIENCE_SECONDS)
            other.execute(BLOCKED, {"pid": pid})
            self._until(lambda: not other.execute(blocked, [pid]).fetchall(), None, point)
            conn.rollback()

    def _dsn(self, hold: Hold, slug: str) -> str:
        if hold.database == "master":
            return self.master_dsn
        if hold.database == "agency":
            return dsn_for(self.server_dsn, str(self.agency.database_name))
        [ref] = [one["ref"] for one in self.sandbox.public("supabase") if one["name"] == project_name(slug)]
        return dsn_for(self.server_dsn, f"supabase_{ref}")

    def _until(self, is_so: Callable[[], bool], victim: BaseProcess | None, point: Point) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert victim is None or victim.is_alive(), f"{point.name}: the run ended before"
            assert time.monotonic() < deadline, f"{point.name} was not come to"
            time.sleep(0.01)

    def _to_its_end(self, process: BaseProcess) -> None:
        process.join(PATIENCE_SECONDS)
        assert process.exitcode == 0, f"a run ended with {process.exitcode}"

    def _is_on_its_way(self) -> bool:
        return bool(self.sandbox.faults_left())

    def _look_at_journal(self) -> None:
        self.seen = max((entry["id"] for entry in self.sandbox.journal(since=self.seen)), default=self.seen)

    def _entry(self, point: Point) -> dict[str, Any] | None:
        """The request of the point, once its vendor is through with it."""
        kind = point.steps[-1]["kind"]
        entries = [entry for entry in self.sandbox.journal(since=self.seen) if entry["fault"] == kind]
        place = point.call.number - 1 if kind == "latency" else 0  # those that passed are scripted so too
        return entries[place] if len(entries) > place else None


@contextlib.contextmanager
def provisioning_world(server_dsn: str, master_template: str) -> Iterator[World]:
    """A master database with the agency, and vendors that take no time; all of it is removed at the end."""
    name = f"test_kills_{uuid4().hex[:12]}"
    with contextlib.closing(psycopg.connect(server_dsn, autocommit=True)) as server, sandbox_process() as sandbox:
        server.execute(SQL("create database {} template {}").format(Identifier(name), Identifier(master_template)))
        dsn = dsn_for(server_dsn, name)
        agency = asyncio.run(_agency(dsn, f"{name}_"))
        sandbox.settings(
            postgres_dsn=server_dsn,
            supabase_project_seconds=0.1,
            supabase_rate_per_minute=1_000_000,
            claude_latency_seconds=0.0,
            github_copy_seconds=0.1,
            github_rate_per_hour=1_000_000,
            vercel_build_seconds=0.1,
        )
        values = {
            "master_dsn": dsn,
            "sandbox_port": sandbox.port,
            "provision_settle_seconds": SETTLE_SECONDS,
            "provision_poll_seconds": 0.05,
            "provision_patience_seconds": PATIENCE_SECONDS / 2,
            "notification_settle_seconds": 1,
            "retry_base_seconds": 0.001,
        }
        try:
            yield World(sandbox, server_dsn, values, agency)
        finally:
            for project in sandbox.public("supabase"):  # one by one: together they take longer than a call may
                management(sandbox, "DELETE", f"/projects/{project['ref']}")
            sandbox.reset()
            for database in (agency.database_name, name):
                server.execute(SQL("drop database if exists {} with (force)").format(Identifier(str(database))))


async def _agency(dsn: str, prefix: str) -> Organization:
    async with MasterDb(dsn, max_connections=2) as master:
        new = NewOrganization(AGENCY_SLUG, "DraggonnB", SALES, "+27821234567")
        made = await create_organization(new, master=master, vault=Vault(MASTER_KEYS), server_dsn=dsn, prefix=prefix)
    return made.organization
