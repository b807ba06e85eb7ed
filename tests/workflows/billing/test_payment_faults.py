"""Vendors away, processes cut off, several at once: a notice still has one effect."""

import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.payfast import south_african_day
from draggonnb_pipelines.domain.subscriptions import month_after
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.payments import take_notices
from draggonnb_pipelines.workflows.messages.notices import send_waiting
from tests.conftest import MASTER_KEYS
from tests.payfast_till import LetterBox, letter_box
from tests.sandbox_process import Sandbox
from tests.workflows.billing_work import (
    ONE_OF_EACH,
    at,
    books,
    charge,
    empty_books,
    open_checkout,
    pay,
    payments,
    receive,
    subscription,
    took,
)
from tests.workflows.conftest import World
from tests.workflows.lead_work import master_rows
from tests.workflows.payments_worker import GATE
from tests.workflows.publishing.test_publish_cuts import Cutter

VALIDATE = "POST /payfast/eng/query/validate"


@pytest.fixture(autouse=True)
def clean_books(world: World) -> Iterator[None]:
    empty_books(world.dsn)
    yield
    empty_books(world.dsn)


@pytest.fixture
async def box() -> AsyncIterator[LetterBox]:
    async with letter_box() as opened:
        yield opened


def today() -> Any:
    return south_african_day(datetime.now(UTC))


async def test_while_payfast_cannot_be_asked_nothing_is_lost_and_nothing_believed(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    notices = [(await pay(stack, sandbox, box, await open_checkout(stack, agency)))[1] for _ in range(3)]
    sandbox.faults(VALIDATE, {"kind": "status", "status": 503}, repeat=True)

    assert await took(stack, *notices) == []
    waiting = await payments(stack)
    asked = sum(entry["route"] == VALIDATE for entry in sandbox.journal("payfast"))
    assert {(row["state"], row["attempts"]) for row in waiting} == {("received", 1)}
    assert all("503" in row["reason"] for row in waiting)
    assert (await books(stack))["organizations"] == 0
    assert asked < 20  # one after the other would have waited for the same silence

    for minutes in (1, 600):
        assert await take_notices(at(stack, datetime.now(UTC) + timedelta(minutes=minutes)), "run-2") == []
    sandbox.clear_faults()
    slugs = await take_notices(at(stack, datetime.now(UTC) + timedelta(days=1)), "run-3")

    assert slugs == ["kloof-coffee", "kloof-coffee-2", "kloof-coffee-3"]
    assert {row["state"] for row in await payments(stack)} == {"applied"}
    assert sandbox.public("mail") == []


@pytest.mark.parametrize("before", [True, False])
async def test_cut_off_between_any_two_statements_it_has_one_effect(
    stack: Stack, world: World, agency: Organization, sandbox: Sandbox, box: LetterBox,
    monkeypatch: pytest.MonkeyPatch, before: bool,
) -> None:  # fmt: skip
    checkout = await open_checkout(stack, agency)
    token, first = await pay(stack, sandbox, box, checkout)
    notices = [first, *(await charge(sandbox, box, token)), b"nonsense"]

    cutter = _Cut(0, before=before)
    while cutter.was_in_time:
        cutter = _Cut(cutter.at + 1, before=before)
        empty_books(world.dsn)
        await open_checkout(stack, agency, m_payment_id=checkout["m_payment_id"])
        await receive(stack, *notices)
        await cutter.run(stack, agency, monkeypatch)
        afterwards = at(stack, datetime.now(UTC) + timedelta(hours=2))
        await take_notices(afterwards, "run-2")
        await send_waiting(afterwards, agency)

        assert await books(stack) == ONE_OF_EACH | {"subscription_events": 3}
        assert sorted(row["state"] for row in await payments(stack)) == ["applied", "applied", "rejected"]
        assert (await subscription(stack))["paid_until"] == month_after(month_after(today()))
        [forgery] = [row for row in await payments(stack) if row["state"] == "rejected"]
        mails = [mail for mail in sandbox.public("mail") if str(forgery["id"]) in mail["text"]]
        assert len({mail["headers"]["message-id"] for mail in mails}) == 1
    assert cutter.at > 30


class _Cut(Cutter):
    async def run(self, stack: Stack, organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
        with self._counting(monkeypatch):
            self.task = asyncio.create_task(take_notices(stack, "run-1"))
            await asyncio.gather(self.task, return_exceptions=True)


def _worker(environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.workflows.payments_worker"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def _until_they_wait(gate: psycopg.Connection, count: int) -> None:
    waits = "select count(*) from pg_locks where locktype = 'advisory' and objid = %s and not granted"
    deadline = time.monotonic() + 40
    while gate.execute(waits, (GATE,)).fetchone() != (count,) and time.monotonic() < deadline:
        time.sleep(0.1)


async def test_four_processes_at_once_give_each_notice_one_effect(
    stack: Stack, world: World, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    clients, notices = 8, []
    for _ in range(clients):
        token, first = await pay(stack, sandbox, box, await open_checkout(stack, agency))
        notices += [*(await charge(sandbox, box, token, times=2)), first]
    with psycopg.connect(world.dsn, autocommit=True) as gate:
        gate.execute("select pg_advisory_lock(%s)", (GATE,))
        environment = os.environ | {
            "DRAGGONNB_MASTER_DSN": world.dsn,
            "DRAGGONNB_MASTER_KEYS": MASTER_KEYS,
            "DRAGGONNB_SANDBOX_PORT": str(sandbox.port),
        }
        workers = [_worker(environment) for _ in range(4)]
        await receive(stack, *notices)
        await receive(stack, *notices, source="::1")
        await asyncio.to_thread(_until_they_wait, gate, len(workers))
    touched = [json.loads((await asyncio.to_thread(worker.communicate, timeout=60))[0]) for worker in workers]

    assert [worker.returncode for worker in workers] == [0] * 4
    slugs = {"kloof-coffee", *(f"kloof-coffee-{number}" for number in range(2, clients + 1))}
    assert set(itertools.chain(*touched)) <= slugs
    await take_notices(at(stack, datetime.now(UTC) + timedelta(hours=2)), "afterwards")
    found = await books(stack)
    assert (found["organizations"], found["subscriptions"], found["provisionings"]) == (clients,) * 3
    assert found["subscription_events"] == clients * 4
    states = sorted(row["state"] for row in await payments(stack))
    assert states == ["applied"] * clients * 3 + ["rejected"] * clients * 3
    until = month_after(month_after(month_after(today())))
    assert {row["paid_until"] for row in await master_rows(stack, "select paid_until from subscriptions")} == {until}
    assert sandbox.public("mail") == []


async def test_one_notice_that_breaks_us_does_not_keep_the_others_waiting(
    stack: Stack, agency: Organization, sandbox: Sandbox, box: LetterBox
) -> None:
    _, notice = await pay(stack, sandbox, box, await open_checkout(stack, agency))
    await master_rows(stack, "insert into payments (raw_sealed, raw_sha256) values ('\\x00', sha256('x'))")

    assert await took(stack, notice) == ["kloof-coffee"]

    [broken] = [row for row in await payments(stack) if row["state"] != "applied"]
    assert (broken["state"], broken["attempts"]) == ("received", 1)
