"""`draggonnb keys`: what rests on which key, a new key in place, an old one given up."""

import base64
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from draggonnb_pipelines.resources.vault import Vault
from tests.cli.conftest import Cli, clean_environment
from tests.cli.test_doctor import short_directory
from tests.conftest import MASTER_KEYS

__all__ = ["short_directory"]  # a fixture

MakeTenant = Callable[[str], str]
NEW = "k2:" + base64.b64encode(bytes(range(100, 132))).decode()
BOTH = {"DRAGGONNB_MASTER_KEYS": f"{NEW},{MASTER_KEYS}"}
ALONE = {"DRAGGONNB_MASTER_KEYS": NEW}


def lines(out: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]


def audit(cli: Cli) -> list[tuple[bool, str, str]]:
    rows = cli.rows("select actor, action, resource from audit_log where starts_with(action, 'keys.') order by id")
    return [(row["actor"].startswith("operator:"), row["action"], row["resource"]) for row in rows]


def test_a_key_is_put_in_place_and_the_old_one_given_up(cli: Cli, tenant: MakeTenant) -> None:
    token = tenant("rotated-shop").splitlines()[2].split()[1]
    prints = Vault(BOTH["DRAGGONNB_MASTER_KEYS"]).fingerprints
    two = "1 organizations.data_key_wrapped, 1 organizations.webhook_secret_sealed"

    before = lines(cli.ok("keys", "list", **BOTH))
    too_early = cli("keys", "retire", "test", **BOTH)
    rotated = cli.ok("keys", "rotate", **BOTH)
    again = cli.ok("keys", "rotate", **BOTH)
    after = lines(cli.ok("keys", "list", **BOTH))
    retired = cli.ok("keys", "retire", "test", **BOTH)

    assert before == [
        ["k2", prints["k2"], "seals and opens", "nothing", "0 of 0"],
        ["test", prints["test"], "opens", two, "0 of 0"],
    ]
    assert [row[3] for row in after] == [two, "nothing"]
    assert (too_early.code, too_early.err.splitlines()) == (
        1,
        [f"error: {two} rest on test", "  -> draggonnb keys rotate"],
    )
    assert rotated.splitlines()[-1] == "2 values sealed again"
    assert again == "0 values sealed again\n"
    assert retired.splitlines()[0] == "nothing rests on test: take it out of DRAGGONNB_MASTER_KEYS"
    assert token in cli.ok("tenant", "show", "rotated-shop", "--token", **ALONE)
    assert audit(cli) == [
        (True, "keys.rotation_begun", "key:k2"),
        (True, "keys.rotated", "key:k2"),
        (True, "keys.retired", "key:test"),
    ]
    for secret in (*MASTER_KEYS.split(":")[1:], *NEW.split(":")[1:]):
        assert all(secret not in out for out in (str(before), rotated, retired, str(cli.rows("table audit_log"))))


def test_the_first_key_and_an_unknown_one_are_not_retired(cli: Cli) -> None:
    first, unknown = cli("keys", "retire", "test"), cli("keys", "retire", "nobody")

    assert (first.code, unknown.code) == (1, 1)
    assert first.err.startswith("error: test is the key that seals\n")
    assert unknown.err.startswith("error: no key is called 'nobody'\n")
    assert audit(cli) == []


def test_a_key_that_is_missing_is_shown_and_what_rests_on_it_is_named(cli: Cli, tenant: MakeTenant) -> None:
    tenant("locked-shop")

    shown = lines(cli.ok("keys", "list", **ALONE))
    rotated = cli("keys", "rotate", **ALONE)

    assert [row[:3] for row in shown] == [
        ["k2", Vault(NEW).fingerprints["k2"], "seals and opens"],
        ["test", "-", "not configured"],
    ]
    assert rotated.code == 1
    assert rotated.err.startswith(
        "error: no configured key opens: 1 organizations.data_key_wrapped, 1 organizations.webhook_secret_sealed\n"
    )
    assert "test:" not in rotated.err
    assert cli.ok("tenant", "show", "locked-shop", "--token")


def test_who_still_seals_with_the_old_key_keeps_it(cli: Cli) -> None:
    """A process that has the new key, but second."""
    name = Vault(f"{MASTER_KEYS},{NEW}").session_name

    with psycopg.connect(cli.environment["DRAGGONNB_MASTER_DSN"], application_name=name):
        refused = cli("keys", "retire", "test", **BOTH)
        listed = lines(cli.ok("keys", "list", **BOTH))

    assert refused.code == 1
    assert refused.err.startswith("error: 1 database sessions are of processes that seal with test\n")
    assert [row[4] for row in listed] == ["1 of 1", "1 of 1"]
    assert audit(cli) == []


def test_a_key_with_which_backups_open_is_given_up_only_with_them(cli: Cli) -> None:
    cli.execute(
        "insert into backups (id, kind, database_name, state, started_at, ended_at, file_name, bytes, sha256,"
        " master_key_id, tables) select gen_random_uuid(), 'master', 'master', s, now(), now(), s, 1, sha256('x'),"
        " 'test', '{}' from unnest(array['done', 'expired']) as s"
    )

    refused = cli("keys", "retire", "test", **BOTH)
    listed = lines(cli.ok("keys", "list", **BOTH))
    cli.ok("keys", "retire", "test", "--lose-backups", **BOTH)

    assert refused.code == 1
    assert refused.err.startswith("error: 1 kept backups of the master database need test\n")
    assert [row[3] for row in listed] == ["nothing", "1 backups"]
    assert cli.rows("select metadata ->> 'lost_backups' as lost from audit_log") == [{"lost": "1"}]


def test_add_is_for_the_key_file_alone(cli: Cli) -> None:
    ended = cli("keys", "add")

    assert ended.code == 1
    assert ended.err.startswith("error: the keys are set in DRAGGONNB_MASTER_KEYS\n")
    assert audit(cli) == []


@pytest.mark.slow
def test_an_embedded_installation_changes_its_key_file(short_directory: Path, tmp_path: Path) -> None:
    """Its own server is started and stopped by each verb."""
    cli = Cli(clean_environment(tmp_path, DRAGGONNB_POSTGRES_DIR=str(short_directory / "pg")))
    cli.ok("keys", "list")
    file = tmp_path / "state" / "master.keys"
    first = file.read_text()

    added = cli.ok("keys", "add")
    both = file.read_text()
    cli.ok("keys", "rotate")
    retired = cli.ok("keys", "retire", "local")
    with_k2 = file.read_text()
    for old in ("k2", "k3"):
        cli.ok("keys", "add")
        cli.ok("keys", "retire", old)

    assert added.startswith("k2 is the first key: it seals from the next start on\n")
    assert [entry.partition(":")[0] for entry in both.split(",")] == ["k2", "local"]
    assert both.endswith(first)
    assert retired.startswith("local is out of the key file\n")
    assert with_k2 == both.split(",")[0]
    assert file.read_text().partition(":")[0] == "k4"  # an id that was given away is no other key's
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in file.parent.glob("master.*")) == ["master.keys"]
