"""The signed form of a checkout: what clients call themselves may not make PayFast refuse it."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.payfast_signatures import checkout_signature
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.workflows.billing.checkouts import PlacedCheckout, payfast_form
from tests.conftest import MASTER_KEYS
from tests.payfast_till import PASSPHRASE

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
LONG_EMAIL = f"{'a' * 60}@{'b' * 40}.example"
SETTINGS = load_settings(_env_file=None, master_keys=MASTER_KEYS, public_base_url="https://crm.example/")


def placed(**changes: Any) -> PlacedCheckout:
    seller = Organization(
        uuid.uuid4(), "draggonnb", "DraggonnB", "active", "Africa/Johannesburg", "en-ZA", "db", None, b"key"
    )
    row = {
        "id": uuid.uuid4(),
        "m_payment_id": "DRG-aaaaaaaaaaaaaaaaaaaa",
        "plan_key": "growth",
        "plan_name": "Growth",
        "amount_cents": 350000,
        "recurring_cents": 350000,
        "trial_days": 0,
        "contact_name": "Front Desk",
        "contact_email": "desk@kloof.example",
        "state": "open",
        "other_paid_id": None,
        "expires_at": NOW + timedelta(days=7),
    }
    return PlacedCheckout(seller, row | changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"contact_name": "Madonna"}, {"name_first": "Madonna", "name_last": None}),
        ({"contact_name": "X" * 200}, {"name_first": "X" * 100, "name_last": None}),
        ({"contact_name": "Zoë Ngũgĩ wa Thiong'o"}, {"name_first": "Zoë", "name_last": "Ngũgĩ wa Thiong'o"}),
        ({"contact_name": "A\u202e B\nC"}, {"name_first": None, "name_last": "B C"}),
        ({"contact_name": "林 🐉"}, {"name_first": "林", "name_last": "🐉"}),
        ({"contact_email": LONG_EMAIL}, {"email_address": None}),
        ({"plan_name": "P" * 200}, {"item_name": f"DraggonnB {'P' * 90}"}),
        ({"plan_name": "\u202e"}, {"item_name": "growth"}),
    ],
)
def test_what_payfast_would_refuse_is_cut_or_left_out(changes: dict[str, Any], expected: dict[str, str | None]) -> None:
    url, fields = payfast_form(SETTINGS, placed(**changes), "/checkouts/t", NOW)

    sent = dict(fields)
    assert {name: sent.get(name) for name in expected} == expected
    assert url == f"{SETTINGS.sandbox_url}/payfast/eng/process"
    assert sent.pop("signature") == checkout_signature(sent, PASSPHRASE)
    assert sent["return_url"] == "https://crm.example/checkouts/t/thanks"


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "open"),
        ({"expires_at": NOW}, "expired"),
        ({"state": "expired"}, "expired"),
        ({"state": "superseded"}, "superseded"),
        ({"other_paid_id": uuid.UUID(int=1)}, "settled"),
        ({"state": "superseded", "other_paid_id": uuid.UUID(int=1)}, "settled"),
        ({"state": "paid", "expires_at": NOW}, "paid"),
        ({"state": "paid", "other_paid_id": uuid.UUID(int=1)}, "paid"),
    ],
)
def test_only_one_state_is_to_be_paid(changes: dict[str, Any], state: str) -> None:
    assert placed(**changes).state(NOW) == state
