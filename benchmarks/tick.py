"""The sensor's tick with a thousand and with a million finished inbox rows: it must not grow with history."""

import asyncio
import os
import statistics
import time

import psycopg
from psycopg.rows import DictRow, dict_row

from benchmarks.server import bench_server, report
from draggonnb_pipelines.sensors.inbox import dispatch_batches

FINISHED = (1_000, 1_000_000)
TICKS = 200
WAITING = 50
_FILL = """
insert into inbox (organization_id, topic, source, delivery_id, content_type, parsed_sealed, raw_sealed, received_at,
                   state, stage, batch_id, attempts, finished_at)
select %(organization)s, 'leads', 'web_form', gen_random_uuid()::text, 'application/json',
       decode(repeat('5a', 400), 'hex'), decode(repeat('5a', 300), 'hex'), now() - make_interval(secs => n), %(state)s,
       case when %(state)s = 'done' then 6 else 0 end, case when %(state)s = 'done' then gen_random_uuid() end, 0,
       case when %(state)s = 'done' then now() end
from generate_series(1, %(rows)s) as n
"""


def main(_: list[str]) -> None:
    rows, data = [], {}
    with bench_server("tick") as settings:
        os.environ["DRAGGONNB_MASTER_DSN"] = settings.dsn
        organization = _organization(settings.dsn)
        have = 0
        for finished in FINISHED:
            _fill(settings.dsn, organization, "done", finished - have)
            have = finished
            idle, busy = asyncio.run(_measure(settings.dsn, organization))
            rows.append((f"{finished:,}", idle, busy))
            data[str(finished)] = {"idle_ms": idle, "with_rows_ms": busy}
    first, last = (data[str(finished)] for finished in FINISHED)
    growth = {key: last[key] / first[key] for key in first}
    rows.append(("growth", growth["idle_ms"], growth["with_rows_ms"]))
    report(
        "tick",
        f"Sensor tick, median of {TICKS}, in ms",
        ("finished rows", "nothing waits", f"{WAITING} rows wait and are dispatched"),
        rows,
        {"ticks": TICKS, "median_ms": data, "growth": growth},
    )


def _organization(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as conn:
        row = conn.execute(
            "insert into organizations (slug, name, status) values ('bench', 'Bench', 'active') returning id"
        )
        found = row.fetchone()
        assert found is not None
        return str(found[0])


def _fill(dsn: str, organization: str, state: str, rows: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        for start in range(0, rows, 100_000):
            conn.execute(_FILL, {"organization": organization, "state": state, "rows": min(100_000, rows - start)})
        conn.execute("vacuum analyze inbox")


async def _measure(dsn: str, organization: str) -> tuple[float, float]:
    """Median ms of an idle tick, and of one that hands out `WAITING` rows (each batch finished between ticks)."""
    async with await psycopg.AsyncConnection[DictRow].connect(dsn, autocommit=True, row_factory=dict_row) as conn:
        idle, busy = [], []
        for _ in range(TICKS):
            idle.append(await _timed(conn))
        for _ in range(TICKS // 4):
            parameters = {"organization": organization, "state": "received", "rows": WAITING}
            await conn.execute(_FILL, parameters)
            busy.append(await _timed(conn))
            await conn.execute(
                "update inbox set state = 'done', finished_at = now() where state in ('claimed', 'received')"
            )
    return statistics.median(idle), statistics.median(busy)


async def _timed(conn: psycopg.AsyncConnection[DictRow]) -> float:
    started = time.perf_counter()
    await dispatch_batches(conn, topic="leads")
    return (time.perf_counter() - started) * 1000
