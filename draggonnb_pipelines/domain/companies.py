"""What a company's own words tell about it: address of its site, sector, size, contact facts.

Lives here: pure decisions on texts. Does not live here: fetching (`resources/websites.py`) and any judgement by a
model. All results are hints with what they rest on, never facts about a person.
"""

import ipaddress
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import islice, pairwise
from typing import Literal
from urllib.parse import urlsplit

import phonenumbers

from draggonnb_pipelines.domain.sectors import SECTOR_WORDS

SizeHint = Literal["solo", "small", "medium", "large"]

# Mailbox providers of the South African market: such a domain tells nothing about a company.
# fmt: off
FREE_MAIL_DOMAINS = frozenset({
    "gmail.com", "googlemail.com", "yahoo.com", "yahoo.co.uk", "yahoo.co.za", "ymail.com", "rocketmail.com",
    "outlook.com", "outlook.co.za", "hotmail.com", "hotmail.co.uk", "hotmail.co.za", "live.com", "live.co.za",
    "msn.com", "icloud.com", "me.com", "mac.com", "aol.com", "proton.me", "protonmail.com", "pm.me", "tutanota.com",
    "tuta.com", "gmx.com", "gmx.net", "gmx.de", "web.de", "mail.com", "zoho.com", "zohomail.com", "fastmail.com",
    "yandex.com", "yandex.ru", "mail.ru", "qq.com", "163.com", "hey.com", "duck.com", "mweb.co.za", "webmail.co.za",
    "vodamail.co.za", "telkomsa.net", "iafrica.com", "absamail.co.za", "lantic.net", "polka.co.za", "global.co.za",
    "cybersmart.co.za", "axxess.co.za", "afrihost.co.za", "vodacom.co.za", "mtn.co.za", "telkom.net", "ananzi.co.za",
    "tiscali.co.za", "worldonline.co.za", "saol.co.za", "intekom.co.za", "netactive.co.za", "isat.co.za",
    "imaginet.co.za", "discoverymail.co.za", "mailinator.com", "yopmail.com", "guerrillamail.com", "10minutemail.com",
    "temp-mail.org", "trashmail.com",
})
# fmt: on
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)+(?:[a-z]{{2,63}}|xn--[a-z0-9-]{{2,59}})")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+", re.IGNORECASE)
_REGISTRATION = re.compile(r"\b(?:19|20)\d{2}/\d{6}/\d{2}\b")  # CIPC company number
_VAT = re.compile(r"\b(?:vat|btw)[^0-9\n]{0,20}(4\d{9})\b", re.IGNORECASE)
_SINCE = re.compile(
    r"\b(?:since|established(?: in)?|founded in|est\.?|sedert|sinds|gestig in)\s+((?:18|19|20)\d{2})\b", re.IGNORECASE
)
_SOCIAL = re.compile(
    r"https?://(?:[a-z]{2,3}\.)?(facebook|instagram|linkedin|x|twitter|tiktok|youtube)\.com/[\w@./%-]{2,100}",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:[&'][^\W_]+)*")
_STAFF = re.compile(
    r"\b(?:team of|staff of|more than|over|span van|meer as)?\s*(\d{1,5})\+?\s+(?:full-time |voltydse )?"
    r"(?:employees|people|staff|professionals|specialists|team members|werknemers|personeellede|spanlede)\b",
    re.IGNORECASE,
)
_SIZE_WORDS: tuple[tuple[SizeHint, str], ...] = (
    ("large", r"listed on the jse|jse[- ]listed|multinational|nationwide network|landswye netwerk|group of companies"),
    ("medium", r"our branches|branches in|offices in|takke in|kantore in|franchise"),
    ("small", r"family[- ](?:owned|run|business)|small team|our team|familie[- ]?(?:besigheid|onderneming)|ons span"),
    ("solo", r"one[- ](?:man|woman|person)|sole (?:trader|proprietor)|freelance|eenmansaak|vryskut"),
)
_INSTRUCTIONS = re.compile(
    r"(?:ignore|disregard|forget|override)\s+(?:all\s+|any\s+|the\s+|your\s+|these\s+|of\s+)*"
    r"(?:previous|prior|above|earlier|preceding|system|existing)\s+(?:instruction|prompt|direction|rule|message|context)s?"
    r"|(?:ignoreer|verontagsaam)\s+(?:al\s+|alle\s+|die\s+)*(?:vorige|bogenoemde)\s+(?:instruksies|opdragte)"
    r"|you\s+are\s+now\s+(?:(?:a|an|the|in)\s+)?(?:ai|assistant|chatbot|language\s+model|developer\s+mode|unrestricted)\b|new\s+(?:system\s+)?instructions?\s*:|(?:reveal|print|repeat)\s+(?:me\s+)?"
    r"(?:your|the)\s+(?:system\s+)?prompt|(?:attention|note\s+to|message\s+(?:to|for)|dear)\s+(?:all\s+)?"
    r"(?:ai\s+(?:assistants?|models?|agents?|systems?)|ai|llms?|language\s+models?|chatbots?)\b|</?(?:system|source|lead|instructions?)\b"
    r"|as\s+an\s+ai\s+(?:language\s+)?(?:model|assistant)|do\s+not\s+(?:tell|inform|mention\s+(?:this|it)\s+to)\s+the\s+(?:user|operator)"
    r"|\[/?inst\]|<\|(?:im_start|im_end|system)\|>",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SectorHint:
    """The likeliest sector, its share of all sector words (0 to 1), and the words that spoke for it."""

    sector: str
    share: float
    words: tuple[str, ...]


def normalize_website(text: str | None) -> str | None:
    """The URL of a site as people write it, or None if it is none: `Kloof.example/` -> `https://kloof.example/`.

    An e-mail address, an IP address, a word without a dot and other schemes than http(s) are no site. Query and
    fragment go, since campaigns put them there.
    """
    raw = (text or "").strip().strip("<>()[]\"'“”,;").rstrip(".>")
    if not raw or len(raw) > 500 or any(c.isspace() for c in raw):
        return None
    if not _SCHEME.match(raw):
        raw = f"https://{raw.removeprefix('//')}"
    try:
        parts = urlsplit(raw)
        port = parts.port
        host = (parts.hostname or "").rstrip(".").encode("idna").decode("ascii").lower()
    except (ValueError, UnicodeError):
        return None
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or not _HOST.fullmatch(host) or len(host) > 253:
        return None
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}{f':{port}' if port and port != default else ''}{parts.path or '/'}"


def company_domain(email: str | None) -> str | None:
    """The domain of a business address; None for a free-mail provider, an IP literal or what is no address."""
    _, at, domain = (email or "").strip().rpartition("@")
    domain = domain.rstrip(".").lower()
    if not at or domain in FREE_MAIL_DOMAINS or _is_ip(domain.strip("[]")):
        return None
    url = normalize_website(domain)
    return urlsplit(url).hostname if url else None


def website_of(website: str | None, email: str | None) -> str | None:
    """The company's site: the one it gave, else the domain of its business address."""
    return normalize_website(website) or normalize_website(company_domain(email))


def sector_hint(text: str) -> str | None:
    """The likeliest sector (a key of `SECTOR_WORDS`), or None."""
    evidence = sector_evidence(text)
    return evidence.sector if evidence else None


def sector_evidence(text: str) -> SectorHint | None:
    """The sector whose words are most frequent, or None when nothing telling is there.

    Each word counts at most three times, so that a menu repeated on every page does not decide.
    """
    phrases = _phrases(text)
    ordered = sorted(phrases)
    scores: dict[str, int] = {}
    words: dict[str, list[str]] = {}
    for sector, entries in _sector_words().items():
        for word, weight, is_stem in entries:
            count = _starting_with(word, phrases, ordered) if is_stem else phrases.get(word, 0)
            if count:
                scores[sector] = scores.get(sector, 0) + weight * min(3, count)
                words.setdefault(sector, []).append(word)
    if not scores:
        return None
    best = min(scores, key=lambda sector: (-scores[sector], sector))
    if scores[best] < 3:
        return None
    return SectorHint(best, round(scores[best] / sum(scores.values()), 2), tuple(words[best]))


def size_hint(text: str) -> SizeHint | None:
    """The size by a stated head count, else by tell-tale phrases: solo 1, small to 20, medium to 200, large above."""
    heads = [int(match.group(1)) for match in _STAFF.finditer(text)]
    if heads and max(heads) > 0:
        return _size_of(max(heads))
    folded = " ".join(text.casefold().split())
    return next((size for size, words in _SIZE_WORDS if re.search(rf"\b(?:{words})\b", folded)), None)


def contact_facts(text: str, region: str = "ZA") -> dict[str, list[str]]:
    """Contact facts in a text, each list sorted, unique and at most ten long; empty ones are left out."""
    facts = {
        "emails": {match.lower().rstrip(".") for match in _EMAIL.findall(text)},
        "phones": _phones(text, region),
        "social_profiles": {match.group(0).rstrip("/.") for match in _SOCIAL.finditer(text)},
        "registration_numbers": set(_REGISTRATION.findall(text)),
        "vat_numbers": set(_VAT.findall(text)),
        "founded": set(_SINCE.findall(text)),
    }
    return {name: sorted(found)[:10] for name, found in facts.items() if found}


def instructions_in(texts: Iterable[str]) -> list[str]:
    """Phrases that talk to a language model instead of a reader, each once and cut at 80 characters.

    A hit changes nothing about how a text is handled (it is data anyway): it tells the operator that somebody tried.
    """
    found: dict[str, None] = {}
    for text in texts:
        plain = " ".join(text.split())
        found.update({match.group(0)[:80]: None for match in _INSTRUCTIONS.finditer(plain)})
    return list(found)[:10]


def _phones(text: str, region: str) -> set[str]:
    matches = phonenumbers.PhoneNumberMatcher(text[:100_000], region)
    return {phonenumbers.format_number(m.number, phonenumbers.PhoneNumberFormat.E164) for m in matches}


def _size_of(heads: int) -> SizeHint:
    if heads == 1:
        return "solo"
    if heads <= 20:
        return "small"
    return "medium" if heads <= 200 else "large"


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _phrases(text: str) -> Counter[str]:
    """How often each word and each run of two or three words occurs; a hyphen counts as a space."""
    tokens = _WORD.findall(text.casefold())
    phrases = Counter(tokens)
    phrases.update(map("-".join, pairwise(tokens)))
    phrases.update(map("-".join, zip(tokens, tokens[1:], tokens[2:], strict=False)))
    return phrases


def _starting_with(stem: str, phrases: Counter[str], ordered: list[str]) -> int:
    count = 0
    # A stem ends within a word: runs of more words that begin with it are the same occurrences again.
    for phrase in islice(ordered, bisect_left(ordered, stem), None):
        if not phrase.startswith(stem):
            break
        if phrase.count("-") == stem.count("-"):
            count += phrases[phrase]
    return count


@cache
def _sector_words() -> dict[str, list[tuple[str, int, bool]]]:
    return {
        sector: [(entry.strip("*~"), 3 if entry.startswith("*") else 1, entry.endswith("~")) for entry in line.split()]
        for sector, line in SECTOR_WORDS.items()
    }
