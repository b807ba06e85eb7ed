"""A person as data protection meets one: an e-mail address or a phone number, and where a text speaks of them.

Lives here: what was typed made comparable, and the pattern that finds it in any text. Not here: which tables are
searched (`workflows/operations/person_places.py`), and what becomes of what is found.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import phonenumbers

from draggonnb_pipelines.domain.contact_details import DEFAULT_REGION, Unusable, email_address, phone_e164

# Between the digits of a number as people write it.
_GAP = r"[ ()./-]{0,3}"
_ESCAPED_BREAK = re.compile(r"\\[bfnrt]")


@dataclass(frozen=True, slots=True)
class Identity:
    """The addresses of one person: e-mail addresses in lower case (NFC), phone numbers in E.164."""

    emails: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()

    def __or__(self, other: "Identity") -> "Identity":
        return Identity(self.emails | other.emails, self.phones | other.phones)

    @property
    def only_address(self) -> str:
        """The one address, of an identity as it was typed."""
        [address] = self.emails | self.phones
        return address

    def one_by_one(self) -> Iterator["Identity"]:
        """Each address by itself."""
        for email in sorted(self.emails):
            yield Identity(emails=frozenset({email}))
        for phone in sorted(self.phones):
            yield Identity(phones=frozenset({phone}))

    @property
    def addresses(self) -> list[str]:
        """Everything that a column for an address may hold of this person; WhatsApp leaves the plus sign out."""
        return sorted(self.emails | self.phones | {phone.removeprefix("+") for phone in self.phones})

    @property
    def pattern(self) -> str:
        """A regular expression over a text in lower case, of Python and of Postgres alike.

        It finds an address as a whole (`an@x.example` is not in `jan@x.example`) and a number however it is divided,
        with or without its country code.
        """
        assert self.emails or self.phones, "an empty pattern would be in every text"
        parts = [_email_pattern(email) for email in sorted(self.emails)]
        parts += [_phone_pattern(phone) for phone in sorted(self.phones)]
        return "|".join(parts)

    def is_in(self, text: str) -> bool:
        """Whether the text, which may be JSON, speaks of this person."""
        return re.search(self.pattern, _ESCAPED_BREAK.sub(" ", text.lower())) is not None


def identity_of(text: str, region: str = DEFAULT_REGION) -> Identity:
    """The person whom an operator names by an e-mail address or a phone number.

    Args:
        region: country of a number without its code, such as ZA.

    Raises:
        Unusable: neither; the message says what to type instead.
    """
    if "@" in text:
        email = email_address(text)
        assert email is not None, "only words without @ mean nothing"
        return Identity(emails=frozenset({email.key}))
    try:
        phone = phone_e164(text, region)
    except Unusable:
        phone = None
    if phone is None:
        raise Unusable("is neither an e-mail address nor a phone number with its country code, such as +27821234567")
    return Identity(phones=frozenset({phone}))


def identity_from(emails: Iterable[str | None], phones: Iterable[str | None]) -> Identity:
    """The same from columns of rows; what is empty is left out."""
    return Identity(
        frozenset(email.strip().lower() for email in emails if email), frozenset(phone for phone in phones if phone)
    )


def is_in_body(identity: Identity, body: bytes) -> bool:
    """Whether a body as it came over the wire speaks of this person; JSON may have escaped any of its letters."""
    text = body.decode("utf-8", errors="replace")
    try:
        text = json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        text = text.replace("%40", "@").replace("%2B", "+").replace("%2b", "+")  # a form's body
    return identity.is_in(text)


def _email_pattern(email: str) -> str:
    # A further label behind it makes it another domain; the full stop of a sentence does not.
    return rf"(?<![a-z0-9._%+-]){re.escape(email)}(?![a-z0-9-]|\.[a-z0-9])"


def _phone_pattern(phone: str) -> str:
    number = phonenumbers.parse(phone)
    national = _GAP.join(phonenumbers.national_significant_number(number))
    prefix = rf"(?:(?:\+|00)?{number.country_code}{_GAP}(?:\(0\))?|0)?{_GAP}"
    return rf"(?<![0-9]){prefix}{national}(?![0-9])"
