"""How the sandbox's PayFast signs and checks: three orders of fields, one encoding, MD5.

Written after PayFast's own documents and independent of the code that it tests.
"""

import hashlib
from collections.abc import Iterable
from urllib.parse import quote_plus

CHECKOUT_ORDER = (
    *("merchant_id", "merchant_key", "return_url", "cancel_url", "notify_url"),
    *("fica_idnumber", "name_first", "name_last", "email_address", "cell_number"),
    *("m_payment_id", "amount", "item_name", "item_description"),
    *(f"custom_int{number}" for number in range(1, 6)),
    *(f"custom_str{number}" for number in range(1, 6)),
    *("email_confirmation", "confirmation_address", "payment_method"),
    *("subscription_type", "billing_date", "recurring_amount", "frequency", "cycles"),
    *("subscription_notify_email", "subscription_notify_webhook", "subscription_notify_buyer"),
)


def encoded(pairs: Iterable[tuple[str, str]]) -> str:
    """`name=value&...` as PHP's urlencode writes values."""
    return "&".join(f"{name}={quote_plus(value).replace('~', '%7E')}" for name, value in pairs)


def checkout_signature(fields: dict[str, str], passphrase: str) -> str:
    """Documented order, trimmed, blank fields left out, the passphrase last."""
    pairs = [(name, fields[name].strip()) for name in CHECKOUT_ORDER if fields.get(name, "").strip()]
    return _md5([*pairs, ("passphrase", passphrase.strip())] if passphrase else pairs)


def itn_signature(pairs: Iterable[tuple[str, str]], passphrase: str) -> str:
    """The order of the wire, blank fields kept, the passphrase last."""
    return _md5([*pairs, ("passphrase", passphrase)] if passphrase else list(pairs))


def api_signature(fields: dict[str, str], passphrase: str) -> str:
    """Sorted by name, blank fields left out, the passphrase at its place."""
    return _md5(sorted((name, value) for name, value in {**fields, "passphrase": passphrase}.items() if value))


def _md5(pairs: Iterable[tuple[str, str]]) -> str:
    return hashlib.md5(encoded(pairs).encode(), usedforsecurity=False).hexdigest()
