"""`draggonnb watch`: says that the daemon is gone without the daemon, once, and once that it is back."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import fasteners
import psycopg
import pytest
from typer.testing import CliRunner

from draggonnb_pipelines.cli import app
from draggonnb_pipelines.cli import watch as watch_module
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.settings import load_settings
from tests.cli.conftest import Cli, Ended
from tests.dagster_storage import Storage, dagster_storage
from tests.sandbox_process import Sandbox
from tests.servers import database_down

RunApi = Callable[..., AbstractContextManager[None]]
Watch = Callable[..., Ended]
OWNER = "sales@draggonnb.example"


@pytest.fixture
def watch(
    cli: Cli, sandbox: Sandbox, tenant: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ended]:
    """The verb, with the sandbox as mail server and without the pause before its second look."""
    tenant("draggonnb")
    for name, value in cli.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DRAGGONNB_SANDBOX_PORT", str(sandbox.port))
    monkeypatch.setattr(watch_module, "AGAIN_SECONDS", 0.0)

    def run(**more: str) -> Ended:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in more.items():
                patch.setenv(name, value)
            done = CliRunner().invoke(app, ["watch"])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return Ended(done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def storage(cli: Cli, tmp_path: Path) -> Iterator[Storage]:
    """A daemon that lives."""
    settings = load_settings(
        _env_file=None,
        master_dsn=cli.environment["DRAGGONNB_MASTER_DSN"],
        master_keys=cli.environment["DRAGGONNB_MASTER_KEYS"],
    )
    with dagster_storage(settings, tmp_path) as filled:
        filled.beat()
        filled.sensor("lead_inbox", ticked_seconds_ago=4)
        yield filled


def mails(sandbox: Sandbox) -> list[tuple[str, str]]:
    return [(mail["recipient"], mail["subject"]) for mail in sandbox.public("mail")]


def state(cli: Cli) -> dict[str, Any]:
    return json.loads((Path(cli.environment["DRAGGONNB_STATE_DIR"]) / "watch.json").read_text())


def test_a_dead_daemon_is_mailed_once_and_its_return_once(
    cli: Cli, watch: Watch, storage: Storage, running_api: RunApi, sandbox: Sandbox
):
    with running_api(DRAGGONNB_SANDBOX_PORT=str(sandbox.port)):
        well = watch()
        storage.beat(seconds_ago=600)
        dead, still_dead = watch(), watch()
        told = mails(sandbox)
        storage.beat()
        back, still_well = (watch_until(watch, 0), watch())

    assert (well.code, well.out, well.err) == (0, "all is well\n", "")
    assert (dead.code, still_dead.code, back.code, still_well.code) == (1, 1, 0, 0)
    assert "no heartbeat of BACKFILL, MONITORING, QUEUED_RUN_COORDINATOR, SCHEDULER, SENSOR for 60" in dead.out
    [(owner, subject)] = told
    assert owner == OWNER
    assert subject.startswith("DraggonnB is out of order: ")
    assert mails(sandbox) == [*told, (OWNER, "DraggonnB works again")]
    assert [mail["transmissions"] for mail in sandbox.public("mail")] == [1, 1]
    assert state(cli) == {"owners": [OWNER], "since": None, "told": []}


def watch_until(watch: Watch, code: int) -> Ended:
    """The API keeps what it saw of the daemon for five seconds."""
    ends = time.monotonic() + 20
    while (ended := watch()).code != code and time.monotonic() < ends:
        time.sleep(0.5)
    return ended


def test_owners_are_known_while_no_database_answers(
    cli: Cli, watch: Watch, storage: Storage, sandbox: Sandbox, postgres_dsn: str
):
    sandbox.faults("SMTP CONNECT", {"kind": "status", "status": 421})
    first = watch()  # nothing is served here, so the API is missing, and the first mail does not go out
    before = mails(sandbox)

    with database_down(postgres_dsn, cli.environment["DRAGGONNB_MASTER_DSN"]):
        second = watch()

    assert (first.code, before) == (1, [])
    assert "a mail to an owner did not go out: " in first.out
    assert second.code == 1
    assert [recipient for recipient, _ in mails(sandbox)] == [OWNER]
    [mail] = sandbox.public("mail")
    assert "- the API does not answer at http://127.0.0.1:" in mail["text"]
    assert state(cli)["told"] == [OWNER]


def test_an_owner_whose_mail_hangs_does_not_keep_another_from_being_told(
    cli: Cli, watch: Watch, storage: Storage, sandbox: Sandbox
):
    [row] = cli.rows("select database_name as name from organizations")
    with psycopg.connect(dsn_for(cli.environment["DRAGGONNB_MASTER_DSN"], row["name"])) as conn:
        conn.execute("insert into users (email, role) values ('zola@draggonnb.example', 'owner')")
    sandbox.faults("SMTP DATA", {"kind": "latency", "seconds": 3, "match": OWNER})

    ended = watch()  # nothing is served here

    assert ended.code == 1
    assert [recipient for recipient, _ in mails(sandbox)] == ["zola@draggonnb.example", OWNER]
    assert sorted(state(cli)["told"]) == [OWNER, "zola@draggonnb.example"]


def test_who_was_never_read_cannot_be_told_and_that_is_said(cli: Cli, sandbox: Sandbox):
    ended = cli("watch", DRAGGONNB_SANDBOX_PORT=str(sandbox.port))

    assert ended.code == 1
    assert "nobody could be told: no owner of draggonnb was ever read" in ended.out
    assert mails(sandbox) == []


def test_a_damaged_memory_is_begun_anew(cli: Cli, watch: Watch, storage: Storage, sandbox: Sandbox):
    memory = Path(cli.environment["DRAGGONNB_STATE_DIR"]) / "watch.json"
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_bytes(b'{"owners": ["x@y.example"], "since"\xff')

    ended = watch()

    assert (ended.code, ended.err) == (1, "")
    assert [recipient for recipient, _ in mails(sandbox)] == [OWNER]
    assert state(cli)["owners"] == [OWNER]


def test_a_memory_that_cannot_be_written_still_mails(cli: Cli, watch: Watch, storage: Storage, sandbox: Sandbox):
    folder = Path(cli.environment["DRAGGONNB_STATE_DIR"])
    (folder / "watch.json").mkdir(parents=True)

    ended = watch()

    assert ended.code == 1
    assert "who was told is not remembered" in ended.out
    assert [recipient for recipient, _ in mails(sandbox)] == [OWNER]


def test_two_looks_at_once_tell_nobody_twice(cli: Cli, sandbox: Sandbox):
    folder = Path(cli.environment["DRAGGONNB_STATE_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    other = fasteners.InterProcessLock(folder / "watch.lock")
    assert other.acquire(blocking=False)
    try:
        ended = cli("watch", DRAGGONNB_SANDBOX_PORT=str(sandbox.port))
    finally:
        other.release()

    assert (ended.code, mails(sandbox)) == (1, [])
    assert ended.err.startswith("error: another `draggonnb watch` is at work")


def test_whoever_waits_for_our_sign_of_life_gets_it_only_while_all_is_well(
    watch: Watch, storage: Storage, running_api: RunApi, sandbox: Sandbox
):
    address = f"{sandbox.url}/_sandbox/health"
    with running_api(DRAGGONNB_SANDBOX_PORT=str(sandbox.port)):
        heard = watch(DRAGGONNB_WATCH_PING_URL=address)
        unheard = watch(DRAGGONNB_WATCH_PING_URL=f"{sandbox.url}/_sandbox/there-is-no-such-thing")
    silent = watch(DRAGGONNB_WATCH_PING_URL="http://127.0.0.1:9/nobody")

    assert (heard.code, heard.out) == (0, "all is well\n")
    assert (unheard.code, unheard.out) == (1, "DRAGGONNB_WATCH_PING_URL answers 404\n")
    assert silent.code == 1
    assert "WATCH_PING_URL" not in silent.out


def test_the_verb_imports_neither_dagster_nor_a_web_framework():
    code = "import sys, draggonnb_pipelines.cli.watch; print(sorted({'dagster', 'fastapi'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))

    assert (done.stdout, done.stderr) == ("[]\n", "")
