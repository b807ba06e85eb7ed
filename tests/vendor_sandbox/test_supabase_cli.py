"""The vendor's own command line, from npm, against the sandbox: it sees what it would see of Supabase."""

import contextlib
import json
import os
import shutil
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.sandbox_process import Sandbox
from tests.supabase_calls import TOKEN, management, new_project, public

VERSION = "3.1.0"
PROFILE = """
name: sandbox
api_url: {url}/supabase
dashboard_url: {url}/supabase/dashboard
project_host: supabase.localhost
"""


@pytest.fixture(scope="module")
def program() -> str:
    """The path of the Supabase CLI; npm keeps it in its cache."""
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("no npx on this machine: the Supabase CLI comes from npm")
    command = [npx, "--yes", "--package", f"supabase@{VERSION}", "--", "sh", "-c", "command -v supabase"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=100)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not bring supabase@{VERSION} in time")
    if found.returncode:
        reasons = [line for line in found.stderr.splitlines() if line.startswith("npm error")]
        pytest.skip(f"npm, or its registry, has no supabase@{VERSION} here: {' '.join(reasons[:2])}")
    return found.stdout.strip().splitlines()[-1]


class Relay(socketserver.ThreadingTCPServer):
    """Passes bytes on to a Unix socket, both ways, for a program that knows only TCP."""

    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], target: str) -> None:
        self.target = target
        super().__init__(address, PassOn)


class PassOn(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Relay)
        with socket.socket(socket.AF_UNIX) as database:
            database.connect(self.server.target)
            back = threading.Thread(target=_copy, args=(database, self.request))
            back.start()
            _copy(self.request, database)
            back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65_536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def tcp_dsn(postgres_dsn: str) -> Iterator[str]:
    """The test server by TCP."""
    parts = conninfo_to_dict(postgres_dsn)
    host, port = str(parts.get("host") or "localhost"), int(parts.get("port") or 5432)
    if not host.startswith("/"):
        yield postgres_dsn
        return
    with Relay(("127.0.0.1", 0), f"{host}/.s.PGSQL.{port}") as relay:
        thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield make_conninfo(**{**parts, "host": "127.0.0.1", "port": relay.server_address[1]})
        relay.shutdown()
        thread.join()


class Cli:
    """The command line, logged in to the sandbox, in a home and a working folder of its own."""

    def __init__(self, program: str, sandbox: Sandbox, folder: Path) -> None:
        self.program = program
        self.folder = folder
        self.profile = folder / "profile.yaml"
        self.profile.write_text(PROFILE.format(url=sandbox.url))

    def __call__(self, *arguments: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "SUPABASE_ACCESS_TOKEN": token,
            "SUPABASE_NO_KEYRING": "1",
            "SUPABASE_NO_UPDATE_NOTIFIER": "1",
            "SUPABASE_TELEMETRY_DISABLED": "1",
            "DO_NOT_TRACK": "1",
        }
        command = [self.program, *arguments, "--profile", str(self.profile), "--workdir", str(self.folder)]
        return subprocess.run(
            command,
            env=environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )


@pytest.fixture
def cli(program: str, supabase_sandbox: Sandbox, tmp_path: Path) -> Cli:
    return Cli(program, supabase_sandbox, tmp_path)


def test_it_lists_projects_and_organizations(cli: Cli, supabase_sandbox: Sandbox):
    ref = new_project(supabase_sandbox)

    projects, organizations = cli("projects", "list", "--output-format", "json"), cli("orgs", "list")
    refused = cli("projects", "list", token="sbp_bad" + "0" * 37)

    assert projects.returncode == 0, projects.stderr
    listed = json.loads(projects.stdout)["projects"]
    assert [(one["ref"], one["name"], one["status"]) for one in listed] == [(ref, "kloof-coffee-db", "ACTIVE_HEALTHY")]
    assert "sandbox-org" in organizations.stdout
    assert refused.returncode == 1


def test_it_makes_reads_and_deletes_a_project(cli: Cli, supabase_sandbox: Sandbox):
    options = ["--org-id", "sandbox-org", "--db-password", "correct-horse", "--region", "eu-west-1", "--yes"]
    made = cli("projects", "create", "karoo-db", *options)
    (ref,) = public(supabase_sandbox)

    keys = cli("projects", "api-keys", "--remote", ref, "--output-format", "json")
    deleted = cli("projects", "delete", ref, "--yes")

    assert made.returncode == 0, made.stderr
    assert [key["name"] for key in json.loads(keys.stdout)["keys"]] == ["anon", "service_role", "default", "default"]
    assert deleted.returncode == 0, deleted.stderr
    assert public(supabase_sandbox) == {}


def test_it_agrees_with_the_history_in_a_projects_database(cli: Cli, supabase_sandbox: Sandbox, tcp_dsn: str):
    """Named by its address: by a project's ref the program goes to port 5432 of a public name only."""
    ref = new_project(supabase_sandbox)
    path = f"/projects/{ref}/database/migrations"
    management(supabase_sandbox, "POST", path, {"name": "core", "query": "create table notes (id int)"})
    (recorded,) = management(supabase_sandbox, "GET", path).json()
    files = cli.folder / "supabase" / "migrations"
    files.mkdir(parents=True)
    (files / f"{recorded['version']}_core.sql").write_text("create table notes (id int)")
    (files / "20990101000000_later.sql").write_text("create table later (id int)")
    server = conninfo_to_dict(tcp_dsn)
    place = f"{server.get('host', 'localhost')}:{server.get('port', 5432)}/supabase_{ref}?sslmode=prefer"
    url = f"postgresql://postgres.{ref}:correct-horse-battery@{place}"

    before = cli("migration", "list", "--remote", url, "--output-format", "json")
    pushed = cli("db", "push", "--remote", url, "--yes")
    after = management(supabase_sandbox, "GET", path).json()

    assert before.returncode == 0, before.stderr
    listed = [(one["local"], one["remote"]) for one in json.loads(before.stdout)["migrations"]]
    assert listed == [(recorded["version"], recorded["version"]), ("20990101000000", "")]
    assert pushed.returncode == 0, pushed.stderr
    assert after == [recorded, {"version": "20990101000000", "name": "later"}]
