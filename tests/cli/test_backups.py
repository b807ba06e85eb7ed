"""The verbs of `draggonnb backup`, as an operator types them."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from typer.testing import CliRunner

from draggonnb_pipelines.cli import app
from draggonnb_pipelines.resources.postgres import dsn_for
from tests.cli.conftest import Cli

Tenant = Callable[[str], str]
SLUG = "walmer-backups"
DATABASE = "tenant_walmer_backups"


@pytest.fixture(autouse=True)
def left_databases(postgres_dsn: str):
    """Databases beside the client's have its name with an ending."""
    yield
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        for suffix in ("_before_restore", "_restoring", "_copy"):
            conn.execute(SQL("drop database if exists {} with (force)").format(Identifier(DATABASE + suffix)))


def add_person(cli: Cli, name: str) -> None:
    dsn = dsn_for(cli.environment["DRAGGONNB_MASTER_DSN"], DATABASE)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("insert into contacts (name) values (%s)", [name])


def people(cli: Cli, database: str = DATABASE) -> list[str]:
    with psycopg.connect(dsn_for(cli.environment["DRAGGONNB_MASTER_DSN"], database)) as conn:
        return [row[0] for row in conn.execute("select name from contacts order by 1")]


def folder(cli: Cli) -> Path:
    return Path(cli.environment["DRAGGONNB_STATE_DIR"]) / "backups"


def test_a_client_goes_through_backup_restore_and_the_dropping_of_the_old(cli: Cli, tenant: Tenant):
    tenant(SLUG)
    add_person(cli, "Thandi")

    created = cli.ok("backup", "create", "--all")
    add_person(cli, "Zanele")
    restored = cli.ok("backup", "restore", SLUG, "--yes")

    assert "master-2" in created
    assert f"{SLUG}-2" in created
    assert people(cli) == ["Thandi"]
    assert f"{SLUG} is restored into {DATABASE}, as it was at " in restored
    assert "all equal to the backup" in restored
    assert f"once all is well: draggonnb backup drop-old {SLUG}" in restored
    assert people(cli, f"{DATABASE}_before_restore") == ["Thandi", "Zanele"]
    listed = cli.ok("backup", "list", "--tenant", SLUG)
    assert listed.count(" done ") == 1
    assert "master" not in listed

    assert cli.ok("backup", "drop-old", SLUG, "--yes") == f"{DATABASE}_before_restore is dropped\n"

    actions = [
        row["action"] for row in cli.rows("select action from audit_log where action like 'backup.%%' order by id")
    ]
    assert actions == [
        *("backup.created", "backup.restore_begun", "backup.restored"),
        *("backup.old_drop_begun", "backup.old_dropped"),
    ]


def test_a_copy_leaves_the_client_alone_and_verify_and_drill_say_what_is_sound(cli: Cli, tenant: Tenant):
    tenant(SLUG)
    add_person(cli, "Thandi")
    cli.ok("backup", "create", "--tenant", SLUG)
    add_person(cli, "Zanele")

    copied = cli.ok("backup", "restore", SLUG, "--into", f"{DATABASE}_copy")

    assert f"{SLUG} is copied into {DATABASE}_copy" in copied
    assert (people(cli), people(cli, f"{DATABASE}_copy")) == (["Thandi", "Zanele"], ["Thandi"])
    assert SLUG in cli.ok("backup", "verify", "--tenant", SLUG)
    assert " equal " in cli.ok("backup", "drill", "--tenant", SLUG)

    [file] = folder(cli).glob("*.backup")
    file.write_bytes(file.read_bytes()[:-1])

    ended = cli("backup", "verify", "--tenant", SLUG)
    assert ended.code == 1
    assert "is not as it was written: its sha256 is another one" in ended.err
    ended = cli("backup", "restore", SLUG, "--yes")
    assert (ended.code, people(cli)) == (1, ["Thandi", "Zanele"])
    assert "is not as it was written" in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create"], "back up what?"),
        (["create", "--tenant", "nobody"], "no database to back up: nobody"),
        (["restore", "--all"], "there is no "),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(cli: Cli, arguments: list[str], said: str):
    ended = cli("backup", *arguments)

    assert ended.code != 0
    assert said in " ".join(ended.err.split())
    assert not folder(cli).exists()
    assert cli.rows("select id from backups") == []


@pytest.mark.parametrize(
    "arguments", [["restore"], ["restore", "nobody", "--all"], ["restore", "nobody", "--at", "yesterday"], ["drop-old"]]
)
def test_what_makes_no_sense_is_refused_by_the_surface(arguments: list[str]):
    done = CliRunner().invoke(app, ["backup", *arguments])

    assert done.exit_code == 2
    assert "Usage: " in done.output


def test_a_restore_asks_for_the_slug_and_does_nothing_without_it(cli: Cli, tenant: Tenant):
    tenant(SLUG)
    cli.ok("backup", "create", "--tenant", SLUG)
    add_person(cli, "Zanele")

    ended = cli("backup", "restore", SLUG)

    assert ended.code == 1
    assert people(cli) == ["Zanele"]


def test_a_folder_of_backups_of_its_own_is_used(cli: Cli, tmp_path: Path):
    cli.ok("backup", "create", "--master", DRAGGONNB_BACKUP_DIR=str(tmp_path / "elsewhere"))

    assert sorted(path.suffix for path in (tmp_path / "elsewhere").iterdir()) == [".backup", ".json"]
    assert not folder(cli).exists()
