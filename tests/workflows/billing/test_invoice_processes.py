"""Processes that invoice the same payments: no number twice, none left out, whoever is killed where."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date

import psycopg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.stack import Stack
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox
from tests.workflows.conftest import World
from tests.workflows.invoice_work import Ledger, empty_ledger
from tests.workflows.invoice_worker import GATE


@pytest.fixture
def ledger(world: World, stack: Stack) -> Iterator[Ledger]:
    tenants = (world.agency.database_name, world.outsider.database_name)
    with empty_ledger(world.dsn, *(dsn_for(world.dsn, str(name)) for name in tenants)) as ledger:
        yield ledger


@contextlib.contextmanager
def workers(world: World, stack: Stack, many: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that invoice, let in together."""
    environment = os.environ | {
        "DRAGGONNB_MASTER_DSN": world.dsn,
        "DRAGGONNB_MASTER_KEYS": MASTER_KEYS,
        "DRAGGONNB_SANDBOX_PORT": str(stack.settings.sandbox_port),
    }
    command = [sys.executable, "-m", "tests.workflows.invoice_worker", "draggonnb", "outsider"]
    running: list[subprocess.Popen[bytes]] = []
    try:
        with psycopg.connect(world.dsn, autocommit=True) as gate:
            gate.execute("select pg_advisory_lock(%s)", (GATE,))
            running += [subprocess.Popen(command, env=environment) for _ in range(many)]
            until(gate, many, "locktype = 'advisory' and objid = 20261124 and not granted")
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait(10)


def until(conn: psycopg.Connection, wanted: int, locks: str) -> None:
    """Wait until so many locks look like this."""
    deadline, found = time.monotonic() + 60, -1
    while time.monotonic() < deadline:
        [(found,)] = conn.execute(f"select count(*) from pg_locks where {locks}").fetchall()  # type: ignore
        if found >= wanted:
            return
        time.sleep(0.02)
    raise AssertionError(f"only {found} of {wanted} locks")


def test_four_processes_that_invoice_the_same_payments_issue_each_once_in_a_row(
    stack: Stack, world: World, ledger: Ledger, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    for organization in (agency, outsider):
        subscription = ledger.subscribe(organization, f"DRG-{organization.slug}")
        for month in range(1, 7):
            ledger.pay(subscription, f"{organization.slug}-{month}", billing_date=date(2027, month, 1))

    with workers(world, stack, 4) as running:
        assert [process.wait(60) for process in running] == [0] * 4

    assert [row["number"] for row in ledger.invoices()] == list(range(1, 13))
    assert ledger.value("select last_number from invoice_series") == 12
    periods = "select subscription_id, period_start from invoices group by 1, 2 having count(*) > 1"
    assert ledger.rows(periods) == []
    assert ledger.value("select count(*) from invoice_documents") == 12
    assert len(sandbox.public("mail")) == 12
    assert {mail["transmissions"] for mail in sandbox.public("mail")} == {1}


def test_a_process_killed_with_a_number_in_its_hand_leaves_no_gap(
    stack: Stack, world: World, ledger: Ledger, agency: Organization, sandbox: Sandbox
) -> None:
    subscription = ledger.subscribe(agency)
    for number in range(1, 4):
        ledger.pay(subscription, f"{number}", billing_date=date(2027, number, 1))

    with psycopg.connect(world.dsn) as held, psycopg.connect(world.dsn, autocommit=True) as watch:
        # Nobody can insert an invoice, so that the one with the number stands still.
        held.execute("lock table invoices in share mode")
        with workers(world, stack, 2) as running:
            until(watch, 1, "locktype = 'relation' and relation = 'invoices'::regclass and not granted")
            for process in running:
                process.kill()
                process.wait(10)
    assert ledger.invoices() == []
    assert ledger.value("select last_number from invoice_series") == 0

    with workers(world, stack, 1) as running:
        assert running[0].wait(60) == 0
    assert [row["number"] for row in ledger.invoices()] == [1, 2, 3]
    assert ledger.value("select last_number from invoice_series") == 3


def test_what_a_killed_process_left_half_done_the_next_ones_complete(
    stack: Stack, world: World, ledger: Ledger, agency: Organization, sandbox: Sandbox
) -> None:
    subscription = ledger.subscribe(agency)
    for month in range(1, 9):
        ledger.pay(subscription, f"{month}", billing_date=date(2027, month, 1))

    with workers(world, stack, 1) as running:
        time.sleep(0.06)
        running[0].kill()
        running[0].wait(10)
    with workers(world, stack, 2) as running:
        assert [process.wait(60) for process in running] == [0, 0]

    assert [row["number"] for row in ledger.invoices()] == list(range(1, 9))
    assert all(row["mailed_at"] and row["copied_at"] for row in ledger.invoices())
    assert len({mail["message_id"] for mail in sandbox.public("mail")}) == len(sandbox.public("mail"))
