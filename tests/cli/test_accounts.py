"""Connecting, listing, refreshing and disconnecting accounts. A token is never shown, never on a command line."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.rows import dict_row
from typer.testing import CliRunner

from draggonnb_pipelines.cli import app
from draggonnb_pipelines.resources.postgres import dsn_for
from tests.cli.conftest import ROOT, VERB, Cli
from tests.sandbox_process import Sandbox

MakeTenant = Callable[[str], str]
SECRET = "EAAB-token-of-the-page"


def tenant_rows(cli: Cli, slug: str, query: LiteralString) -> list[dict[str, Any]]:
    [row] = cli.rows("select database_name from organizations where slug = %s", slug)
    dsn = dsn_for(cli.environment["DRAGGONNB_MASTER_DSN"], row["database_name"])
    with psycopg.connect(dsn, autocommit=True) as conn:
        return conn.cursor(row_factory=dict_row).execute(query).fetchall()


def table_cells(out: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]


def account_id(cli: Cli, slug: str) -> str:
    [row] = tenant_rows(cli, slug, "select id from social_accounts")
    return str(row["id"])


def test_an_account_is_connected_from_a_file_and_its_token_is_not_shown(cli: Cli, tenant: MakeTenant, tmp_path: Path):
    tenant("kalk-bay-books")
    tenant("outsider-books")
    file = tmp_path / "token"
    file.write_text(f"  {SECRET}\nrefresh-secret\n")

    connect = ["account", "connect", "kalk-bay-books", "linkedin", "77", "--token-file", str(file)]
    first = cli.ok(*connect, "--handle", "Kalk Bay Books", "--expires-in", "5184000")
    again = cli.ok(*connect)
    listed = cli.ok("account", "list", "kalk-bay-books")

    key = account_id(cli, "kalk-bay-books")
    assert first == f"connected: linkedin Kalk Bay Books, account {key}\n"
    assert again == f"connected again: linkedin 77, account {key}\n"
    [row] = table_cells(listed)
    assert row == [
        *("kalk-bay-books", "linkedin", "77", "Kalk Bay Books", "connected", "", "renewed by itself", "0"),
        key,
    ]
    for out in (first, again, listed):
        assert SECRET not in out
        assert "refresh-secret" not in out
    assert tenant_rows(cli, "outsider-books", "select id from social_accounts") == []


def test_the_token_may_come_by_stdin(cli: Cli, tenant: MakeTenant):
    tenant("stdin-shop")

    command = [sys.executable, "-c", VERB, "account", "connect", "stdin-shop", "facebook", "1001", "--token-file", "-"]
    done = subprocess.run(command, env=cli.environment, cwd=ROOT, input=f"{SECRET}\n", capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
    assert SECRET not in done.stdout
    assert tenant_rows(cli, "stdin-shop", "select external_id, status, has_refresh_token from social_accounts") == [
        {"external_id": "1001", "status": "connected", "has_refresh_token": False}
    ]


def test_without_a_token_nothing_is_connected(cli: Cli, tenant: MakeTenant, tmp_path: Path):
    tenant("no-token-shop")
    files = {"empty": b"", "refresh-only": b"\nrefresh-secret\n", "binary": b"\xff\xfe"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    said = {}
    for name in (*files, "absent"):
        connect = ("account", "connect", "no-token-shop", "x", "kloof", "--token-file", str(tmp_path / name))
        ended = cli(*connect)
        assert (ended.code, ended.out) == (1, "")
        said[name] = ended.err.splitlines()[0].removeprefix("error: ").replace(f"{tmp_path}/", "")

    assert said == {
        "empty": "the access token is empty",
        "refresh-only": "the access token is empty",
        "binary": "binary cannot be read (UnicodeDecodeError)",
        "absent": "absent cannot be read (FileNotFoundError)",
    }
    assert tenant_rows(cli, "no-token-shop", "select id from social_accounts") == []


def test_without_a_terminal_the_token_is_not_asked_for(cli: Cli):
    command = [sys.executable, "-c", VERB, "account", "connect", "no-terminal-shop", "x", "kloof"]
    done = subprocess.run(command, env=cli.environment, cwd=ROOT, input="", capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "error: there is no terminal to ask for the token"


def test_the_sandboxs_tokens_are_refused_where_the_network_is_real(cli: Cli):
    connect = ["account", "connect", "real-shop", "x", "kloof", "--sandbox"]
    real = cli(*connect, DRAGGONNB_X_CLIENT_ID="id", DRAGGONNB_X_CLIENT_SECRET="secret")

    assert real.code == 1
    assert real.err.splitlines()[0] == "error: --sandbox: x is set up with real credentials"


def test_an_account_of_the_sandbox_is_refreshed_until_it_cannot_be(cli: Cli, tenant: MakeTenant, sandbox: Sandbox):
    tenant("surf-shop")
    port = {"DRAGGONNB_SANDBOX_PORT": str(sandbox.port)}
    cli.ok("account", "connect", "surf-shop", "x", "surf", "--handle", "@surf", "--sandbox")
    key = account_id(cli, "surf-shop")

    refreshed = cli.ok("account", "refresh", "surf-shop", key, **port)
    sandbox.faults("POST /x/2/oauth2/token", {"kind": "accept_then_drop"})
    lost = cli("account", "refresh", "surf-shop", key, **port)
    never = cli("account", "refresh", "surf-shop", key, **port)

    assert refreshed == f"refreshed: account {key}\n"
    assert lost.code == never.code == 1
    assert "error: not refreshed: the new pair of tokens was lost" in lost.err
    assert f"error: account {key} cannot be refreshed now" in never.err
    [row] = table_cells(cli.ok("account", "list", "--all"))
    assert row[:5] == ["surf-shop", "x", "surf", "@surf", "reconnect_needed"]
    assert sum(entry["route"] == "POST /x/2/oauth2/token" for entry in sandbox.journal("x")) == 2


def test_a_disconnected_account_has_no_tokens_and_is_not_disconnected_twice(cli: Cli, tenant: MakeTenant):
    tenant("closing-shop")
    cli.ok("account", "connect", "closing-shop", "instagram", "1784", "--sandbox")
    key = account_id(cli, "closing-shop")

    out = cli.ok("account", "disconnect", "closing-shop", key)
    again = cli("account", "disconnect", "closing-shop", key)

    assert out == f"disconnected: account {key}\n"
    assert again.code == 1
    assert again.err.splitlines()[0] == f"error: closing-shop has no connected account {key}"
    assert tenant_rows(cli, "closing-shop", "select status, credentials from social_accounts") == [
        {"status": "disconnected", "credentials": None}
    ]


def test_the_list_wants_one_organization_or_all(cli: Cli, tenant: MakeTenant):
    tenant("empty-shop")

    assert cli.ok("account", "list", "--all").startswith("no account yet")
    assert cli("account", "list").err.splitlines()[0] == "error: whose accounts?"
    assert cli("account", "list", "empty-shop", "--all").err.splitlines()[0] == "error: whose accounts?"


@pytest.mark.parametrize("verb", ["connect", "list", "refresh", "disconnect"])
def test_every_verb_explains_itself_and_no_option_takes_a_token(verb: str):
    done = CliRunner().invoke(app, ["account", verb, "--help"])

    assert done.exit_code == 0
    assert "--token " not in done.output
    assert "--refresh-token" not in done.output
