"""Notices of payments: what is read, and everything that must not be believed."""

from collections.abc import Callable
from datetime import date
from ipaddress import ip_network
from urllib.parse import urlencode

import pytest

from draggonnb_pipelines.domain.itn import (
    ITN_SOURCES,
    MAX_ITN_BYTES,
    ItnChecks,
    ItnKey,
    ItnRefused,
    check_itn,
    is_from,
    parse_itn,
)
from draggonnb_pipelines.domain.payfast_signatures import form_string, itn_signature

PASSPHRASE = "jt7NOE43FZPn"
SOURCE = "197.97.145.150"
TOKEN = "2afa4575-5628-051a-d0ed-4e071b56a7b0"
PAIRS = [
    ("m_payment_id", "sub-1"),
    ("pf_payment_id", "1579137"),
    ("payment_status", "COMPLETE"),
    ("item_name", "Starter & more ~ é"),
    ("item_description", ""),
    ("amount_gross", "1500.00"),
    ("amount_fee", "-54.50"),
    ("amount_net", "1445.50"),
    *((f"custom_str{number}", "org-1" if number == 1 else "") for number in range(1, 6)),
    *((f"custom_int{number}", "") for number in range(1, 6)),
    ("name_first", "Front"),
    ("name_last", " Desk "),
    ("email_address", "desk+pay@shop.example"),
    ("merchant_id", "10000100"),
    ("token", TOKEN),
    ("billing_date", "2026-12-01"),
]
Pairs = list[tuple[str, str]]


def signed(pairs: Pairs = PAIRS, passphrase: str = PASSPHRASE) -> bytes:
    return f"{form_string(pairs)}&signature={itn_signature(pairs, passphrase)}".encode()


def changed(name: str, value: str) -> Pairs:
    """The same fields, one of them with another value."""
    return [(one, value if one == name else old) for one, old in PAIRS]


def without(name: str) -> Pairs:
    return [pair for pair in PAIRS if pair[0] != name]


def swapped(first: int, second: int) -> Pairs:
    pairs = list(PAIRS)
    pairs[first], pairs[second] = pairs[second], pairs[first]
    return pairs


def checks(raw: bytes, *, expected_cents: int | None = 150000, source: str = SOURCE) -> ItnChecks:
    return check_itn(
        parse_itn(raw),
        passphrase=PASSPHRASE,
        merchant_id="10000100",
        source_ip=source,
        networks=ITN_SOURCES,
        expected_cents=expected_cents,
    )


def keeping_the_signature(pairs: Pairs) -> bytes:
    """What a forger sends: other fields under the signature of the true ones."""
    return f"{form_string(pairs)}&signature={itn_signature(PAIRS, PASSPHRASE)}".encode()


def test_a_true_notice_passes_all_checks_but_the_one_that_needs_a_call():
    verdicts = checks(signed())

    assert verdicts == ItnChecks(signature=True, source=True, merchant=True, amount=True, postback=None)
    assert (verdicts.failed, verdicts.are_passed) == ((), False)


def test_only_payfasts_own_word_completes_the_checks():
    assert ItnChecks(signature=True, source=True, merchant=True, amount=True, postback=True).are_passed
    denied = ItnChecks(signature=True, source=True, merchant=True, amount=True, postback=False)
    assert (denied.are_passed, denied.failed) == (False, ("postback",))


def test_a_notice_is_read_in_its_order_with_its_blanks_and_in_cents():
    itn = parse_itn(signed())

    assert list(itn.pairs) == PAIRS
    assert (itn.amount_gross_cents, itn.amount_fee_cents, itn.amount_net_cents) == (150000, -5450, 144550)
    assert (itn.m_payment_id, itn.merchant_id, itn.payment_status) == ("sub-1", "10000100", "COMPLETE")
    assert itn.key == ItnKey("1579137", "COMPLETE", TOKEN, date(2026, 12, 1))
    assert (itn.field("custom_str1"), itn.field("custom_str2"), itn.field("sparkle")) == ("org-1", "", "")
    assert itn.param_string == form_string(PAIRS)


def test_a_notice_that_a_proxy_encoded_anew_keeps_its_signature():
    raw = signed().replace(b"%7E", b"~").replace(b"%C3%A9", b"%c3%a9").replace(b"+Desk+", b"%20Desk%20")

    assert raw != signed()
    assert checks(raw).failed == ()
    assert parse_itn(raw).param_string == form_string(PAIRS)


def test_a_repetition_has_the_same_key_and_the_next_charge_another():
    assert parse_itn(signed()).key == parse_itn(signed()).key
    following = [(name, "2027-01-01" if name == "billing_date" else value) for name, value in PAIRS]
    assert parse_itn(signed(following)).key != parse_itn(signed()).key


