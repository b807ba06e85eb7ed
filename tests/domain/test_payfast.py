"""What PayFast is sent, held against signatures that PHP itself computed."""

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from draggonnb_pipelines.domain.itn import parse_itn
from draggonnb_pipelines.domain.payfast import Checkout, Frequency, checkout_form, rand
from draggonnb_pipelines.domain.payfast_signatures import (
    CHECKOUT_FIELDS,
    api_signature,
    checkout_signature,
    form_string,
    itn_signature,
    php_urlencode,
)

KNOWN = json.loads((Path(__file__).parent / "vectors" / "payfast.json").read_text(encoding="utf-8"))
VECTORS = KNOWN["vectors"]
ACCOUNT = {"merchant_id": "10000100", "merchant_key": "46f0cd694581a", "passphrase": "jt7NOE43FZPn"}
ADDRESSES = {
    "return_url": "https://crm.example/billing/return",
    "cancel_url": "https://crm.example/billing/cancel",
    "notify_url": "https://crm.example/webhooks/payfast",
}


def _id(vector: dict[str, Any]) -> str:
    return vector["id"]


def checkout(**changes: Any) -> Checkout:
    fields = {"m_payment_id": "sub-1", "amount_cents": 150000, "item_name": "Starter", **ADDRESSES}
    return Checkout(**{**fields, **changes})


def form(**changes: Any) -> dict[str, str]:
    return dict(checkout_form(checkout(**changes), **ACCOUNT))


@pytest.mark.parametrize("vector", VECTORS["checkout"], ids=_id)
def test_a_checkout_is_signed_as_php_signs_it_in_whatever_order_it_comes(vector: dict[str, Any]):
    backwards = dict(reversed(vector["fields"].items()))

    assert checkout_signature(vector["fields"], vector["passphrase"]) == vector["signature"]
    assert checkout_signature(backwards, vector["passphrase"]) == vector["signature"]
    if not vector["agrees_with_php_sdk"]:
        assert vector["php_sdk_1_1_6_signature"] != vector["signature"]


@pytest.mark.parametrize("vector", VECTORS["itn"], ids=_id)
def test_a_notice_is_signed_in_the_order_of_the_wire_with_its_blanks(vector: dict[str, Any]):
    pairs, passphrase = [(name, value) for name, value in vector["pairs_in_order_received"]], vector["passphrase"]

    assert itn_signature(pairs, passphrase) == vector["signature"]
    assert form_string(pairs) == vector["validate_postback_body"]
    assert itn_signature([pair for pair in pairs if pair[1]], passphrase) == vector["wrong_if_blanks_dropped"]
    assert itn_signature(sorted(pairs), passphrase) == vector["wrong_if_sorted"]
    assert len({vector["signature"], vector["wrong_if_blanks_dropped"], vector["wrong_if_sorted"]}) == 3


@pytest.mark.parametrize("vector", VECTORS["itn"], ids=_id)
def test_the_body_of_the_wire_leads_to_the_same_signature(vector: dict[str, Any]):
    itn = parse_itn(vector["wire_body"].encode())

    assert itn.signature == itn_signature(itn.pairs, vector["passphrase"]) == vector["signature"]
    assert itn.param_string == vector["validate_postback_body"]


@pytest.mark.parametrize("vector", VECTORS["api"], ids=_id)
def test_an_api_call_is_signed_by_name_with_the_passphrase_among_the_fields(vector: dict[str, Any]):
    fields = {**vector["headers"], **vector["query"], **vector["body"]}

    assert api_signature(fields, vector["passphrase"]) == vector["signature"]
    assert api_signature({**fields, "m_payment_id": ""}, vector["passphrase"]) == vector["signature"]
    appended = [*sorted((name, str(value)) for name, value in fields.items()), ("passphrase", vector["passphrase"])]
    assert itn_signature(appended, None) == vector["wrong_if_passphrase_appended_last"] != vector["signature"]


def test_the_order_of_the_fields_is_the_documented_one():
    assert list(CHECKOUT_FIELDS) == KNOWN["checkout_field_order"]


def test_a_field_that_payfast_does_not_document_is_refused():
    with pytest.raises(ValueError, match="documents no field currency"):
        checkout_signature({"amount": "5.00", "currency": "ZAR"}, None)


def test_a_zero_is_no_blank():
    signature = checkout_signature({"cycles": "0", "amount": "0.00", "item_name": " "}, "words")

    known = b"amount=0.00&cycles=0&passphrase=words"
    assert signature == hashlib.md5(known, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("a b", "a+b"),
        ("~!*'()", "%7E%21%2A%27%28%29"),
        ("-_.", "-_."),
        ("é", "%C3%A9"),
        ("/?&=", "%2F%3F%26%3D"),
        ("100%", "100%25"),
    ],
)
def test_text_is_encoded_as_php_does(text: str, encoded: str):
    assert php_urlencode(text) == encoded


