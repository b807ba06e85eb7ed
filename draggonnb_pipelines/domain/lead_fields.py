"""One lead's fields: which of the sender's keys is which, and what becomes of a value that cannot be used.

Not here: where in a request its leads are (`lead_shapes.py`), what one field must look like (`contact_details.py`).
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import JsonValue

from draggonnb_pipelines.domain.contact_details import (
    Unusable,
    email_address,
    has_forbidden_characters,
    one_line,
    paragraphs,
    phone_e164,
    region_of,
    website_address,
    yes_or_no,
)
from draggonnb_pipelines.domain.submissions import Consent, ConsentPurpose, Fault, LeadSubmission, Shape

MAX_EXTRA_FIELDS = 60
MAX_EXTRA_BYTES = 32 * 1024
T = TypeVar("T")

# What senders call each field, the likeliest first; keys are compared in lower case with `_` for the rest.
_ALIASES: dict[str, tuple[str, ...]] = {
    "name": ("name", "full_name", "fullname", "contact_name", "your_name", "naam"),
    "first_name": ("first_name", "firstname", "given_name", "voornaam"),
    "last_name": ("last_name", "lastname", "surname", "family_name", "van"),
    "email": ("email", "email_address", "e_mail", "work_email", "your_email", "mail", "epos"),
    "phone": ("phone", "phone_number", "mobile", "cell", "telephone", "tel", "work_phone_number", "whatsapp"),
    "company": ("company", "company_name", "business_name", "organisation", "organization", "business"),
    "website": ("website", "company_website", "website_url", "url", "web", "site"),
    "message": ("message", "your_message", "comments", "comment", "enquiry", "question", "notes"),
    "submitted_at": ("submitted_at", "created_time", "timestamp"),
    "contact": ("consent", "consent_contact", "contact_consent", "popia_consent", "agree"),
    "contact_text": ("consent_text", "consent_wording", "consent_contact_text"),
    "marketing": ("consent_marketing", "marketing_consent", "marketing_opt_in", "newsletter", "opt_in"),
    "marketing_text": ("consent_marketing_text", "marketing_consent_text", "newsletter_text"),
}
_ABOUT_THE_DELIVERY = frozenset({"organization_id", "source", "delivery_id", "lead", "leads", "leadgen_id"})
# Never worth keeping, and some of them secrets of the person or of the form.
_DROPPED = re.compile(r"^_*(csrf|xsrf|token|authenticity_token|nonce)|captcha|turnstile|passw|card_number|cvv|cvc")


@dataclass(frozen=True, slots=True)
class FoundLead:
    """One lead where it was found: `path` names it in a refusal."""

    path: str
    shape: Shape
    item: JsonValue
    fields: Mapping[str, JsonValue]
    source: JsonValue = None
    delivery_id: JsonValue = None
    facts: dict[str, JsonValue] = field(default_factory=dict)
    consents: tuple[Consent, ...] = ()


class LeadReader:
    """Reads one found lead. A web form's visitor can correct a wrong field, so it is refused; what a machine
    delivers nobody corrects, so its wrong field is set aside as long as one way to reach the person is left."""

    def __init__(self, found: FoundLead, locale: str, faults: list[Fault]) -> None:
        self._found = found
        self._region = region_of(locale)
        self._faults = faults
        self._ok = True
        self._unusable: dict[str, JsonValue] = {}
        self._why_unusable: dict[str, str] = {}
        self._left: dict[str, tuple[str, JsonValue]] = {}
        self._extra: dict[str, JsonValue] = {}

    def read(self) -> LeadSubmission | None:
        """The lead, or None with what is wrong added to the faults."""
        self._sort_fields()
        name = self._take("name", lambda text: one_line(text, 200)) or self._joined_name()
        email = self._take("email", email_address)
        phone = self._take("phone", lambda text: (text.strip(), phone_e164(text, self._region)))
        company = self._take("company", lambda text: one_line(text, 200))
        website = self._take("website", website_address)
        message = self._take("message", lambda text: paragraphs(text, 10_000))
        consents = (*self._consent("contact"), *self._consent("marketing"), *self._found.consents)
        submitted_at = self._submitted_at()
        delivery_id = self._delivery_id()
        extra = self._qualification_data()
        number = phone[1] if phone else None
        if self._ok and email is None and number is None:
            for key, detail in self._why_unusable.items():
                self._refuse(key, detail)
            self._refuse("email", "or phone is needed: without one of them nobody can answer this lead")
        if not self._ok:
            return None
        return LeadSubmission(
            source=_source_word(self._found.source) or self._found.shape,
            shape=self._found.shape,
            delivery_id=delivery_id,
            name=name,
            email=email.as_given if email else None,
            email_key=email.key if email else None,
            phone=phone[0] if phone and number else None,
            phone_e164=number,
            company=company,
            website=website,
            message=message,
            submitted_at=submitted_at,
            consents=consents,
            qualification_data=extra,
        )

    def _sort_fields(self) -> None:
        for key, value in self._found.fields.items():
            word = _word(key)
            if word in _ABOUT_THE_DELIVERY or _DROPPED.search(word):
                continue
            if word in self._left:
                self._extra[key] = value
            else:
                self._left[word] = (key, value)

    def _take(self, name: str, check: Callable[[str], T | None]) -> T | None:
        for alias in _ALIASES[name]:
            key, value = self._left.get(alias, (alias, None))
            if value in (None, "", []):
                self._left.pop(alias, None)
                continue
            del self._left[alias]
            try:
                return check(_text(value))
            except Unusable as error:
                self._set_aside(key, value, str(error))
                return None
        return None

    def _joined_name(self) -> str | None:
        parts = [self._take(part, lambda text: one_line(text, 100)) for part in ("first_name", "last_name")]
        return " ".join(part for part in parts if part) or None

    def _consent(self, purpose: ConsentPurpose) -> Iterator[Consent]:
        given = next((self._left.pop(a) for a in _ALIASES[purpose] if a in self._left), None)
        if given is None:
            return
        wording = self._take(f"{purpose}_text", lambda text: paragraphs(text, 2000)) or ""
        try:
            yield Consent(purpose=purpose, granted=yes_or_no(given[1]), wording=wording)
        except Unusable as error:
            self._set_aside(given[0], given[1], str(error))

    def _submitted_at(self) -> datetime | None:
        for alias in _ALIASES["submitted_at"]:
            if alias in self._left and (moment := _moment(self._left[alias][1])):
                del self._left[alias]
                return moment
        return None

    def _delivery_id(self) -> str | None:
        given = self._found.delivery_id
        if given in (None, ""):
            return None
        try:
            return one_line(_text(given), 200)
        except Unusable as error:
            self._refuse("delivery_id", str(error))
            return None

    def _qualification_data(self) -> dict[str, JsonValue]:
        nested = self._left.pop("qualification_data", (None, None))[1]
        extra: dict[str, JsonValue] = dict(self._found.facts)
        extra |= {key: value for key, value in self._left.values() if value not in (None, "", [])}
        extra |= self._extra
        if isinstance(nested, dict):
            extra |= nested
        for key, value in extra.items():
            if has_forbidden_characters(key) or any(map(has_forbidden_characters, _strings(value))):
                self._refuse(key, "must not contain control characters")
                return {}
        if self._unusable:
            extra["unusable"] = self._unusable
        size = len(json.dumps(extra).encode())
        if len(extra) > MAX_EXTRA_FIELDS or size > MAX_EXTRA_BYTES:
            limit = f"at most {MAX_EXTRA_FIELDS} extra fields and {MAX_EXTRA_BYTES // 1024} KiB of them"
            self._refuse("body", f"has too much beside the contact details; send {limit}")
        return extra

    def _set_aside(self, key: str, value: JsonValue, detail: str) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        if has_forbidden_characters(key):
            self._refuse(key, "must not contain control characters in its name")
        elif self._found.shape == "web_form" or has_forbidden_characters(text):
            self._refuse(key, detail)
        else:
            self._unusable[key] = text[:2000]
            self._why_unusable[key] = detail

    def _refuse(self, key: str, detail: str) -> None:
        self._ok = False
        key = (key if key.isprintable() else _word(key) or "body")[:100]
        self._faults.append(Fault(field=f"{self._found.path}.{key}" if self._found.path else key, detail=detail))


def _word(key: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", key.lower()).strip("_")


def _text(value: JsonValue) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise Unusable("must be given once, as text")


def _source_word(value: JsonValue) -> str | None:
    """`Facebook Ads – Spring` → `facebook_ads_spring`: part of the inbox's unique key, so spelled one way."""
    if not isinstance(value, str):
        return None
    plain = unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9.-]+", "_", plain).strip("_.-")[:64].rstrip("_.-") or None


def _moment(value: JsonValue) -> datetime | None:
    """Unix seconds or milliseconds, or ISO 8601; without an offset it is UTC. None if it is nothing sensible."""
    try:
        if isinstance(value, int | float) or (isinstance(value, str) and value.strip().isdigit()):
            seconds = float(value)
            moment = datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
        else:
            moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    if moment is None or not 2000 <= moment.year <= 2100:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _strings(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
