"""`draggonnb serve` and `draggonnb drain`: single processes for a supervisor."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import psycopg
import pytest

from draggonnb_pipelines.cli.installation import dagster_database
from draggonnb_pipelines.cli.serve import WAIT_FOR_WORKERS, WAIT_OR_GO_ON
from draggonnb_pipelines.settings import load_settings
from tests.cli.conftest import ROOT, VERB, Cli
from tests.conftest import MASTER_KEYS

HELD = """import os, sys
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@contextlib.contextmanager
def serving(cli: Cli, part: str, log: Path, *, held: socket.socket | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """The verb as a supervisor runs it, with a socket of the supervisor's if there is one."""
    command = [sys.executable, "-c", VERB, "serve", part]
    if held is not None:
        command = [sys.executable, "-c", HELD, *command[1:]]
    environment = cli.environment | ({"LISTEN_FDS": "1"} if held else {})
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=ROOT,
            stdout=out,
            stderr=out,
            pass_fds=(3,) if held else (),
            preexec_fn=partial(os.dup2, held.fileno(), 3) if held else None,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> httpx.Response:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(url, timeout=10, trust_env=False)
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture
def dagster_master(cli: Cli, master_dsn: str) -> Iterator[str]:
    """The URL of Dagster's database of this installation, which is dropped at the end."""
    settings = load_settings(_env_file=None, master_dsn=master_dsn, master_keys=MASTER_KEYS)
    yield dagster_database(settings).replace("postgresql+psycopg2://", "postgresql://")
    with psycopg.connect(master_dsn, autocommit=True) as conn:
        name = conn.execute("select current_database() || '_dagster'").fetchone()
        assert name is not None
        conn.execute(f'drop database if exists "{name[0]}" with (force)'.encode())


def test_serve_refuses_the_embedded_server(cli: Cli):
    ended = cli("serve", "api", DRAGGONNB_MASTER_DSN="")

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error: DRAGGONNB_MASTER_DSN is not set")
    assert not Path(cli.environment["DRAGGONNB_STATE_DIR"], "dagster").exists()


def test_serve_refuses_a_schema_that_is_behind(cli: Cli):
    last = "(select max(version) from supabase_migrations.schema_migrations)"
    cli.execute(f"delete from supabase_migrations.schema_migrations where version = {last}")

    ended = cli("serve", "api")

    assert ended.code == 1
    assert "the master database lacks 1 migrations" in ended.err
    assert "draggonnb migrate" in ended.err


def test_serve_runs_on_a_schema_that_a_newer_release_has_added_to(cli: Cli, dagster_master: str, tmp_path: Path):
    """An upgrade goes back to the release before after its migrations were applied."""
    cli.execute("insert into supabase_migrations.schema_migrations (version, name) values ('20990101000000', 'more')")
    log, url = tmp_path / "log", f"http://127.0.0.1:{cli.environment['DRAGGONNB_API_PORT']}/api/health"

    with serving(cli, "api", log) as process:
        answer = wait_for(url, process, log)
    migrated = cli("migrate")

    assert answer.status_code == 200
    assert migrated.code == 1
    assert "this version of the code does not know: 20990101000000" in migrated.err


def test_serve_knows_no_other_part(cli: Cli):
    ended = cli("serve", "everything")

    assert ended.code == 2
    assert "everything" in ended.err


def test_the_api_takes_the_socket_that_is_held_and_no_port_of_its_own(cli: Cli, dagster_master: str, tmp_path: Path):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen(100)
        url, log = f"http://127.0.0.1:{held.getsockname()[1]}/api/health", tmp_path / "log"
        with serving(cli, "api", log, held=held) as process:
            answer = wait_for(url, process, log)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", int(cli.environment["DRAGGONNB_API_PORT"])))

    assert answer.status_code == 200


def test_while_the_api_is_away_requests_wait_in_the_held_socket(cli: Cli, dagster_master: str, tmp_path: Path):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen(100)
        url, log = f"http://127.0.0.1:{held.getsockname()[1]}/api/health", tmp_path / "log"
        answers: list[int] = []
        with serving(cli, "api", log, held=held) as first:
            wait_for(url, first, log)
        asked = [
            threading.Thread(target=lambda: answers.append(httpx.get(url, timeout=30, trust_env=False).status_code))
            for _ in range(20)
        ]
        for thread in asked:
            thread.start()
        time.sleep(0.5)
        assert answers == []

        with serving(cli, "api", log, held=held):
            for thread in asked:
                thread.join(30)

    assert answers == [200] * 20


def test_a_connection_that_was_taken_and_not_yet_read_is_answered_before_the_end(
    cli: Cli, dagster_master: str, tmp_path: Path
):
    port, log = int(cli.environment["DRAGGONNB_API_PORT"]), tmp_path / "log"
    with serving(cli, "api", log) as process:
        wait_for(f"http://127.0.0.1:{port}/api/health", process, log)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as late:
            time.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            late.sendall(b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = late.makefile("rb").readline()
        process.wait(20)

    assert answer == b"HTTP/1.1 200 OK\r\n"


def test_the_sandbox_is_not_needed_where_all_vendors_are_real(cli: Cli):
    real = {
        "ANTHROPIC_API_KEY": "sk", "WHATSAPP_TOKEN": "t", "WHATSAPP_APP_SECRET": "s", "SMTP_HOST": "mail.example",
        "META_APP_ID": "1", "META_APP_SECRET": "s", "LINKEDIN_CLIENT_ID": "1", "LINKEDIN_CLIENT_SECRET": "s",
        "X_CLIENT_ID": "1", "X_CLIENT_SECRET": "s", "STORAGE_BASE_URL": "https://s.example", "STORAGE_KEY": "k",
        "SUPABASE_ACCESS_TOKEN": "t", "SUPABASE_ORGANIZATION_SLUG": "o", "PAYFAST_MERCHANT_ID": "1",
        "PAYFAST_MERCHANT_KEY": "k", "PAYFAST_PASSPHRASE": "p", "GITHUB_TOKEN": "t", "VERCEL_TOKEN": "t",
        "N8N_API_KEY": "k", "N8N_BASE_URL": "https://n8n.example",
    }  # fmt: skip

    out = cli.ok("serve", "sandbox", **{f"DRAGGONNB_{name}": value for name, value in real.items()})

    assert out == "all vendors are real: no sandbox is needed\n"


def test_drain_waits_for_runs_that_have_a_process_and_for_no_others(cli: Cli, dagster_master: str):
    assert cli.ok("drain", "--seconds", "0") == "no run is under way\n"  # before Dagster's first start

    with psycopg.connect(dagster_master, autocommit=True) as conn:
        conn.execute("create table runs (status text)")
        conn.execute("insert into runs values ('SUCCESS'), ('QUEUED'), ('NOT_STARTED'), ('FAILURE')")
        assert cli.ok("drain", "--seconds", "0") == "no run is under way\n"
        conn.execute("insert into runs values ('STARTED')")

        late = cli("drain", "--seconds", "1")
        of_workers = cli("drain", "--seconds", "0", DRAGGONNB_CELERY_BROKER="redis://127.0.0.1:6379/0")

        conn.execute("update runs set status = 'SUCCESS'")
    assert late.code == 1
    assert late.out == "1 runs are under way\n"
    assert late.err.startswith("error: 1 runs are still under way\n")
    remedies = [" ".join(said.err.splitlines()[1].split()) for said in (late, of_workers)]
    assert remedies == [f"-> {WAIT_OR_GO_ON}", f"-> {WAIT_FOR_WORKERS}"]
    assert cli.ok("drain") == "no run is under way\n"


def test_drain_asks_the_database_that_is_set(cli: Cli, dagster_master: str):
    elsewhere = dagster_master.replace("_dagster", "")  # the master's own
    with psycopg.connect(dagster_master, autocommit=True) as beside, psycopg.connect(elsewhere, autocommit=True) as own:
        for conn in (beside, own):
            conn.execute("create table runs (status text)")
        beside.execute("insert into runs values ('STARTED')")
        assert cli.ok("drain", DRAGGONNB_DAGSTER_PG_URL=elsewhere) == "no run is under way\n"
        own.execute("insert into runs values ('STARTED'), ('STARTING')")

        late = cli("drain", "--seconds", "0", DRAGGONNB_DAGSTER_PG_URL=elsewhere)

    assert (late.code, late.err.splitlines()[0]) == (1, "error: 2 runs are still under way")
