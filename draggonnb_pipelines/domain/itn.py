"""PayFast's notices (ITN, instant transaction notification): reading one, and whether to believe it.

Lives here: the raw body read without losing its order or its blanks, the checks that need no call. Not here: the
fourth check, a question to PayFast (`resources/payfast.py`), and what a notice that is believed does to a subscription.
Sources: PayFast's "Confirm payment" page, its PHP SDK 1.1.6.
"""

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from draggonnb_pipelines.domain.payfast_signatures import form_string, itn_signature

MAX_ITN_BYTES = 16_384
# Associated data of a raw notice in master `payments`.
RAW_CONTEXT = "payments:raw"
COMPLETE = "COMPLETE"
CANCELLED = "CANCELLED"
Network = IPv4Network | IPv6Network
# "IP addresses" on PayFast's page for developers, as of November 2026.
ITN_SOURCES: tuple[Network, ...] = tuple(
    map(
        IPv4Network,
        (
            *("197.97.145.144/28", "41.74.179.192/27", "102.216.36.0/28", "102.216.36.128/28"),
            "144.126.193.139/32",
        ),
    )
)
_MAX_FIELDS = 60
_REQUIRED = ("m_payment_id", "pf_payment_id", "payment_status", "amount_gross", "merchant_id")
_NAME = re.compile(r"[a-z0-9_]{1,40}")
_FORM_TEXT = re.compile(rb"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*")
_AMOUNT = re.compile(r"-?\d{1,9}\.\d{2}", re.ASCII)
_STATUS = re.compile(r"[A-Z]{1,20}")
_TOKEN = re.compile(r"[0-9A-Za-z-]{8,64}")
_SIGNATURE = re.compile(r"[0-9a-f]{32}")
_ID = re.compile(r"[!-~]{1,100}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NEVER_BLANK = (("payment_status", _STATUS), ("signature", _SIGNATURE), ("merchant_id", _ID))


class ItnRefused(ValueError):
    """A body that is no notice. The message names the field, never what it held."""


class ItnKey(NamedTuple):
    """What makes two notices the same event; PayFast repeats a notice until it is answered with 200."""

    pf_payment_id: str | None
    payment_status: str
    token: str | None
    billing_date: date | None


@dataclass(frozen=True, slots=True)
class Itn:
    """One notice. `pairs` are its fields in the order of the wire, blanks kept, without the signature.

    Amounts are in cents; the fee is negative. What was blank is None. `token` names a subscription or a kept card.
    """

    pairs: tuple[tuple[str, str], ...]
    signature: str
    m_payment_id: str | None
    pf_payment_id: str | None
    payment_status: str
    merchant_id: str
    amount_gross_cents: int | None
    amount_fee_cents: int | None
    amount_net_cents: int | None
    token: str | None
    billing_date: date | None

    @property
    def key(self) -> ItnKey:
        return ItnKey(self.pf_payment_id, self.payment_status, self.token, self.billing_date)

    @property
    def param_string(self) -> str:
        """What PayFast is asked about: the fields as received, without signature and passphrase."""
        return form_string(self.pairs)

    def field(self, name: str) -> str:
        """A field by its name, such as custom_str1; blank where there is none."""
        return dict(self.pairs).get(name, "")


@dataclass(frozen=True, slots=True)
class ItnChecks:
    """The verdicts on one notice. `postback` is None until PayFast was asked."""

    signature: bool
    source: bool
    merchant: bool
    amount: bool
    postback: bool | None = None

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the checks that went against it."""
        return tuple(name for name in self.__slots__ if getattr(self, name) is False)

    @property
    def are_passed(self) -> bool:
        """True only with all five verdicts in its favour."""
        return all(getattr(self, name) is True for name in self.__slots__)


def parse_itn(raw: bytes) -> Itn:
    """Read the body of a notice.

    Raises:
        ItnRefused: too large, not a form, a broken encoding, a field twice, no signature at its end, or a field that
            is missing or unreadable.
    """
    pairs = _pairs(raw)
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ItnRefused("a field comes twice")
    if names[-1] != "signature":
        raise ItnRefused("the signature is missing or not the last field")
    if missing := [name for name in _REQUIRED if name not in names]:
        raise ItnRefused(f"{missing[0]} is missing")
    fields = dict(pairs)
    status, signature, merchant_id = (_matching(fields, *one) for one in _NEVER_BLANK)
    return Itn(
        pairs=pairs[:-1],
        signature=signature,
        m_payment_id=_optional(fields, "m_payment_id", _ID),
        pf_payment_id=_optional(fields, "pf_payment_id", _ID),
        payment_status=status,
        merchant_id=merchant_id,
        amount_gross_cents=_cents(fields, "amount_gross"),
        amount_fee_cents=_cents(fields, "amount_fee"),
        amount_net_cents=_cents(fields, "amount_net"),
        token=_optional(fields, "token", _TOKEN),
        billing_date=_date(fields, "billing_date"),
    )


def check_itn(
    itn: Itn,
    *,
    passphrase: str,
    merchant_id: str,
    source_ip: str,
    networks: Iterable[Network],
    expected_cents: int | None,
) -> ItnChecks:
    """The checks that need no call.

    Args:
        source_ip: the sender's address, after reverse proxies that are trusted.
        networks: where notices may come from, `ITN_SOURCES` and what the operator adds.
        expected_cents: what is to be paid; None where no order of ours is meant. Only COMPLETE moves money: a notice
            with another status has no amount to compare.
    """
    is_amount_right = expected_cents is not None and itn.amount_gross_cents == expected_cents
    return ItnChecks(
        signature=hmac.compare_digest(itn_signature(itn.pairs, passphrase), itn.signature),
        source=is_from(source_ip, networks),
        merchant=hmac.compare_digest(itn.merchant_id.encode(), merchant_id.encode()),
        amount=is_amount_right if itn.payment_status == COMPLETE else True,
    )


def is_from(address: str, networks: Iterable[Network]) -> bool:
    """True for an address inside one of the networks; an IPv4 address inside IPv6 counts as what it is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks)


