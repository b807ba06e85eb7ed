"""The installed layout for real: installed into a fresh folder, run, and upgraded while webhooks come in.

systemd is `supervisor.py`, since it runs on few machines with tests; the units, scripts, releases and processes are the
real ones. The environments are made from uv's cache where the machine has one.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.resources.migrations import ensure_database
from draggonnb_pipelines.resources.postgres import dsn_for
from tests.cli.conftest import ROOT
from tests.deploy.supervisor import Supervisor, supervised
from tests.sandbox_process import free_port_pair

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(900)]
UNITS = ("draggonnb-api.service", "draggonnb-code.service", "draggonnb-daemon.service")
API, CODE, DAEMON = UNITS
# Of its own: its database lies beside those of other tests.
SLUG = f"kloof-{uuid.uuid4().hex[:8]}"


@dataclass
class Installation:
    """A folder with releases, and what scripts need to find it."""

    prefix: Path
    environment: dict[str, str]
    master_dsn: str
    api_port: int

    def run(self, *command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        how = {"env": self.environment | more, "cwd": self.prefix, "timeout": 600}
        return subprocess.run([str(part) for part in command], capture_output=True, text=True, **how)

    def verb(self, *arguments: str) -> str:
        done = self.run(self.prefix / "current/.venv/bin/draggonnb", *arguments)
        assert done.returncode == 0, done
        return done.stdout

    @property
    def release(self) -> str:
        return (self.prefix / "current").readlink().name

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    def settings_file(self) -> Path:
        return self.prefix / "etc" / "draggonnb.env"


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
        _install(made)
        yield made
    finally:
        _drop(postgres_dsn, name)
        shutil.rmtree(prefix, ignore_errors=True)


def _install(made: Installation) -> None:
    first = made.run(ROOT / "deploy/install.sh", "--prefix", made.prefix)
    assert first.returncode == 0, first
    settings, text = made.settings_file(), made.settings_file().read_text()
    ports = [f"DRAGGONNB_API_PORT={made.api_port}", f"DRAGGONNB_SANDBOX_PORT={free_port_pair()}"]
    # What is taken in stays in the inbox: no sensor looks a second time, so that no run competes with the upgrade.
    ports.append("DRAGGONNB_SENSOR_INTERVAL_SECONDS=3600")
    dsn = f"DRAGGONNB_MASTER_DSN={made.master_dsn}"
    settings.write_text("\n".join([text.replace("DRAGGONNB_MASTER_DSN=\n", f"{dsn}\n"), *ports, ""]))

    again = made.run(ROOT / "deploy/install.sh", "--prefix", made.prefix)

    assert again.returncode == 0, again
    assert f"release {made.release} is there" in again.stdout
    assert settings.read_text().count("DRAGGONNB_MASTER_KEYS=k1:") == 1
    assert text.splitlines()[0] in settings.read_text()
    assert settings.stat().st_mode & 0o077 == 0
    made.verb("migrate")
    made.verb("tenant", "create", SLUG, "--name", "Kloof Coffee", "--owner-email", "sales@kloof-coffee.example")


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


@dataclass
class Clients:
    """Who post webhooks, each on a new connection as Caddy does it, until they are stopped."""

    url: str
    token: str
    answers: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    def post_until_stopped(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            lead = {"email": f"{uuid.uuid4().hex}@bokaap-beans.example", "message": "Good morning"}
            try:
                answer = httpx.post(
                    f"{self.url}/webhook/{SLUG}/leads",
                    json=lead,
                    headers={"X-Webhook-Token": self.token, "X-Delivery-Id": uuid.uuid4().hex},
                    timeout=60,
                    trust_env=False,
                )
                self.answers.append(answer.status_code)
            except httpx.HTTPError as error:
                self.faults.append(repr(error))
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
            time.sleep(0.05)

    @contextlib.contextmanager
    def posting(self, how_many: int) -> Iterator[None]:
        threads = [threading.Thread(target=self.post_until_stopped) for _ in range(how_many)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(90)


@pytest.fixture
def clients(installation: Installation) -> Clients:
    shown = installation.verb("tenant", "show", SLUG, "--token")
    token = next(word for line in shown.splitlines() if "token" in line for word in line.split() if len(word) >= 40)
    return Clients(installation.url, token)


def newer_source(tmp_path: Path, name: str) -> Path:
    """A checkout with one more line in it."""
    source = tmp_path / name
    source.mkdir()
    listed = (ROOT / "deploy/release.sh").read_text().split("RELEASED=(")[1].split(")")[0].split()
    for part in listed:
        how = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        how(ROOT / part, source / part)
    tools = next((ROOT / ".tools").glob("uv-*"), None)
    if tools:
        shutil.copytree(tools, source / ".tools" / tools.name)
    with (source / "CHANGELOG.md").open("a") as changes:
        changes.write(f"\n- {name}\n")
    return source


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
    assert order == [f"restart {CODE}", f"restart {API}", f"start {DAEMON}"]
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


def _wait(url: str, supervisor: Supervisor) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, timeout=5, trust_env=False).status_code == 200:
                return
        time.sleep(0.2)
    raise AssertionError(f"the API does not answer: {supervisor.log(API)[-2000:]}")


def _drop(server_dsn: str, master: str) -> None:
    with psycopg.connect(dsn_for(server_dsn, master), autocommit=True) as conn:
        is_migrated = conn.execute("select to_regclass('organizations') is not null").fetchone() == (True,)
        query = "select database_name from organizations where database_name > ''"
        tenants = [row[0] for row in conn.execute(query)] if is_migrated else []
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        for name in [*tenants, f"{master}_dagster", master]:
            conn.execute(SQL("drop database if exists {} with (force)").format(Identifier(name)))
