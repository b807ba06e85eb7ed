"""Audit logs as a file: verified by the script of the docs, without the program and without the database."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from draggonnb_pipelines.resources.postgres import dsn_for
from tests.cli.conftest import ROOT, Cli

MakeTenant = Callable[[str], str]
Lines = list[dict[str, Any]]
SLUG = "export-shop"


@pytest.fixture
def exported(cli: Cli, tenant: MakeTenant, tmp_path: Path) -> Path:
    """Two clients; one log of six entries with what JSON can hold."""
    tenant(SLUG)
    tenant("outsider-export")
    with psycopg.connect(
        dsn_for(cli.environment["DRAGGONNB_MASTER_DSN"], "tenant_export_shop"), autocommit=True
    ) as conn:
        for number in range(6):
            metadata = json.dumps({"b": 1.50, "a": ['é\n"', None], "number": number, "deep": {"z": {}, "y": []}})
            conn.execute("select append_audit('operator', 'lead.viewed', %s, %s)", [f"lead:{number} ä\\", metadata])
    path = tmp_path / "audit.jsonl"
    assert cli.ok("audit", "export", str(path)) == f"written to {path}\n"
    return path


def verify(path: Path, tmp_path: Path) -> tuple[int, list[str]]:
    """What the script in the docs says."""
    text = (ROOT / "docs" / "keys_and_audit.md").read_text()
    [script] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    file = tmp_path / "verify_audit.py"
    file.write_text(script)
    done = subprocess.run([sys.executable, "-I", str(file), str(path)], capture_output=True, text=True, timeout=20)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def tampered(path: Path, tmp_path: Path, change: Callable[[Lines], Lines]) -> tuple[int, list[str]]:
    """The log of the one client alone, changed."""
    lines = [line for line in map(json.loads, path.read_text().splitlines()) if line["log"] == SLUG]
    file = tmp_path / "tampered.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in change(lines)))
    return verify(file, tmp_path)


def test_an_export_is_verified_without_us_and_shows_every_entry(exported: Path, tmp_path: Path) -> None:
    lines = list(map(json.loads, exported.read_text().splitlines()))

    code, said = verify(exported, tmp_path)

    assert (code, said) == (0, ["3 logs, 8 entries, 0 faults"])
    assert [line["log"] for line in lines if "head" in line] == ["master", SLUG, "outsider-export"]
    entry = json.loads(lines[3]["entry"])
    assert (lines[3]["log"], entry[0], entry[2:6]) == (SLUG, 1, ["operator", None, "lead.viewed", "lead:0 ä\\"])
    assert entry[6] == {"a": ['é\n"', None], "b": 1.5, "deep": {"y": [], "z": {}}, "number": 0}
    assert exported.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in exported.parent.glob(".audit*")] == []


def altered(lines: Lines) -> Lines:
    lines[2]["entry"] = lines[2]["entry"].replace("operator", "somebody")
    return lines


def test_every_kind_of_tampering_is_found_and_located(exported: Path, tmp_path: Path) -> None:
    kinds: dict[str, Callable[[Lines], Lines]] = {
        "changed": altered,
        "removed": lambda lines: lines[:2] + lines[3:],
        "inserted": lambda lines: [*lines[:2], lines[4], *lines[2:]],
        "reordered": lambda lines: [lines[0], lines[1], lines[3], lines[2], *lines[4:]],
        "truncated": lambda lines: lines[:4] + lines[6:],
        "cut before the head": lambda lines: lines[:4],
        "renumbered": lambda lines: [
            {**line, "id": number + 1} if "id" in line else line for number, line in enumerate(lines[:2] + lines[3:])
        ],
    }

    found = {kind: tampered(exported, tmp_path, change) for kind, change in kinds.items()}

    assert {kind: code for kind, (code, _) in found.items()} == dict.fromkeys(kinds, 1)
    assert {kind: said[0] for kind, (_, said) in found.items()} == {
        "changed": "line 3: export-shop entry 3 is not as it was written",
        "removed": "line 3: export-shop entry 4 is not as it was written",
        "inserted": "line 3: export-shop entry 5 is not as it was written",
        "reordered": "line 3: export-shop entry 4 is not as it was written",
        "truncated": "line 5: export-shop head is not as it was written",
        "cut before the head": "export-shop has no head: the file was cut",
        "renumbered": "line 3: export-shop entry 3 is not as it was written",
    }


def test_a_chain_that_was_written_anew_from_its_beginning_is_found_by_an_older_export(
    cli: Cli, exported: Path, tmp_path: Path
) -> None:
    """Who may do everything in the database makes a chain that verifies; not one that an older file agrees with."""
    older = tmp_path / "older.jsonl"
    exported.rename(older)
    with psycopg.connect(
        dsn_for(cli.environment["DRAGGONNB_MASTER_DSN"], "tenant_export_shop"), autocommit=True
    ) as conn:
        conn.execute("alter table audit_log disable trigger user")
        conn.execute("delete from audit_log where id > 3")
        conn.execute("update audit_head set last_id = 3, last_hash = (select hash from audit_log where id = 3)")
        conn.execute("alter table audit_log enable always trigger append_only")
    cli.ok("audit", "verify", "--organization", SLUG)
    cli.ok("audit", "export", str(exported))

    alone, together = verify(exported, tmp_path), _missing(older, exported)

    assert alone == (0, ["3 logs, 5 entries, 0 faults"])
    assert [(line["log"], line["id"]) for line in together] == [(SLUG, 4), (SLUG, 5), (SLUG, 6)]


def _missing(older: Path, newer: Path) -> Lines:
    """Entries of the older file that are not in the newer one; the command of the docs."""
    command = f"grep -v '\"head\"' {older} | grep -vxFf {newer}"
    assert (
        "grep -v '\"head\"' older.jsonl | grep -vxFf newer.jsonl" in (ROOT / "docs" / "keys_and_audit.md").read_text()
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=20)
    return list(map(json.loads, done.stdout.splitlines()))


def test_one_log_alone_goes_to_stdout(cli: Cli, exported: Path) -> None:
    out = cli.ok("audit", "export", "-", "--organization", "outsider-export")

    [head] = map(json.loads, out.splitlines())
    assert head == {"log": "outsider-export", "head": {"id": 0, "hash": "00" * 32}}


def test_a_log_that_cannot_be_read_is_named_in_the_file_and_at_the_end(
    cli: Cli, exported: Path, tmp_path: Path
) -> None:
    cli.execute('drop database "tenant_outsider_export" with (force)')
    path = tmp_path / "partly.jsonl"

    ended = cli("audit", "export", str(path))

    assert ended.code == 1
    assert ended.err.startswith("error: 1 audit logs could not be read: outsider-export\n")
    last = json.loads(path.read_text().splitlines()[-1])
    assert (last["log"], "does not exist" in last["unread"]) == ("outsider-export", True)
    code, said = verify(path, tmp_path)
    assert (code, said[0]) == (1, "outsider-export was not read")


def test_a_file_that_cannot_be_written_is_said_so(cli: Cli, tmp_path: Path) -> None:
    ended = cli("audit", "export", str(tmp_path / "nowhere" / "audit.jsonl"))

    assert ended.code == 1
    assert ended.err.splitlines()[0].endswith("audit.jsonl cannot be written: No such file or directory")
