"""The command line as an operator has it: real processes, each test with a master database and a state folder."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from tests.conftest import MASTER_KEYS
from tests.sandbox_process import free_port_pair

ROOT = Path(__file__).resolve().parents[2]
VERB = "from draggonnb_pipelines.cli import app; app()"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Cli:
    """Runs `draggonnb` with an environment in which nothing of the developer's own is left."""

    environment: dict[str, str]

    def __call__(self, *arguments: str, **more: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-c", VERB, *arguments],
            env=self.environment | more,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str, **more: str) -> str:
        ended = self(*arguments, **more)
        assert (ended.code, ended.err) == (0, ""), ended
        return ended.out

    def rows(self, query: LiteralString, *values: Any) -> list[dict[str, Any]]:
        """What master holds."""
        with psycopg.connect(self.environment["DRAGGONNB_MASTER_DSN"], autocommit=True) as conn:
            return conn.cursor(row_factory=dict_row).execute(query, values).fetchall()

    def execute(self, query: LiteralString, *values: Any) -> None:
        with psycopg.connect(self.environment["DRAGGONNB_MASTER_DSN"], autocommit=True) as conn:
            conn.execute(query, values)


def clean_environment(tmp_path: Path, **settings: str) -> dict[str, str]:
    """The caller's environment without our variables; ports that nobody listens on."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DRAGGONNB_")}
    ports = {f"DRAGGONNB_{name}_PORT": str(free_port_pair()) for name in ("API", "UI", "SANDBOX")}
    return kept | ports | {"DRAGGONNB_STATE_DIR": str(tmp_path / "state")} | settings


@pytest.fixture
def cli(master_dsn: str, tmp_path: Path) -> Cli:
    """On a migrated master database without any organization."""
    return Cli(clean_environment(tmp_path, DRAGGONNB_MASTER_DSN=master_dsn, DRAGGONNB_MASTER_KEYS=MASTER_KEYS))


@pytest.fixture
def tenant(cli: Cli) -> Iterator[Callable[[str], str]]:
    """`tenant("kloof-coffee")` creates one through the CLI. Each database is dropped with its master."""

    def create(slug: str) -> str:
        details = ["--name", slug.replace("-", " ").title(), "--owner-email", f"sales@{slug}.example"]
        return cli.ok("tenant", "create", slug, *details)

    # Other tests of this server may have used the slug: the database's name has no test's mark.
    yield create
    names = [
        row["name"] for row in cli.rows("select database_name as name from organizations where database_name > ''")
    ]
    with contextlib.closing(psycopg.connect(cli.environment["DRAGGONNB_MASTER_DSN"], autocommit=True)) as conn:
        for name in names:
            conn.execute(SQL("drop database if exists {} with (force)").format(Identifier(name)))


@pytest.fixture
def running_api(cli: Cli, tmp_path: Path) -> Callable[..., AbstractContextManager[None]]:
    """The API as a process of its own, on the CLI's database and port."""

    @contextlib.contextmanager
    def run(**more: str) -> Iterator[None]:
        with (tmp_path / "api.log").open("wb") as log:
            command = [sys.executable, "-m", "draggonnb_pipelines.api"]
            process = subprocess.Popen(command, env=cli.environment | more, cwd=ROOT, stdout=log, stderr=log)
            try:
                _wait(f"http://127.0.0.1:{cli.environment['DRAGGONNB_API_PORT']}/api/health", process)
                yield
            finally:
                process.terminate()
                process.wait(15)

    return run


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(url, timeout=2, trust_env=False)
            return
        time.sleep(0.1)
    raise RuntimeError(f"the API does not answer; exit code {process.poll()}")
