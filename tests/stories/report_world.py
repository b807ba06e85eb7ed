"""Clients with public posts, Monday after Monday, and runs in processes that are killed where they stand.

Lives here: the databases, the sandbox, the API that its webhooks come to, one Monday's way to a point and to its end.
Not here: the points (`report_points.py`), the runs (`report_worker.py`), what must come of it (`report_ledger.py`).
"""

import asyncio
import contextlib
import multiprocessing
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from typing import Any
from uuid import UUID, uuid4

import psycopg
import uvicorn
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.api.app import create_app
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.postgres import MasterDb, dsn_for
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.messages.notices import Notice, tell
from draggonnb_pipelines.workflows.organizations import NewOrganization, create_organization
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox, free_port_pair, sandbox_process
from tests.stories.publish_worker import settings_of
from tests.stories.report_points import AGENCY, CLIENT, OTHER, OUTSIDER, Hold, Plan, Point
from tests.stories.report_worker import opened, work_off
from tests.workflows.collection_work import ids_of, make_public
from tests.workflows.publish_work import connect

FIRST_MONDAY = date(2026, 7, 6)
ALL, WITH_POSTS = (AGENCY, CLIENT, OTHER, OUTSIDER), (CLIENT, OTHER)
SETTLE_SECONDS = 2
PATIENCE_SECONDS = 60
ROUNDS = 8
LIFE = "life"
APP_SECRET = "secret-of-the-kill-test"
BLOCKED = "select pid from pg_stat_activity where %s = any(pg_blocking_pids(pid))"
OPEN = "select count(*) as n from notification_deliveries where status in ('pending', 'sending', 'unknown')"
UNKNOWN = "select count(*) as n from notification_deliveries where channel = 'whatsapp' and status = 'unknown'"


@dataclass(frozen=True)
class Stay:
    """How one Monday came through: seconds until everything was done, and the runs that it took after the last kill."""

    plan: Plan
    seconds: float
    runs: int


def _ready_to_fork() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.stories.report_worker"])
    return context


