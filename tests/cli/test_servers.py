"""Servers and moves as an operator says them. In this process: a verb of its own costs more than what it does."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from typer.testing import CliRunner

from draggonnb_pipelines.cli import app
from tests.cli.conftest import Cli, Ended
from tests.servers import hasty_server

SLUG = "kloof-coffee"


@pytest.fixture
def second_dsn() -> Iterator[str]:
    with hasty_server("second") as dsn:
        yield dsn


@pytest.fixture
def say(cli: Cli) -> Callable[..., Ended]:
    def run(*words: str) -> Ended:
        ended = CliRunner().invoke(app, words, env=cli.environment)
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    return run


def test_a_client_is_moved_shown_migrated_and_what_it_left_is_dropped(
    cli: Cli, say: Callable[..., Ended], tenant: Callable[[str], str], second_dsn: str, tmp_path: Path
) -> None:
    tenant(SLUG)
    file = tmp_path / "dsn"
    file.write_text(f"{second_dsn}\n")

    added = say("server", "add", "pg-2", "--dsn-file", str(file), "--note", "the second rack")
    moved = say("tenant", "move", SLUG, "--to", "pg-2", "--yes")
    shown, listed = say("server", "show", "pg-2"), say("server", "list")
    migrated, looked_at = say("migrate"), say("tenant", "show", SLUG)
    verified = say("audit", "verify", "--organization", SLUG)
    kept = say("server", "remove", "pg-2")
    dropped = say("tenant", "drop-old", SLUG, "--yes")

    [row] = cli.rows("select database_name, server from organizations")
    [move] = cli.rows("select kept_name, requested_by from tenant_moves")
    assert added.out == "pg-2 is in the list\n"
    assert f"{SLUG} is on pg-2 now, in {row['database_name']}" in moved.out
    assert "all equal" in moved.out
    assert SLUG in shown.out
    assert "says  Postgres" in shown.out
    assert "the second rack" in listed.out
    assert "tenants: 0 migrated, 1 up to date, 0 failed" in migrated.out
    assert f"{row['database_name']} on pg-2" in looked_at.out
    assert "master to pg-2" in looked_at.out
    assert (kept.code, f"pg-2 stays in the list: {SLUG} is on it" in " ".join(kept.err.split())) == (1, True)
    assert "1 of 1 audit logs intact" in verified.out
    assert dropped.out == f"{move['kept_name']} is dropped\n"
    assert move["requested_by"].startswith("operator:")
    with psycopg.connect(second_dsn) as conn:
        there = [name for (name,) in conn.execute("select datname from pg_database where datname ~ '^tenant_'")]
    assert there == [row["database_name"]]
    cli.execute("update organizations set server = 'master', dsn_sealed = null, database_name = null")


def test_what_cannot_be_used_is_refused_and_nothing_is_stored(
    cli: Cli, say: Callable[..., Ended], second_dsn: str, tmp_path: Path
) -> None:
    file = tmp_path / "dsn"
    refusals = []
    for name, dsn in (
        ("pg-2", "not a dsn"),
        ("pg-2", "postgresql://"),
        ("pg-2", "postgresql://somebody:hunter2@127.0.0.1:1/postgres"),
        ("master", second_dsn),
        ("No Name", second_dsn),
        ("pg-2", cli.environment["DRAGGONNB_MASTER_DSN"]),
    ):
        file.write_text(dsn)
        refusals.append(say("server", "add", name, "--dsn-file", str(file)))
    missing = say("server", "add", "pg-2", "--dsn-file", str(tmp_path / "nowhere"))
    closed = say("server", "close", "pg-2")

    assert [ended.code for ended in (*refusals, missing, closed)] == [1] * 8
    said = [" ".join(ended.err.split()) for ended in (*refusals, missing, closed)]
    for words, expected in zip(
        said,
        (
            *("holds no DSN with a host", "holds no DSN with a host", "no connection to the database server"),
            *("`master` is the server of the master database", "name 'No Name'", "this is the server 'master'"),
            *("cannot be read", "no database server has the name 'pg-2'"),
        ),
        strict=True,
    ):
        assert expected in words
    assert "hunter2" not in "".join(ended.out + ended.err for ended in refusals)
    assert [row["name"] for row in cli.rows("select name from database_servers")] == ["master"]


def test_a_server_without_an_answer_fails_its_clients_alone_when_all_are_migrated(
    cli: Cli, say: Callable[..., Ended], tenant: Callable[[str], str], tmp_path: Path
) -> None:
    tenant("george-golf")
    file = tmp_path / "dsn"
    with hasty_server("second") as dsn:
        file.write_text(dsn)
        say("server", "add", "pg-2", "--dsn-file", str(file))
        say("tenant", "create", SLUG, "--name", "Kloof", "--owner-email", "sales@kloof.example", "--server", "pg-2")

    ended = say("migrate")

    assert ended.code == 1
    assert "tenants: 0 migrated, 1 up to date, 1 failed" in ended.out
    assert "servers: 1 failed" in ended.out
    said = " ".join(ended.err.split())
    assert f"1 of 2 tenants could not be migrated: {SLUG}; no tenant template on pg-2" in said
    cli.execute(
        "update organizations set server = 'master', dsn_sealed = null, database_name = null where slug = %s", SLUG
    )


def test_a_server_that_is_away_is_in_nobodys_way_once_it_is_taken_out(
    cli: Cli, say: Callable[..., Ended], tenant: Callable[[str], str], tmp_path: Path
) -> None:
    tenant(SLUG)
    file = tmp_path / "dsn"
    with hasty_server("second") as dsn:
        file.write_text(dsn)
        say("server", "add", "pg-2", "--dsn-file", str(file))
        again = say("server", "add", "pg-2", "--dsn-file", str(file), "--closed")

    before = say("migrate")
    asked = say("server", "remove", "pg-2")
    removed = say("server", "remove", "pg-2", "--lost")
    after, listed = say("migrate"), say("server", "list")

    assert again.out == "pg-2 has its new DSN; it takes no new clients\n"
    assert (before.code, "tenants: 0 migrated, 1 up to date, 0 failed" in before.out) == (1, True)
    assert "no tenant template on pg-2" in before.err
    assert (asked.code, "server remove pg-2 --lost" in asked.err) == (1, True)
    assert removed.out == "pg-2 is in the list no more\n"
    assert (after.code, "servers:" in after.out, "pg-2" in listed.out) == (0, False, False)


def test_a_client_whose_move_was_cut_off_is_named_with_its_move_by_whoever_meets_it(
    cli: Cli, say: Callable[..., Ended], tenant: Callable[[str], str], second_dsn: str, tmp_path: Path
) -> None:
    tenant(SLUG)
    file = tmp_path / "dsn"
    file.write_text(second_dsn)
    say("server", "add", "pg-2", "--dsn-file", str(file))
    cli.execute(
        "insert into tenant_moves (organization_id, from_server, to_server, database_name, tokens, requested_by)"
        " select id, 'master', 'pg-2', database_name, '{0badcafe}', 'a killed process' from organizations"
    )
    cli.execute("update organizations set held_since = '2026-11-24 04:00:00+00'")
    [row] = cli.rows("select database_name as name from organizations")
    with psycopg.connect(cli.environment["DRAGGONNB_MASTER_DSN"], autocommit=True) as conn:
        fence = SQL("alter database {} rename to {}")
        conn.execute(fence.format(Identifier(row["name"]), Identifier(f"{row['name']}_left_0badcafe")))

    migrated, shown, listed = say("migrate"), say("tenant", "show", SLUG), say("tenant", "list")
    given_up = say("tenant", "move", SLUG, "--to", "master", "--yes")
    in_the_end = say("migrate")

    assert migrated.code == 1
    said = " ".join(migrated.out.replace("│", " ").split())
    assert f"the database of {SLUG} is being moved to pg-2" in said
    assert "2026-11-24 04:00:00" in shown.out
    assert "copying" in shown.out
    assert "held" in listed.out
    assert (given_up.code, in_the_end.code) == (0, 0)
