"""`draggonnb mcp` as the operator starts it, by stdin and by HTTP, with a client of the official SDK."""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import Stack
from tests.cli.conftest import ROOT, VERB
from tests.mcp_server import desk
from tests.mcp_server.conftest import TOKEN
from tests.mcp_server.desk import CLIENT, READING, WRITING, Desk, audits
from tests.sandbox_process import free_port_pair


@contextlib.asynccontextmanager
async def by_stdio(environment: dict[str, str], log: Path, *options: str) -> AsyncIterator[Desk]:
    command = StdioServerParameters(
        command=sys.executable, args=["-c", VERB, "mcp", *options], env=environment, cwd=str(ROOT)
    )
    with log.open("w") as errors:
        async with Client(stdio_client(command, errlog=errors), client_info=CLIENT) as client:
            yield Desk(client)


@contextlib.asynccontextmanager
async def by_http(url: str, token: str = TOKEN) -> AsyncIterator[Desk]:
    headers = {"authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=20, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http), client_info=CLIENT) as client,
    ):
        yield Desk(client)


@pytest.fixture
def served(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The address of a server by HTTP that may write."""
    port = free_port_pair()
    command = [sys.executable, "-c", VERB, "mcp", "--http", str(port), "--allow-writes"]
    with (tmp_path / "mcp.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
        try:
            _wait(port, process)
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.terminate()
            process.wait(15)


async def test_by_stdin_a_client_reads_and_nothing_else_is_on_stdout(
    stack: Stack, kloof: Organization, environment: dict[str, str], tmp_path: Path
):
    lead_id = await desk.add_lead(stack, kloof, "Please call")
    log = tmp_path / "mcp.log"

    async with by_stdio(environment, log) as reader:
        tools = await reader.tools()
        leads = await reader.ok("list_leads", organization="kloof-coffee")
        refused = await reader.refused("list_leads", organization="no-such-shop")

    assert tools == READING
    assert [one["id"] for one in leads["leads"]] == [str(lead_id)]
    assert "organization: nobody has the slug 'no-such-shop'" in refused
    assert log.read_text() == ""


async def test_by_stdin_with_leave_a_client_changes_what_a_person_confirmed(
    stack: Stack, kloof: Organization, environment: dict[str, str], tmp_path: Path
):
    await desk.add_delivery(stack, kloof, "dead")

    async with by_stdio(environment, tmp_path / "mcp.log", "--allow-writes") as writer:
        tools = await writer.tools()
        preview = await writer.ok("replay_inbox", organization="kloof-coffee")
        await writer.ok("replay_inbox", organization="kloof-coffee", confirm=preview["confirm"])

    assert tools == READING | WRITING
    assert [row["state"] for row in await desk.master_rows(stack, "select state from inbox")] == ["received"]
    assert await audits(stack, None) == [("mcp:tester", "inbox.replayed", "organization:kloof-coffee")]


async def test_by_http_several_clients_with_the_token_work_at_once(stack: Stack, kloof: Organization, served: str):
    alert = await desk.add_alert(stack, kloof, "Late.")

    async with by_http(served) as first, by_http(served) as second:
        listed = await asyncio.gather(*(one.ok("list_organizations") for one in (first, second) * 5))
        preview = await first.ok("answer_alert", organization="kloof-coffee", alert_id=str(alert))
        # One process, one client's name: the phrase is good for both.
        done = await second.ok(
            "answer_alert", organization="kloof-coffee", alert_id=str(alert), confirm=preview["confirm"]
        )

    assert {one["slug"] for answer in listed for one in answer["organizations"]} == {"kloof-coffee"}
    assert done["is_done"] is True
    assert await audits(stack, kloof) == [("mcp:tester", "alert.acknowledged", f"alert:{alert}")]


def test_by_http_nobody_gets_in_without_the_token_or_from_elsewhere(served: str):
    wrong = [{}, *({"authorization": given} for given in ("Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"))]
    page = {"authorization": f"Bearer {TOKEN}", "accept": "application/json, text/event-stream"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}

    refused = [httpx.post(served, json=body, headers=headers, trust_env=False) for headers in wrong]
    foreign = [
        httpx.post(served, json=body, headers=page | headers, trust_env=False)
        for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"})
    ]

    assert {(one.status_code, one.text, one.headers["www-authenticate"]) for one in refused} == {
        (401, '{"error":"unauthorized"}', "Bearer")
    }
    assert [one.status_code for one in foreign] == [421, 403]
    assert _listeners(int(served.split(":")[2].split("/")[0])) == {"0100007F"}


def test_by_http_a_server_needs_a_token_of_some_length_and_a_free_port(environment: dict[str, str]):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = {
            "none": _run(environment | {"DRAGGONNB_MCP_TOKEN": ""}, port),
            "short": _run(environment | {"DRAGGONNB_MCP_TOKEN": "short"}, port),
            "taken": _run(environment, port),
        }

    assert {name: (one.returncode, one.stdout) for name, one in ended.items()} == dict.fromkeys(ended, (1, ""))
    assert ended["none"].stderr.startswith("error: DRAGGONNB_MCP_TOKEN is not set\n")
    assert ended["short"].stderr.startswith("error: settings: DRAGGONNB_MCP_TOKEN: ")
    assert ended["taken"].stderr.startswith(f"error: port {port} of 127.0.0.1 cannot be had: ")
    assert TOKEN not in "".join(one.stderr for one in ended.values())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_by_stdin_it_ends_when_told_to_though_nobody_hangs_up(environment: dict[str, str], number: signal.Signals):
    command = [sys.executable, "-c", VERB, "mcp"]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
        process.stdin.flush()
        answer = process.stdout.readline()

        process.send_signal(number)

        assert (process.wait(10), json.loads(answer)["id"]) == (0, 1)


def _listeners(port: int) -> set[str]:
    """The addresses on which this machine listens at a port, as the kernel writes them."""
    lines = [
        line.split() for path in ("/proc/net/tcp", "/proc/net/tcp6") for line in Path(path).read_text().splitlines()
    ]
    return {line[1].split(":")[0] for line in lines[1:] if line[1].endswith(f":{port:04X}") and line[3] == "0A"}


def _run(environment: dict[str, str], port: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", VERB, "mcp", "--http", port]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the MCP server does not answer; exit code {process.poll()}")
