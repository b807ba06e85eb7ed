"""The day that PayFast's history cannot be read: nobody's subscription or invoice waits for it."""

from collections.abc import Iterator

import dagster as dg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.jobs import billing_config
from tests.assets.dagster_work import materialized, run_job
from tests.conftest import MASTER_KEYS
from tests.sandbox_process import Sandbox

HISTORY = "GET /payfast/api/transactions/history"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def test_nobodys_subscription_or_invoice_waits_for_payfasts_history(
    instance: dg.DagsterInstance,
    agency: Organization,
    master_dsn: str,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"MASTER_DSN": master_dsn, "MASTER_KEYS": MASTER_KEYS, "SANDBOX_PORT": sandbox.port}.items():
        monkeypatch.setenv(f"DRAGGONNB_{name}", str(value))
    sandbox.faults(HISTORY, {"kind": "status", "status": 401}, repeat=True)

    done = run_job(instance, "keep_books", run_config=billing_config(daily=True))

    assert done.success
    names = ("subscriptions", "invoices", "usage_metrics", "payment_reconciliation")
    assert {name: len(materialized(instance, name)) for name in names} == {
        "subscriptions": 1,
        "invoices": 1,
        "usage_metrics": 0,
        "payment_reconciliation": 0,
    }