@dataclass
class World:
    """One set of vendors, one master database; its Mondays come one after the other."""

    sandbox: Sandbox
    values: Mapping[str, Any]
    clients: Mapping[str, Organization]
    accounts: Mapping[str, Mapping[Platform, UUID]]
    chance: random.Random
    context: ForkServerContext = field(default_factory=_ready_to_fork)
    mondays: list[date] = field(default_factory=list)
    ahead: timedelta = timedelta(0)
    seen: int = 0

    def ask(self, slug: str | None, query: str, *values: Any) -> list[dict[str, Any]]:
        """Of a client's database; None: the master's."""
        with psycopg.Connection[DictRow].connect(self.dsn(slug), row_factory=dict_row) as conn:
            cursor = conn.execute(query.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def dsn(self, slug: str | None) -> str:
        master, client = self.values["master_dsn"], self.clients.get(slug or "")
        return dsn_for(master, str(client.database_name)) if client else master

    def pass_through(self, plan: Plan) -> Stay:
        """The next Monday: runs that are killed, then as many as it takes."""
        began = time.monotonic()
        self._dawn()
        for point in plan.points:
            self._hit(point)
        if plan.random_kills:
            self._kill_by_chance(plan.random_kills)
        runs = self._finish()
        return Stay(plan, time.monotonic() - began, runs)

    def _dawn(self) -> None:
        """It is 06:00 UTC of the next Monday, and since Saturday each client has one more post on each network."""
        number = len(self.mondays)
        self.mondays.append(FIRST_MONDAY + timedelta(weeks=number))
        six = datetime(*self.mondays[-1].timetuple()[:3], 6, tzinfo=UTC)
        self.ahead = six - datetime.now(UTC)
        self.sandbox.settings(social_clock_ahead_seconds=self.ahead.total_seconds())
        self.ask(
            None, f"alter table inbox alter received_at set default now() + interval '{self.ahead.total_seconds()} s'"
        )

        async def publish() -> None:
            async with opened(self.values, self.ahead) as stack:
                for place, slug in enumerate(WITH_POSTS):
                    for platform, account in self.accounts[slug].items():
                        ids = ids_of(platform, self.clients[slug], 1, first=1000 * (place + 1) + number)
                        at = six - timedelta(hours=44)
                        await make_public(
                            stack, self.sandbox, self.clients[slug], account, platform, *ids, published_at=at
                        )

        asyncio.run(publish())

    def _start(self) -> BaseProcess:
        process = self.context.Process(target=work_off, args=(self.values, self.ahead), daemon=True)
        process.start()
        return process

    def _finish(self) -> int:
        """Runs until everybody has everything; how many."""
        for number in range(1, ROUNDS + 1):
            process = self._start()
            process.join(PATIENCE_SECONDS)
            assert process.exitcode == 0, f"the run ended with {process.exitcode}"
            if not any(self.ask(slug, OPEN)[0]["n"] for slug in ALL):
                return number
            time.sleep(SETTLE_SECONDS / 2)
            if any(self.ask(slug, UNKNOWN)[0]["n"] for slug in ALL):
                self._show_life()
        raise AssertionError(f"messages are open after {ROUNDS} runs: {[self.ask(slug, OPEN) for slug in ALL]}")

    def _show_life(self) -> None:
        """Another message goes out by WhatsApp, and its status webhooks come."""
        key = f"{LIFE}:{uuid4()}"
        notice = Notice(key, "weekly_report", LIFE, ("-",), roles=("owner",), whatsapp=("a", "b", "c", "d", "e", "f"))

        async def send() -> None:
            async with opened(self.values, self.ahead) as stack:
                await tell(stack, self.clients[OUTSIDER], [notice])

        asyncio.run(send())
        time.sleep(0.5)

    def _kill_by_chance(self, kills: int) -> None:
        """Two runs at once, of which one after the other is killed and another takes its place."""
        running = [self._start(), self._start()]
        for _ in range(kills):
            time.sleep(self.chance.uniform(0.1, 2.5))
            victim = running.pop(self.chance.randrange(2))
            _kill(victim)
            running.append(self._start())
        for process in running:
            process.join(PATIENCE_SECONDS)

    def _hit(self, point: Point) -> None:
        """Start a run and kill it at the point."""
        self.seen = max((entry["id"] for entry in self.sandbox.journal(since=self.seen)), default=self.seen)
        with ExitStack() as held:
            holder: psycopg.Connection | None = None
            if point.route:
                self.sandbox.faults(point.route, *point.steps)
            else:
                holder = self._hold(held, point.holds[0])
            victim = self._start()
            try:
                if point.route:
                    self._until(lambda: not self.sandbox.faults_left(), victim, point)
                if point.moment == "unheard":
                    self._until(lambda: self._is_accepted(point), victim, point)
                if point.moment == "unwritten":
                    holder = self._hold(held, point.holds[0])
                if point.moment == "error":
                    victim.join(PATIENCE_SECONDS)
                if holder is not None:
                    self._walk(held, holder, point, victim)
            finally:
                _kill(victim)
                self.sandbox.clear_faults()

    def _walk(self, held: ExitStack, holder: psycopg.Connection, point: Point, victim: BaseProcess) -> None:
        """From hold to hold; kill where it waits for the last one, so that what it waits for never happens."""
        with psycopg.connect(self.values["master_dsn"], autocommit=True) as other:
            for following in (*point.holds[1:], None):
                pid = holder.info.backend_pid

                def is_blocked(pid: int = pid) -> bool:
                    return bool(other.execute(BLOCKED, [pid]).fetchall())

                self._until(is_blocked, victim, point)
                if following is None:
                    _kill(victim)
                    for (blocked,) in other.execute(BLOCKED, [pid]).fetchall():
                        other.execute("select pg_terminate_backend(%s)", [blocked])
                    self._until(lambda: not is_blocked(), None, point)
                    holder.rollback()
                else:
                    before, holder = holder, self._hold(held, following)
                    before.rollback()

    def _hold(self, held: ExitStack, hold: Hold) -> psycopg.Connection:
        conn = held.enter_context(psycopg.connect(self.dsn(hold.database)))
        conn.execute(SQL("lock table {} in share mode").format(Identifier(hold.table)))
        return conn

    def _is_accepted(self, point: Point) -> bool:
        kind = point.steps[-1]["kind"]
        return any(entry["fault"] == kind for entry in self.sandbox.journal(since=self.seen))

    def _until(self, holds: Callable[[], bool], process: BaseProcess | None, point: Point) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert process is None or process.is_alive(), f"{point.name} {point.moment} was not come to"
            assert time.monotonic() < deadline, f"{point.name} {point.moment} took too long"
            time.sleep(0.01)


def _kill(process: BaseProcess) -> None:
    process.kill()
    process.join(PATIENCE_SECONDS)


@contextlib.contextmanager
def report_world(server_dsn: str, master_template: str, seed: int) -> Iterator[World]:
    """A master database with the agency, two clients with accounts on four networks and one without; all of it is
    removed at the end."""
    name, api_port = f"test_kills_{uuid4().hex[:12]}", free_port_pair()
    base = f"http://127.0.0.1:{api_port}"
    with (
        contextlib.closing(psycopg.connect(server_dsn, autocommit=True)) as server,
        sandbox_process(webhook_base=base, app_secret=APP_SECRET) as sandbox,
    ):
        server.execute(SQL("create database {} template {}").format(Identifier(name), Identifier(master_template)))
        sandbox.settings(whatsapp_status_seconds=0.05)
        values = {
            "master_dsn": dsn_for(server_dsn, name),
            "sandbox_port": sandbox.port,
            "public_base_url": base,
            "notification_settle_seconds": SETTLE_SECONDS,
            "retry_base_seconds": 0.001,
            "whatsapp_app_secret": APP_SECRET,
        }
        clients, accounts = asyncio.run(_create(values, f"{name}_"))
        try:
            with _serving(settings_of(values), api_port):
                yield World(sandbox, values, clients, accounts, random.Random(seed))
        finally:
            for database in (*(str(client.database_name) for client in clients.values()), name):
                server.execute(SQL("drop database if exists {} with (force)").format(Identifier(database)))


async def _create(
    values: Mapping[str, Any], prefix: str
) -> tuple[dict[str, Organization], dict[str, dict[Platform, UUID]]]:
    dsn, clients = values["master_dsn"], {}
    async with MasterDb(dsn, max_connections=2) as master, opened(values, timedelta(0)) as stack:
        for slug in ALL:
            new = NewOrganization(slug, slug.title(), f"sales@{slug}.example", "+27821234567")
            made = await create_organization(
                new, master=master, vault=Vault(MASTER_KEYS), server_dsn=dsn, prefix=prefix
            )
            clients[slug] = made.organization
        async with master.connection() as conn:
            await conn.execute("update organizations set created_at = '2026-01-01'")
        return clients, {slug: await connect(stack, clients[slug]) for slug in WITH_POSTS}


@contextlib.contextmanager
def _serving(settings: Settings, port: int) -> Iterator[None]:
    """The API, for the status webhooks."""
    config = uvicorn.Config(create_app(settings), port=port, log_config=None, access_log=False, proxy_headers=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the API did not start"
        thread.join(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(15)
