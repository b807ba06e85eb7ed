"""Payments as they stand once they were applied, for the tests of invoices and of the books."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization

MASTER_TABLES = (
    "book_findings",
    "payfast_transactions",
    "payfast_history_days",
    "invoice_documents",
    "invoices",
    "payments",
    "subscription_orders",
    "subscriptions",
)
TENANT_TABLES = ("invoices", "notification_deliveries", "notifications")


class Ledger:
    """The agency's master database as the code that applies payments leaves it."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def rows(self, query: Any, *values: Any) -> list[dict[str, Any]]:
        connection = psycopg.Connection[dict[str, Any]]
        with connection.connect(self.dsn, autocommit=True, row_factory=dict_row) as conn:
            cursor = conn.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, query: Any, *values: Any) -> Any:
        [row] = self.rows(query, *values)
        return next(iter(row.values()))

    def subscribe(self, organization: Organization, m_payment_id: str = "DRG-1", *, cents: int = 150000) -> UUID:
        """A subscription of the cheapest plan; what an organization had before is over."""
        self.rows("update subscriptions set status = 'expired' where organization_id = %s", organization.id)
        return self.value(
            "insert into subscriptions (organization_id, plan_key, status, m_payment_id, amount_cents)"
            " select %s, key, 'active', %s, %s from plans order by position limit 1 returning id",
            *(organization.id, m_payment_id, cents),
        )

    def pay(self, subscription: UUID, pf_payment_id: str | None, **changes: Any) -> UUID:
        """A believed and applied payment of R1 500,00."""
        row = {
            "organization_id": self.value("select organization_id from subscriptions where id = %s", subscription),
            "subscription_id": subscription,
            "received_at": datetime.fromisoformat("2026-11-23T08:00:00Z"),
            "raw_sealed": b"sealed",
            "raw_sha256": hashlib.sha256(f"{pf_payment_id}{changes}".encode()).digest(),
            "state": "applied",
            "applied_at": datetime.fromisoformat("2026-11-23T08:00:01Z"),
            "pf_payment_id": pf_payment_id,
            "m_payment_id": self.value("select m_payment_id from subscriptions where id = %s", subscription),
            "payment_status": "COMPLETE",
            "billing_date": date(2026, 11, 23),
            "amount_gross_cents": 150000,
            "amount_fee_cents": -5450,
            "amount_net_cents": 144550,
            **changes,
        }
        return self.insert("payments", row)

    def order_charge(self, subscription: UUID, m_payment_id: str, item_name: str, cents: int) -> UUID:
        return self.insert(
            "subscription_orders",
            {
                "subscription_id": subscription,
                "key": m_payment_id,
                "verb": "charge",
                "arguments": Jsonb({"item": item_name}),
                "m_payment_id": m_payment_id,
                "amount_cents": cents,
                "state": "done",
                "requested_by": "operator",
                "finished_at": datetime.fromisoformat("2026-11-23T08:00:00Z"),
            },
        )

    def insert(self, table: str, row: dict[str, Any]) -> UUID:
        names = ", ".join(row)
        marks = ", ".join(["%s"] * len(row))
        return self.value(f"insert into {table} ({names}) values ({marks}) returning id", *row.values())

    def invoices(self) -> list[dict[str, Any]]:
        return self.rows("select * from invoices order by number")

    def empty(self) -> None:
        for table in MASTER_TABLES:
            self.rows(f"delete from {table}")
        self.rows("update invoice_series set last_number = 0")


@contextmanager
def empty_ledger(dsn: str, *tenant_dsns: str) -> Iterator[Ledger]:
    """A ledger with nothing in it, before and after."""
    ledger = Ledger(dsn)

    def empty() -> None:
        ledger.empty()
        for tenant in tenant_dsns:
            for table in TENANT_TABLES:
                Ledger(tenant).rows(f"delete from {table}")

    empty()
    yield ledger
    empty()
