"""`.mcp.json`: which servers a client in this folder is connected to, how little they may do, and no secret in it."""

import json
import re
from typing import Any

import pytest

from draggonnb_pipelines.settings import Settings
from tests.cli.conftest import ROOT

FILE = ROOT / ".mcp.json"


@pytest.fixture
def servers() -> dict[str, dict[str, Any]]:
    return json.loads(FILE.read_text())["mcpServers"]


def test_ours_and_those_of_the_vendors_are_connected_to_read(servers: dict[str, dict[str, Any]]):
    assert set(servers) == {"draggonnb", "supabase", "github", "n8n", "vercel"}
    assert servers["draggonnb"]["args"] == ["mcp"]
    assert "--read-only" in servers["supabase"]["args"]
    assert servers["github"]["url"].endswith("/readonly")


def test_what_npm_brings_has_an_exact_version(servers: dict[str, dict[str, Any]]):
    packages = [argument for one in servers.values() for argument in one.get("args", []) if argument.startswith("@")]

    assert [package for package in packages if not re.fullmatch(r"@[a-z-]+/[a-z-]+@\d+\.\d+\.\d+", package)] == []
    assert len(packages) == 1


def test_tokens_come_from_the_environment_and_a_missing_one_breaks_no_other_server(servers: dict[str, dict[str, Any]]):
    text = FILE.read_text()
    secrets = [*servers["supabase"]["env"].values(), *servers["github"]["headers"].values()]
    secrets += servers["n8n"]["headers"].values()

    assert [one for one in secrets if not re.fullmatch(r"(Bearer )?\$\{[A-Z0-9_]+:-\}", one)] == []
    assert re.findall(r"\$\{[A-Z0-9_]+\}", text) == []
    ours = {name.lower() for name in re.findall(r"\$\{DRAGGONNB_([A-Z0-9_]+)", text)}
    assert ours <= set(Settings.model_fields)
