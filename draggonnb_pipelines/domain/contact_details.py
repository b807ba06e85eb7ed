"""Names, e-mail addresses, phone numbers, web addresses and consent as people type them.

Lives here: what one such field must look like, its normal form, and what to tell the sender when it is wrong.
Not here: which field of which sender holds what (`lead_shapes.py`), and whether an address answers.
"""

import re
import unicodedata
from dataclasses import dataclass

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from pydantic import JsonValue

DEFAULT_REGION = "ZA"
_NOTHING = frozenset({"", "-", "--", ".", "n/a", "na", "none", "no", "nil", "null", "undefined", "geen", "nee"})
_YES = frozenset({"1", "true", "yes", "y", "on", "checked", "agree", "agreed", "ja"})
_NO = frozenset({"", "0", "false", "no", "n", "off", "unchecked", "nee"})
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_BREAKS_OR_BIDI = re.compile(r"[\t\n\r\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_WEBSITE = re.compile(
    r"(?:https?://)?(?P<host>(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{0,61}[^\W_]\.?)(?::\d{1,5})?(?:[/?#]\S*)?",
    re.IGNORECASE,
)


class Unusable(ValueError):
    """A value that cannot be what its field says. The message tells the sender what to send instead."""


@dataclass(frozen=True, slots=True)
class Email:
    """`as_given` is what we write to; `key` is what tells two people apart."""

    as_given: str
    key: str


def has_forbidden_characters(text: str) -> bool:
    """Control characters (NUL cannot be stored by Postgres) and halves of surrogate pairs (no UTF-8 for them)."""
    return _CONTROLS.search(text) is not None


def one_line(text: str, max_chars: int) -> str | None:
    """Trim and collapse spaces; None if nothing is left.

    Raises:
        Unusable: too long, or line breaks or text-direction overrides inside (they forge headers and names).
    """
    text = unicodedata.normalize("NFC", text).strip()
    if _BREAKS_OR_BIDI.search(text) or has_forbidden_characters(text):
        raise Unusable("must be one line without control characters")
    if len(text) > max_chars:
        raise Unusable(f"must have at most {max_chars} characters, has {len(text)}")
    return " ".join(text.split()) or None


def flattened(text: str) -> str:
    """Anybody's text as one line of a heading: what `one_line` refuses becomes a space."""
    return " ".join(_BREAKS_OR_BIDI.sub(" ", _CONTROLS.sub(" ", text)).split())


def paragraphs(text: str, max_chars: int) -> str | None:
    """Several lines of text with uniform line ends; None if nothing is left."""
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").strip()
    if has_forbidden_characters(text):
        raise Unusable("must not contain control characters")
    if len(text) > max_chars:
        raise Unusable(f"must have at most {max_chars} characters, has {len(text)}")
    return text or None


def email_address(text: str) -> Email | None:
    """Check an address by its shape; no DNS is asked.

    The key is the address in NFC with domain and local part in lower case: mailboxes that differ in case alone
    do not exist in practice, and one person typing `Info@` and `info@` is one contact.
    """
    line = one_line(text, 254)
    if line is None or line.lower() in _NOTHING:
        return None
    try:
        # `globally_deliverable` off: it would refuse reserved names such as .example, where demos and tests live.
        checked = validate_email(line, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise Unusable("is not an e-mail address; send one such as name@company.co.za") from error
    if "." not in checked.domain:
        raise Unusable("has no dot in its domain; send an address such as name@company.co.za")
    return Email(line, unicodedata.normalize("NFC", checked.normalized.lower()))


def region_of(locale: str) -> str:
    """The country that a phone number without a country code belongs to: `en-ZA` → `ZA`."""
    last = locale.replace("_", "-").rpartition("-")[2]
    return last.upper() if len(last) == 2 and "-" in locale.replace("_", "-") else DEFAULT_REGION


def phone_e164(text: str, region: str) -> str | None:
    """E.164 form of a number as people write it (`082 123 4567`, `+27 (0)82…`), or None if nothing was given."""
    line = one_line(text, 40)
    if line is None or line.lower() in _NOTHING:
        return None
    e164 = _e164(line, region)
    if e164 is None:
        raise Unusable("is not a phone number; send it with its country code, such as +27821234567")
    return e164


def _e164(line: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(line, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def website_address(text: str) -> str | None:
    """A web address by its shape, as given; the scheme may be missing. `n/a` and the like mean none."""
    line = one_line(text, 500)
    if line is None or line.lower() in _NOTHING:
        return None
    if not _WEBSITE.fullmatch(line):
        raise Unusable("is not a web address; send one such as https://www.company.co.za, or leave it out")
    return line


_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_NUMBER = re.compile(r"(?<!\w)\+?\d(?:[ ()./-]{0,3}\d){7,14}(?!\w)")


def without_contact_details(value: JsonValue) -> JsonValue:
    """The same text or JSON with e-mail addresses and long numbers (phone, identity, account) masked."""
    if isinstance(value, str):
        return _NUMBER.sub("[number]", _EMAIL.sub("[e-mail]", value))
    if isinstance(value, list):
        return [without_contact_details(item) for item in value]
    if isinstance(value, dict):
        return {key: without_contact_details(item) for key, item in value.items()}
    return value


def yes_or_no(value: object) -> bool:
    """A tick box as forms, Meta and n8n send it. Anything unclear is refused: consent is never guessed."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else None
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise Unusable("must be true or false")
