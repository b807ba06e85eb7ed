"""The three ways in which PayFast orders fields before it signs them, and the one in which it encodes values.

Lives here: the signatures of checkouts, of notices and of API calls. Not here: what any of them may hold
(`payfast.py`, `itn.py`), the calls (`resources/payfast.py`).
Sources: PayFast's "Custom integration" and "API" pages, its PHP SDK 1.1.6 and WHMCS module. The SDK's faults are not
ported: it signs in the caller's order, takes "0" for blank (`cycles=0`) and encodes the passphrase twice.
"""

import hashlib
from collections.abc import Iterable, Mapping
from urllib.parse import quote_plus

# The order in which PayFast documents the fields of a checkout: the order in which it signs them.
CHECKOUT_FIELDS = (
    *("merchant_id", "merchant_key", "return_url", "cancel_url", "notify_url", "fica_idnumber", "name_first"),
    *("name_last", "email_address", "cell_number", "m_payment_id", "amount", "item_name", "item_description"),
    *("custom_int1", "custom_int2", "custom_int3", "custom_int4", "custom_int5"),
    *("custom_str1", "custom_str2", "custom_str3", "custom_str4", "custom_str5"),
    *("email_confirmation", "confirmation_address", "payment_method", "subscription_type", "billing_date"),
    *("recurring_amount", "frequency", "cycles", "subscription_notify_email", "subscription_notify_webhook"),
    "subscription_notify_buyer",
)
_ORDER = {name: position for position, name in enumerate(CHECKOUT_FIELDS)}
_PHP_BLANKS = " \t\n\r\0\x0b"


def php_urlencode(text: str) -> str:
    """As PHP's urlencode: a space is `+`, hex in capitals, only letters, digits, `-`, `_` and `.` stay."""
    return quote_plus(text).replace("~", "%7E")


def checkout_signature(fields: Mapping[str, str], passphrase: str | None) -> str:
    """The signature of a checkout form: documented order, values trimmed, blank ones left out, passphrase last.

    Raises:
        ValueError: a field that PayFast does not document; nobody could know its place.
    """
    if unknown := sorted(set(fields) - set(_ORDER)):
        raise ValueError(f"PayFast documents no field {', '.join(unknown)}")
    trimmed = ((name, fields[name].strip(_PHP_BLANKS)) for name in sorted(fields, key=_ORDER.__getitem__))
    secret = (passphrase or "").strip(_PHP_BLANKS)
    return _md5([*((name, value) for name, value in trimmed if value), *_with(secret)])


def itn_signature(pairs: Iterable[tuple[str, str]], passphrase: str | None) -> str:
    """The signature of a notice: the order of the wire, blank values kept, nothing trimmed, passphrase last.

    Args:
        pairs: all fields as received, decoded, without `signature`.
    """
    return _md5([*pairs, *_with(passphrase or "")])


def api_signature(fields: Mapping[str, str | int], passphrase: str) -> str:
    """The signature of an API call: headers, query and body sorted by name, the passphrase among them, blanks left out.

    It covers neither method nor path: within one second it is the same for a fetch and for a cancellation, so whoever
    reads it in a log can cancel. `testing` is not signed.
    """
    known = {**{name: str(value) for name, value in fields.items()}, "passphrase": passphrase}
    return _md5([(name, known[name]) for name in sorted(known) if known[name]])


def form_string(pairs: Iterable[tuple[str, str]]) -> str:
    """`name=value&...` with the values as PHP encodes them."""
    return "&".join(f"{name}={php_urlencode(value)}" for name, value in pairs)


def _with(passphrase: str) -> list[tuple[str, str]]:
    return [("passphrase", passphrase)] if passphrase else []


def _md5(pairs: Iterable[tuple[str, str]]) -> str:
    # PayFast signs with MD5, and only because of the passphrase is that worth anything.
    return hashlib.md5(form_string(pairs).encode(), usedforsecurity=False).hexdigest()
