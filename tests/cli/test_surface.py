"""What every verb shares: quick starts without Dagster, errors in two lines, settings that are documented."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from draggonnb_pipelines.cli import app
from draggonnb_pipelines.settings import Settings
from tests.cli.conftest import ROOT, Cli, clean_environment

LIGHT = ("audit", "audit_export", "doctor", "faults", "inbox", "keys", "leads", "migrate", "reprocess", "screen")
LIGHT += ("mcp", "session", "tenants", "watch")


def test_no_light_verb_imports_dagster(tmp_path: Path):
    modules = [f"draggonnb_pipelines.cli.{name}" for name in (*LIGHT, "up", "demo")]
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] == 'dagster'))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment(tmp_path), cwd=ROOT, capture_output=True, text=True
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_help_imports_neither_dagster_nor_a_database_driver(tmp_path: Path):
    code = (
        "import sys\n"
        "from draggonnb_pipelines.cli import app\n"
        "app(['tenant', 'list', '--help'], standalone_mode=False)\n"
        "heavy = {'dagster', 'psycopg', 'anthropic', 'httpx', 'aiosql', 'pydantic_settings'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment(tmp_path), cwd=ROOT, capture_output=True, text=True
    )

    assert done.stdout.endswith("\n[]\n"), done
    assert done.stderr == ""


@pytest.mark.parametrize(
    "verb",
    [
        *("up", "demo", "migrate", "doctor", "reprocess", "tenant create", "tenant list", "tenant show"),
        *("lead send", "inbox list", "inbox replay", "audit verify", "audit export"),
        *("keys list", "keys add", "keys rotate", "keys retire", "mcp"),
        *("person find", "person export", "person erase", "person consent"),
    ],
)
def test_every_verb_explains_itself(verb: str):
    done = CliRunner().invoke(app, [*verb.split(), "--help"])

    assert done.exit_code == 0
    assert f"Usage: root {verb}" in " ".join(done.output.split())


def test_a_wrong_setting_is_two_lines_that_name_the_variable(cli: Cli):
    ended = cli("tenant", "list", DRAGGONNB_API_PORT="99999")

    assert ended.code == 1
    assert ended.out == ""
    first, second = ended.err.splitlines()
    assert first.startswith("error: settings: DRAGGONNB_API_PORT: ")
    assert second == "  -> correct it in the environment or in .env"


def test_verbose_adds_the_traceback_without_the_password(cli: Cli):
    dsn = "postgresql://me:hunter2@127.0.0.1:1/nowhere"

    quiet = cli("tenant", "list", DRAGGONNB_MASTER_DSN=dsn)
    verbose = cli("--verbose", "tenant", "list", DRAGGONNB_MASTER_DSN=dsn)

    assert (quiet.code, verbose.code) == (1, 1)
    assert len(quiet.err.splitlines()) == 2
    assert "Traceback" not in quiet.err
    assert "Traceback (most recent call last)" in verbose.err
    assert "hunter2" not in quiet.err + verbose.err
    assert verbose.err.endswith(quiet.err)


def test_missing_keys_of_an_own_server_are_named(cli: Cli):
    ended = cli("tenant", "list", DRAGGONNB_MASTER_KEYS="")

    assert ended.code == 1
    assert ended.err.startswith("error: DRAGGONNB_MASTER_KEYS is not set")


def test_the_example_file_documents_exactly_the_settings():
    lines = (ROOT / ".env.example").read_text().splitlines()
    found = [(i, match[1].lower()) for i, line in enumerate(lines) if (match := re.match(r"#DRAGGONNB_(\w+)=", line))]

    assert sorted(name for _, name in found) == sorted(Settings.model_fields)
    assert [name for i, name in found if not re.match(r"# \S", lines[i - 1])] == []


def test_the_values_of_the_example_file_are_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"DRAGGONNB_{name.upper()}", raising=False)
    lines = (ROOT / ".env.example").read_text().splitlines()
    used = [line[1:] for line in lines if line.startswith("#DRAGGONNB_") and not line.endswith("=...")]
    example = tmp_path / "env"
    example.write_text("\n".join(line for line in used if not line.startswith("DRAGGONNB_STATE_DIR")))

    assert Settings(_env_file=example) == Settings(_env_file=None)  # pyright: ignore[reportCallIssue]
