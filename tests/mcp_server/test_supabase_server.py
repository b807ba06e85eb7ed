"""Supabase's own MCP server, from npm as `.mcp.json` names it, against the sandbox: it reads our clients' projects."""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult, TextContent

from tests.cli.conftest import ROOT
from tests.sandbox_process import Sandbox
from tests.supabase_calls import TOKEN, management, new_project, public

pytestmark = pytest.mark.client
_, PACKAGE, *OPTIONS = json.loads((ROOT / ".mcp.json").read_text())["mcpServers"]["supabase"]["args"]


@pytest.fixture(scope="module")
def program() -> str:
    """The path of the server; npm keeps it in its cache."""
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("no npx on this machine: Supabase's MCP server comes from npm")
    command = [npx, "--yes", "--package", PACKAGE, "--", "sh", "-c", "command -v mcp-server-supabase"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=100)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not bring {PACKAGE} in time")
    if found.returncode:
        reasons = [line for line in found.stderr.splitlines() if line.startswith("npm error")]
        pytest.skip(f"npm, or its registry, has no {PACKAGE} here: {' '.join(reasons[:2])}")
    return found.stdout.strip().splitlines()[-1]


@contextlib.asynccontextmanager
async def connected(program: str, sandbox: Sandbox, folder: Path) -> AsyncIterator[Client]:
    command = StdioServerParameters(
        command=program,
        args=["--api-url", f"{sandbox.url}/supabase", *OPTIONS],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "SUPABASE_ACCESS_TOKEN": TOKEN},
    )
    with (folder / "server.log").open("w") as errors:
        async with Client(stdio_client(command, errlog=errors)) as client:
            yield client


def text_of(result: CallToolResult) -> str:
    return "".join(block.text for block in result.content if isinstance(block, TextContent))


async def test_it_lists_projects_and_reads_their_tables_and_migrations(
    program: str, supabase_sandbox: Sandbox, tmp_path: Path
):
    ref = new_project(supabase_sandbox)
    migration = {"name": "core", "query": "create table notes (id int); insert into notes values (7)"}
    management(supabase_sandbox, "POST", f"/projects/{ref}/database/migrations", migration)

    async with connected(program, supabase_sandbox, tmp_path) as client:
        projects = await client.call_tool("list_projects", {})
        migrations = await client.call_tool("list_migrations", {"project_id": ref})
        rows = await client.call_tool("execute_sql", {"project_id": ref, "query": "select id from notes"})

    assert (projects.is_error, migrations.is_error, rows.is_error) == (False, False, False)
    assert ref in text_of(projects)
    assert "core" in text_of(migrations)
    assert '"id":7' in text_of(rows).replace("\\", "")


async def test_read_only_it_changes_nothing(program: str, supabase_sandbox: Sandbox, tmp_path: Path):
    ref = new_project(supabase_sandbox)

    async with connected(program, supabase_sandbox, tmp_path) as client:
        written = await client.call_tool("execute_sql", {"project_id": ref, "query": "create table notes (id int)"})
        migrated = await client.call_tool(
            "apply_migration", {"project_id": ref, "name": "core", "query": "create table notes (id int)"}
        )

    assert (written.is_error, migrated.is_error) == (True, True)
    assert "read-only transaction" in text_of(written)
    assert "read-only mode" in text_of(migrated)
    found = management(
        supabase_sandbox,
        "POST",
        f"/projects/{ref}/database/query",
        {"query": "select count(*)::int as tables from pg_tables where tablename = 'notes'"},
    )
    assert found.json() == [{"tables": 0}]
    assert set(public(supabase_sandbox)) == {ref}
