"""The stage: the whole stack on an embedded server of its own, three clients, and whoever keeps it running.

Lives here: starting it once for many faults, the supervisor (as `draggonnb up` does it), verbs in the environment of
the stack, and what was said since a fault began. Not here: the server itself (`postgres.py`), what comes in and what
must come of it (`work.py`), where things are told (`telling.py`).
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil

from draggonnb_pipelines.resources.embedded_postgres import embedded_server
from draggonnb_pipelines.resources.stack import open_stack
from faults.postgres import Postgres
from faults.telling import new_text
from faults.work import CLIENTS, Work
from tests.sandbox_process import Sandbox
from tests.stories.killer import is_run_worker
from tests.stories.publish_world import World
from tests.stories.system import System, running_system
from tests.workflows.publish_work import connect

AGENCY = "draggonnb"
HEALTHY_SECONDS = 180.0
VERB_SECONDS = 120.0
DRAGGONNB = str(Path(sys.executable).with_name("draggonnb"))
# Waiting times of minutes, made seconds, beside those of `tests.stories.system.IMPATIENT`.
SETTINGS = {"DRAGGONNB_PUBLISH_SETTLE_SECONDS": "2"}


class Scene:
    """A running stack on which faults happen.

    Args:
        system: the stack, its vendors' sandbox and plain questions to its databases.
        postgres: its server.
    """

    agency = AGENCY
    clients: Sequence[str] = CLIENTS

    def __init__(self, system: System, postgres: Postgres) -> None:
        self.system, self.postgres = system, postgres
        self.environment = system.running.environment
        self.work = Work(system, self._world())
        self._said: list[str] = []
        self._supervising = threading.Event()
        self.begins()

    @property
    def sandbox(self) -> Sandbox:
        """The vendors; scripts of theirs are taken away after each fault."""
        return self.system.sandbox

    @property
    def seconds(self) -> float:
        """Since the fault began."""
        return time.monotonic() - self._began

    def begins(self) -> None:
        """From now on the fault is there; what is told before does not count."""
        self._began, self.began_at = time.monotonic(), datetime.now(UTC)
        self._said_before = len(self._said)
        self._logs_before = {path.stem: path.stat().st_size for path in self._logs.glob("*.log")}
        with contextlib.suppress(OSError):
            self._mails_before = len(self.sandbox.public("mail"))

    # --- asking

    def rows(self, client: str | None, query: str, *values: object) -> list[dict[str, Any]]:
        """Rows of a client's database, or of the master's."""
        return self.system.tenant(client, query, *values) if client else self.system.master(query, *values)

    def database(self, client: str) -> str:
        return str(self.system.clients[client].organization.database_name)

    def new_mails(self) -> list[dict[str, Any]]:
        """Mails that came since the fault began, oldest first: `recipient`, `subject`, `text`."""
        return self.sandbox.public("mail")[self._mails_before :]

    def said_by_up(self) -> list[str]:
        return self._said[self._said_before :]

    def log_lines(self, process: str) -> list[str]:
        name = process.replace(" ", "_")
        return new_text(self._logs / f"{name}.log", self._logs_before.get(name, 0)).splitlines()

    def draggonnb(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A verb, as an operator types it; settings by their full names go over the stack's, empty ones away."""
        how: dict[str, Any] = {"capture_output": True, "text": True, "timeout": VERB_SECONDS}
        values = self._values({"COLUMNS": "250"} | environment)  # so that no line of a table is broken
        return subprocess.run([DRAGGONNB, *arguments], env=values, stdin=subprocess.DEVNULL, **how)

    @contextlib.contextmanager
    def begun(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A verb that is under way, silent; it has ended at the end of this."""
        null = subprocess.DEVNULL
        command = [DRAGGONNB, *arguments]
        with subprocess.Popen(command, env=self.environment, stdin=null, stdout=null, stderr=null) as process:
            yield process

    def _values(self, changes: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in (self.environment | dict(changes)).items() if value}

    def verdict(self, job: str, name: str) -> str | None:
        """What an asset check says if it does not pass, after a run of its job, as its schedule asks for it."""
        self.system.launch(job, {})
        found = self.system.dagster(
            "select evaluation_event::json -> 'dagster_event' -> 'event_specific_data' as said"
            " from asset_check_executions where check_name = %s and evaluation_event is not null"
            " order by id desc limit 1",
            name,
        )
        said: dict[str, Any] = found[0]["said"] if found else {"success": True}
        return None if said["success"] else str(said["description"] or name)

    # --- hands

    def do(self, work: Any) -> Any:
        """Run `async def work(stack)` with clients, databases and the clock of the stack's settings; its result."""

        async def run() -> Any:
            async with open_stack(self.system.settings) as stack:
                return await work(stack)

        return asyncio.run(run())

    def process(self, name: str) -> psutil.Process:
        """One of the stack's own: `api`, `code server`, `daemon`, `sandbox`."""
        return psutil.Process(self.system.process_id(name))

    def run_workers(self) -> list[psutil.Process]:
        """The processes that execute runs now."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [child for child in self.process("code server").children() if is_run_worker(child)]
        return []

    @contextlib.contextmanager
    def unsupervised(self) -> Iterator[None]:
        """Nobody starts again what ends, until the end of this."""
        self._supervising.clear()
        time.sleep(1.2)  # the look that is under way
        try:
            yield
        finally:
            self._supervising.set()

    @contextlib.contextmanager
    def restarted(self, name: str, **environment: str) -> Iterator[None]:
        """A process of the stack, started again with other settings; at the end once more, with its own."""
        [process] = [one for one in self.system.running.processes if one.name == name]
        process.environment = self._values(environment)
        try:
            self.restart(name)
            yield
        finally:
            process.environment = None
            self.restart(name)

    def restart(self, name: str) -> None:
        """End a process; whoever supervises starts it again."""
        with contextlib.suppress(psutil.NoSuchProcess):
            old = self.process(name)
            old.kill()
            self.system.wait_until(f"{name} is started again", lambda: self.process(name).pid != old.pid, seconds=30)

    # --- before and after a fault

    def until_healthy(self, seconds: float = HEALTHY_SECONDS) -> None:
        """Wait until health says so.

        Raises:
            AssertionError: it does not; with what it says.
        """
        deadline, said = time.monotonic() + seconds, ""
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError, ValueError):
                body = self.system.http.get("/api/health").json()
                if body["status"] == "healthy":
                    return self._end_outage()
                said = f"{body['status']}: {body['why']}"
            time.sleep(1)
        raise AssertionError(f"after {seconds:.0f} s health still says {said or 'nothing'}")

    def _end_outage(self) -> None:
        """Whoever was mailed by `watch` that an outage began is mailed that it is over, as with its next look."""
        state = self.system.settings.state_dir / "watch.json"
        if state.exists() and json.loads(state.read_text())["since"]:
            self.draggonnb("watch")

    @contextlib.contextmanager
    def supervised(self) -> Iterator[None]:
        """Whatever of the stack ends is started again, as `draggonnb up` does it."""
        end = threading.Event()
        thread = threading.Thread(target=self._supervise, args=(end,), daemon=True)
        self._supervising.set()
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()

    def _supervise(self, end: threading.Event) -> None:
        while not end.wait(1):
            if not self._supervising.is_set():
                continue
            try:
                self.system.running.watch(self._said.append)
            except Exception as error:  # `up` itself would have ended: a fault that says so has found something
                self._said.append(f"draggonnb up ended: {type(error).__name__}: {error}")
            for process in self.system.running.processes:
                process.restarts = min(process.restarts, 3)  # five would be many in an hour; here are many faults

    @property
    def _logs(self) -> Path:
        return self.system.settings.state_dir.resolve() / "logs"

    def _world(self) -> World:
        """The clients with an account on each network, whose quotas are not what is tried here."""
        self.system.create(*(slug for slug in (AGENCY, *CLIENTS) if slug not in self.system.clients))
        self.sandbox.settings(
            social_refuses_duplicates=False,
            social_window_limit=100_000,
            x_app_daily_limit=1_000_000,
            instagram_quota_total=100_000,
        )
        organizations = {slug: self.system.clients[slug].organization for slug in CLIENTS}

        async def connect_all() -> None:
            async with open_stack(self.system.settings) as stack:
                for organization in organizations.values():
                    await connect(stack, organization)

        asyncio.run(connect_all())
        return World(self.sandbox, self.system.settings.dsn, organizations)


@contextlib.contextmanager
def open_scene(**environment: str) -> Iterator[Scene]:
    """A stack with these settings, on a server of its own, healthy; all of it is removed at the end."""
    folder = Path(f"/var/tmp/draggonnb-faults-{os.getuid()}-{uuid4().hex[:8]}")
    try:
        with (
            embedded_server(folder) as dsn,
            running_system(dsn, **(SETTINGS | environment)) as system,
        ):
            scene = Scene(system, Postgres(folder, dsn))
            with scene.supervised():
                scene.until_healthy()
                yield scene
    finally:
        shutil.rmtree(folder, ignore_errors=True)
