"""A whole installation in a folder, and clients who post webhooks to it: what the tests of upgrades work with.

Not here: what starts its processes (`supervisor.py`), the tests (`test_upgrade.py`).
"""

import contextlib
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.resources.postgres import dsn_for
from tests.cli.conftest import ROOT
from tests.sandbox_process import free_port_pair

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


def install(made: Installation) -> None:
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
                    timeout=120,
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


def drop_databases(server_dsn: str, master: str) -> None:
    with psycopg.connect(dsn_for(server_dsn, master), autocommit=True) as conn:
        is_migrated = conn.execute("select to_regclass('organizations') is not null").fetchone() == (True,)
        query = "select database_name from organizations where database_name > ''"
        tenants = [row[0] for row in conn.execute(query)] if is_migrated else []
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        for name in [*tenants, f"{master}_dagster", master]:
            conn.execute(SQL("drop database if exists {} with (force)").format(Identifier(name)))