@pytest.mark.parametrize(("cents", "text"), [(0, "0.00"), (5, "0.05"), (500, "5.00"), (150000, "1500.00"), (9, "0.09")])
def test_cents_become_rand_with_two_decimals(cents: int, text: str):
    assert rand(cents) == text


def test_a_subscription_becomes_a_form_in_order_with_its_zero_cycles():
    fields = checkout_form(
        checkout(
            name_first="  Front ",
            name_last="Desk",
            email_address=" desk@shop.example ",
            custom_str=("org-1", "starter"),
            custom_int=(0,),
            billing_date=date(2026, 12, 1),
        ),
        **ACCOUNT,
    )

    assert fields == [
        ("merchant_id", "10000100"),
        ("merchant_key", "46f0cd694581a"),
        ("return_url", "https://crm.example/billing/return"),
        ("cancel_url", "https://crm.example/billing/cancel"),
        ("notify_url", "https://crm.example/webhooks/payfast"),
        ("name_first", "Front"),
        ("name_last", "Desk"),
        ("email_address", "desk@shop.example"),
        ("m_payment_id", "sub-1"),
        ("amount", "1500.00"),
        ("item_name", "Starter"),
        ("custom_int1", "0"),
        ("custom_str1", "org-1"),
        ("custom_str2", "starter"),
        ("subscription_type", "1"),
        ("billing_date", "2026-12-01"),
        ("recurring_amount", "1500.00"),
        ("frequency", "3"),
        ("cycles", "0"),
        ("signature", checkout_signature(dict(fields[:-1]), "jt7NOE43FZPn")),
    ]


def test_a_trial_costs_nothing_now_and_its_amount_later():
    fields = form(amount_cents=0, recurring_amount_cents=150000, cycles=12, frequency=Frequency.ANNUAL)

    assert (fields["amount"], fields["recurring_amount"], fields["cycles"]) == ("0.00", "1500.00", "12")
    assert fields["frequency"] == "6"


def test_a_card_that_is_kept_has_no_rhythm():
    fields = form(subscription_type=2, amount_cents=0, frequency=None, cycles=None)

    assert (fields["subscription_type"], fields["amount"]) == ("2", "0.00")
    assert {"frequency", "cycles", "recurring_amount", "billing_date"} & set(fields) == set()


def test_a_single_payment_says_nothing_of_subscriptions():
    assert {"subscription_type", "frequency", "cycles"} & set(form(subscription_type=None)) == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_cents": 499},
        {"amount_cents": -500},
        {"amount_cents": 1500.0},
        {"amount_cents": "1500"},
        {"amount_cents": 100_000_000},
        {"amount_cents": 0},
        {"amount_cents": 0, "recurring_amount_cents": 0},
        {"recurring_amount_cents": 499},
        {"subscription_type": None, "amount_cents": 0},
        {"subscription_type": 3},
        {"currency": "USD"},
        {"item_name": ""},
        {"item_name": "   "},
        {"item_name": "x" * 101},
        {"item_name": "two\nlines"},
        {"item_description": "x" * 256},
        {"name_first": "x" * 101},
        {"email_address": "not an address"},
        {"email_address": "a" * 60 + "@" + "b" * 50 + ".example"},
        {"m_payment_id": ""},
        {"m_payment_id": "with space"},
        {"m_payment_id": "x" * 101},
        {"notify_url": "ftp://crm.example"},
        {"notify_url": "crm.example/itn"},
        {"return_url": "https://crm.example/two words"},
        {"custom_str": ("x" * 256,)},
        {"custom_str": ("a", "b", "c", "d", "e", "f")},
        {"custom_int": ("1",)},
        {"frequency": 7},
        {"frequency": None},
        {"cycles": None},
        {"cycles": -1},
        {"billing_date": "someday"},
        {"setup": "split"},
    ],
    ids=str,
)
def test_a_checkout_that_payfast_would_not_take_is_refused_without_repeating_it(changes: dict[str, Any]):
    with pytest.raises(ValidationError) as refused:
        checkout(**changes)

    assert "input_value" not in str(refused.value)


def test_a_subscription_without_a_passphrase_is_refused():
    with pytest.raises(ValueError, match="only with a passphrase"):
        checkout_form(checkout(), merchant_id="1", merchant_key="2", passphrase="")