def test_a_single_payment_has_neither_token_nor_billing_date():
    itn = parse_itn(signed([pair for pair in PAIRS if pair[0] not in ("token", "billing_date")]))

    assert (itn.token, itn.billing_date) == (None, None)
    assert itn.key == ItnKey("1579137", "COMPLETE", None, None)


def test_a_cancellation_has_no_payment_and_no_amount_to_compare():
    pairs = [
        (name, {"pf_payment_id": "", "payment_status": "CANCELLED", "amount_gross": ""}.get(name, v))
        for name, v in PAIRS
    ]
    itn = parse_itn(signed(pairs))

    assert itn.key == ItnKey(None, "CANCELLED", TOKEN, date(2026, 12, 1))
    assert itn.amount_gross_cents is None
    assert checks(signed(pairs), expected_cents=None).failed == ()


@pytest.mark.parametrize(
    ("raw", "failed"),
    [
        (keeping_the_signature(changed("m_payment_id", "sub-2")), ("signature",)),
        (keeping_the_signature(changed("payment_status", "CANCELLED")), ("signature",)),
        (keeping_the_signature(changed("amount_gross", "5.00")), ("signature", "amount")),
        (keeping_the_signature(changed("merchant_id", "10000101")), ("signature", "merchant")),
        (keeping_the_signature(changed("token", TOKEN[::-1])), ("signature",)),
        (keeping_the_signature(changed("token", "")), ("signature",)),
        (keeping_the_signature(changed("custom_str1", "org-2")), ("signature",)),
        (keeping_the_signature(changed("name_last", "Desk")), ("signature",)),
        (keeping_the_signature(without("token")), ("signature",)),
        (keeping_the_signature(without("item_description")), ("signature",)),
        (keeping_the_signature([pair for pair in PAIRS if pair[1]]), ("signature",)),
        (keeping_the_signature(sorted(PAIRS)), ("signature",)),
        (keeping_the_signature(swapped(3, 4)), ("signature",)),
        (keeping_the_signature(swapped(8, 13)), ("signature",)),
        (keeping_the_signature([*PAIRS, ("custom_str6", "x")]), ("signature",)),
        (keeping_the_signature([*PAIRS, ("passphrase", "x")]), ("signature",)),
        (signed(passphrase=""), ("signature",)),
        (signed(passphrase="jt7NOE43FZPN"), ("signature",)),
        (signed()[:-32] + b"0" * 32, ("signature",)),
        (signed(changed("amount_gross", "1500.01")), ("amount",)),
        (signed(changed("amount_gross", "1499.99")), ("amount",)),
        (signed(changed("amount_gross", "-1500.00")), ("amount",)),
        (signed(changed("amount_gross", "0.00")), ("amount",)),
        (signed(changed("amount_gross", "")), ("amount",)),
        (signed(changed("merchant_id", "10000101")), ("merchant",)),
        (signed(changed("merchant_id", "010000100")), ("merchant",)),
    ],
)
def test_a_forged_notice_fails_exactly_the_checks_that_it_breaks(raw: bytes, failed: tuple[str, ...]):
    verdicts = checks(raw)

    assert verdicts.failed == failed
    assert not verdicts.are_passed


def test_a_notice_about_no_order_of_ours_fails_by_its_amount():
    assert checks(signed(), expected_cents=None).failed == ("amount",)


@pytest.mark.parametrize(
    "source",
    [
        "197.97.145.143",
        "197.97.145.160",
        "127.0.0.1",
        "10.0.0.1",
        "144.126.193.138",
        "::1",
        "",
        "payfast.co.za",
        "197.97",
    ],
)
def test_a_notice_from_elsewhere_fails_by_its_source(source: str):
    assert checks(signed(), source=source).failed == ("source",)


@pytest.mark.parametrize(
    "source",
    [
        *("197.97.145.144", "197.97.145.159", "41.74.179.192", "41.74.179.223", "102.216.36.15", "102.216.36.143"),
        *("144.126.193.139", "::ffff:197.97.145.150"),
    ],
)
def test_payfasts_addresses_are_known(source: str):
    assert checks(signed(), source=source).failed == ()


def test_the_operator_may_add_networks():
    assert is_from("203.0.113.7", [*ITN_SOURCES, ip_network("203.0.113.0/28")])
    assert not is_from("203.0.113.17", [*ITN_SOURCES, ip_network("203.0.113.0/28")])