def _pairs(raw: bytes) -> tuple[tuple[str, str], ...]:
    if len(raw) > MAX_ITN_BYTES:
        raise ItnRefused(f"over {MAX_ITN_BYTES} bytes")
    parts = raw.split(b"&")
    if len(parts) > _MAX_FIELDS:
        raise ItnRefused(f"more than {_MAX_FIELDS} fields")
    return tuple(map(_pair, parts))


def _pair(part: bytes) -> tuple[str, str]:
    if not _FORM_TEXT.fullmatch(part):
        raise ItnRefused("not encoded as a form")
    raw_name, equals, raw_value = part.partition(b"=")
    name = raw_name.decode("ascii")
    if not equals or not _NAME.fullmatch(name):
        raise ItnRefused("a field has no name of PayFast's")
    try:
        value = unquote_to_bytes(raw_value.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise ItnRefused(f"{name} is not UTF-8") from None
    if "\0" in value:
        raise ItnRefused(f"{name} holds a NUL")
    return name, value


def _matching(fields: dict[str, str], name: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(fields[name]):
        raise ItnRefused(f"{name} cannot be read")
    return fields[name]


def _optional(fields: dict[str, str], name: str, pattern: re.Pattern[str]) -> str | None:
    return _matching(fields, name, pattern) if fields.get(name) else None


def _cents(fields: dict[str, str], name: str) -> int | None:
    amount = _optional(fields, name, _AMOUNT)
    return None if amount is None else int(Decimal(amount) * 100)


def _date(fields: dict[str, str], name: str) -> date | None:
    day = _optional(fields, name, _DATE)
    try:
        return date.fromisoformat(day) if day else None
    except ValueError:
        raise ItnRefused(f"{name} cannot be read") from None
