"""The installed layout for real: installed into a fresh folder, run, and upgraded while webhooks come in.

systemd is `supervisor.py`, since it runs on few machines with tests; the units, scripts, releases and processes are the
real ones. The environments are made from uv's cache where the machine has one.
"""

import contextlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from draggonnb_pipelines.resources.migrations import ensure_database
from draggonnb_pipelines.resources.postgres import dsn_for
from tests.deploy.installed import SLUG, Clients, Installation, drop_databases, install, newer_source
from tests.deploy.supervisor import Supervisor, supervised
from tests.sandbox_process import free_port_pair

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(900)]
UNITS = ("draggonnb-api.service", "draggonnb-code.service", "draggonnb-daemon.service")
API, CODE, DAEMON = UNITS


@pytest.fixture(scope="module")
def installation(postgres_dsn: str) -> Iterator[Installation]:
    """Installed twice, the second time without an effect; its database is migrated and has one organization."""
    name = f"installed_{uuid.uuid4().hex[:8]}"
    ensure_database(postgres_dsn, name)
    # Sockets have short paths, which pytest's own folder has not.
    prefix = Path(tempfile.mkdtemp(prefix="draggonnb-installed-", dir="/var/tmp"))
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DRAGGONNB_", "VIRTUAL_ENV"))}
    cache = Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv")
    kept |= {"UV_CACHE_DIR": str(cache)} if cache.is_dir() else {}
    # Bytecode comes as modules are imported: a whole environment takes a minute, and this test loads a part of it.
    kept |= {"UV_COMPILE_BYTECODE": "0", "PYTHONPYCACHEPREFIX": str(prefix / "pycache")}
    made = Installation(prefix, kept, dsn_for(postgres_dsn, name), free_port_pair())
    try:
        install(made)
        yield made
    finally:
        drop_databases(postgres_dsn, name)
        shutil.rmtree(prefix, ignore_errors=True)


@pytest.fixture
def running(installation: Installation) -> Iterator[tuple[Supervisor, Path]]:
    with supervised(installation.prefix, installation.environment, api_port=installation.api_port, units=UNITS) as (
        supervisor,
        program,
    ):
        supervisor.call("start", *UNITS)
        _wait(f"{installation.url}/api/health", supervisor)
        yield supervisor, program
    (installation.prefix / "systemctl.sock").unlink()
    shutil.rmtree(installation.prefix / "logs")


@pytest.fixture
def clients(installation: Installation) -> Clients:
    shown = installation.verb("tenant", "show", SLUG, "--token")
    token = next(word for line in shown.splitlines() if "token" in line for word in line.split() if len(word) >= 40)
    return Clients(installation.url, token)


def stored(installation: Installation) -> int:
    with psycopg.connect(installation.master_dsn, autocommit=True) as conn:
        row = conn.execute("select count(*) from inbox where topic = 'leads'").fetchone()
    assert row is not None
    return row[0]


def test_an_upgrade_loses_no_webhook(
    installation: Installation, running: tuple[Supervisor, Path], clients: Clients, tmp_path: Path
):
    supervisor, systemctl = running
    before, processes = installation.release, {unit: supervisor.process_id(unit) for unit in UNITS}
    source = newer_source(tmp_path, "a-newer-release")
    stored_before = stored(installation)

    with clients.posting(2):
        time.sleep(1)
        upgraded = installation.run(
            source / "deploy/upgrade.sh", "--prefix", installation.prefix, "--wait", "20", SYSTEMCTL=str(systemctl)
        )
        time.sleep(1)

    assert upgraded.returncode == 0, (upgraded, supervisor.log(API))
    assert clients.faults == []
    assert set(clients.answers) == {202}
    assert stored(installation) - stored_before == len(clients.answers) > 100
    assert installation.release != before
    assert all(supervisor.is_running(unit) for unit in UNITS)
    assert all(supervisor.process_id(unit) != processes[unit] for unit in UNITS)
    order = [call[0] + " " + call[1] for call in supervisor.calls if call[1] in (API, CODE, DAEMON)][-3:]
    assert order == [f"restart {API}", f"restart {CODE}", f"start {DAEMON}"]
    print(f"{len(clients.answers)} webhooks, the slowest took {clients.slowest_seconds:.1f} s")  # noqa: T201


def test_a_release_that_does_not_load_is_not_put_into_service(
    installation: Installation, running: tuple[Supervisor, Path], tmp_path: Path
):
    supervisor, systemctl = running
    before, processes = installation.release, {unit: supervisor.process_id(unit) for unit in UNITS}
    source = newer_source(tmp_path, "broken")
    with (source / "draggonnb_pipelines/definitions.py").open("a") as code:
        code.write('\nraise RuntimeError("this release is broken")\n')
    calls = len(supervisor.calls)

    upgraded = installation.run(source / "deploy/upgrade.sh", "--prefix", installation.prefix, SYSTEMCTL=str(systemctl))

    assert upgraded.returncode == 1
    assert "this release is broken" in upgraded.stderr
    assert "does not load; what runs was not touched" in upgraded.stderr
    assert (installation.release, supervisor.calls[calls:]) == (before, [])
    assert {unit: supervisor.process_id(unit) for unit in UNITS} == processes


def test_a_release_that_does_not_answer_after_its_migrations_goes_back_and_webhooks_go_on(
    installation: Installation, running: tuple[Supervisor, Path], clients: Clients, tmp_path: Path
):
    supervisor, systemctl = running
    before, source = installation.release, newer_source(tmp_path, "dumb")
    more = source / "draggonnb_pipelines/sql/master/migrations/20990101000000_more.sql"
    more.write_text("create table more (id int);\n")
    with (source / "draggonnb_pipelines/api/app.py").open("a") as code:
        code.write('\nraise RuntimeError("this release is dumb")\n')
    stored_before = stored(installation)

    with clients.posting(2):
        time.sleep(1)
        upgraded = installation.run(
            source / "deploy/upgrade.sh", "--prefix", installation.prefix, "--wait", "20", SYSTEMCTL=str(systemctl)
        )
        time.sleep(1)

    assert upgraded.returncode == 1, upgraded
    assert "_more.sql" in upgraded.stdout
    assert "not within 30 s: the API answers" in upgraded.stdout
    assert f"{before} runs again, and no webhook was lost" in upgraded.stderr
    assert "this release is dumb" in supervisor.log(API)
    assert installation.release == before
    assert all(supervisor.is_running(unit) for unit in UNITS)
    assert clients.faults == []
    assert set(clients.answers) == {202}
    assert stored(installation) - stored_before == len(clients.answers) > 10
    assert clients.slowest_seconds > 30
    print(f"{len(clients.answers)} webhooks, the slowest took {clients.slowest_seconds:.1f} s")  # noqa: T201


def _wait(url: str, supervisor: Supervisor) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, timeout=5, trust_env=False).status_code == 200:
                return
        time.sleep(0.2)
    raise AssertionError(f"the API does not answer: {supervisor.log(API)[-2000:]}")