def end(pairs: Pairs = PAIRS) -> bytes:
    return f"&signature={itn_signature(pairs, PASSPHRASE)}".encode()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "has no name of PayFast's"),
        (b"&", "has no name of PayFast's"),
        (b"COMPLETE", "has no name of PayFast's"),
        (b"{}", "has no name of PayFast's"),
        (b"=x" + end(), "has no name of PayFast's"),
        (b"Token=x" + end(), "has no name of PayFast's"),
        (b"a%00=x" + end(), "has no name of PayFast's"),
        (signed() + b"&", "has no name of PayFast's"),
        (form_string(PAIRS).encode(), "signature is missing or not the last"),
        (signed() + b"&amount_gross2=1.00", "signature is missing or not the last"),
        (b"signature=" + b"0" * 32 + b"&" + form_string(PAIRS).encode(), "signature is missing or not the last"),
        (signed() + b"&amount_gross=5.00", "comes twice"),
        (b"amount_gross=5.00&" + signed(), "comes twice"),
        (signed() + b"&signature=" + b"0" * 32, "comes twice"),
        (signed(without("merchant_id")), "merchant_id is missing"),
        (signed(without("amount_gross")), "amount_gross is missing"),
        (signed(without("payment_status")), "payment_status is missing"),
        (signed(without("pf_payment_id")), "pf_payment_id is missing"),
        (signed(without("m_payment_id")), "m_payment_id is missing"),
        (signed()[:-1], "signature cannot be read"),
        (signed().replace(signed()[-32:], signed()[-32:].upper()), "signature cannot be read"),
        (signed(changed("payment_status", "")), "payment_status cannot be read"),
        (signed(changed("payment_status", "complete")), "payment_status cannot be read"),
        (signed(changed("merchant_id", "")), "merchant_id cannot be read"),
        (signed(changed("token", "../../cancel")), "token cannot be read"),
        (signed(changed("token", "x" * 65)), "token cannot be read"),
        (signed(changed("pf_payment_id", "1 or 2")), "pf_payment_id cannot be read"),
        (signed(changed("billing_date", "01/12/2026")), "billing_date cannot be read"),
        (signed(changed("billing_date", "2026-02-30")), "billing_date cannot be read"),
        (signed(changed("amount_gross", "1500")), "amount_gross cannot be read"),
        (signed(changed("amount_gross", "1500.0")), "amount_gross cannot be read"),
        (signed(changed("amount_gross", "1500.000")), "amount_gross cannot be read"),
        (signed(changed("amount_gross", "1,500.00")), "amount_gross cannot be read"),
        (signed(changed("amount_gross", "1.5e3")), "amount_gross cannot be read"),
        (signed(changed("amount_gross", "+1500.00")), "amount_gross cannot be read"),
        (signed(changed("amount_gross", " 1500.00")), "amount_gross cannot be read"),
        (signed(changed("amount_gross", "1500.00\n")), "amount_gross cannot be read"),
        (signed(changed("amount_gross", "NaN")), "amount_gross cannot be read"),
        (signed(changed("amount_gross", "١٥٠٠.٠٠")), "amount_gross cannot be read"),
        (signed(changed("amount_fee", "free")), "amount_fee cannot be read"),
        (signed().replace(b"Front", b"Th\xe9"), "not encoded as a form"),
        (signed().replace(b"Front", b"Th%E9"), "name_first is not UTF-8"),
        (signed().replace(b"Front", b"Th%ED%A0%80"), "name_first is not UTF-8"),
        (signed().replace(b"Front", b"Th%00"), "name_first holds a NUL"),
        (signed().replace(b"Front", b"Th%zz"), "not encoded as a form"),
        (signed().replace(b"Front", b"Th%4"), "not encoded as a form"),
        (signed().replace(b"Front", b"Th andi"), "not encoded as a form"),
        (signed().replace(b"Front", b"Th\nandi"), "not encoded as a form"),
        (signed() + b"\r\n", "not encoded as a form"),
        (signed(changed("item_description", "x" * MAX_ITN_BYTES)), "over 16384 bytes"),
        (b"&".join(b"a%d=" % number for number in range(61)), "more than 60 fields"),
    ],
)
def test_a_body_that_is_no_notice_is_refused_by_name_and_not_by_value(raw: bytes, words: str):
    with pytest.raises(ItnRefused, match=words) as refused:
        parse_itn(raw)

    assert "Front" not in str(refused.value)
    assert "1500" not in str(refused.value)


@pytest.mark.parametrize("encode", [urlencode, form_string], ids=["python", "php"])
def test_any_form_encoding_of_the_same_fields_is_the_same_notice(encode: Callable[[Pairs], str]):
    raw = f"{encode(PAIRS)}&signature={itn_signature(PAIRS, PASSPHRASE)}".encode()

    assert parse_itn(raw) == parse_itn(signed())
