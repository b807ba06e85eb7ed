"""What gets a business into trouble when a post says it: promises, superlatives, cures, and figures from nowhere.

Lives here: the table of risky claims, and the reading of prices and percentages as people write them.
Not here: what one brand forbids, and what is done about a claim (`brand_rules.py`).

Patterns are tried on folded text: lower case, single spaces, no accents, no invisible characters, straight quotes.
The list finds the common wordings in English and Afrikaans; it is no legal advice and finds nothing that is worded
otherwise.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

Severity = Literal["block", "warn"]


class RiskyClaim(NamedTuple):
    """One kind of claim: how it is worded, how bad it is, and why."""

    pattern: re.Pattern[str]
    severity: Severity
    reason: str


# South Africa: Consumer Protection Act 68 of 2008, s 41 (false, misleading or deceptive representations); Code of
# Advertising Practice of the Advertising Regulatory Board, section II clause 4.1 (claims need proof at hand);
# Medicines and Related Substances Act 101 of 1965 (who may say that something treats or cures).
_ILLNESS = (
    r"(?:cancer|diabetes|arthritis|depression|anxiety|hypertension|high blood pressure|asthma|hiv|aids|covid(?:-?19)?|"
    r"flu|eczema|psoriasis|migraines?|infertility|insomnia|pain|disease|illness|kanker|suikersiekte|artritis|depressie)"
)
# Not "sales" alone, for the sake of "guaranteed after-sales service".
_RESULT = (
    r"(?:results?|success|growth|leads|roi|profits?|rankings?|approval|(?:more|higher) (?:sales|bookings|customers)|"
    r"resultate|sukses)"
)
_PLACE = r"(?:south africa|suid-afrika|sa|mzansi|africa|afrika|the (?:country|world|land|wereld)|die (?:land|wereld))"
_PROMISE = "promises a result that nobody can promise (Consumer Protection Act, s 41)"
_PROOF = "needs proof at hand before it is said (ARB code, section II clause 4.1)"
_MEDICINE = "says that something cures or treats (Medicines and Related Substances Act)"
_RISK = "plays down a risk; say what can go wrong, or leave it out"

_BEST = r"(?:best|leading|biggest|cheapest|finest|beste|voorste|grootste|goedkoopste)"
_WORDINGS: tuple[tuple[str, Severity, str], ...] = (
    (rf"guarantee[ds]?(?: \w+){{0,2}} {_RESULT}", "block", _PROMISE),
    (rf"{_RESULT}(?: (?:are|is|word))? (?:100% )?(?:guaranteed|gewaarborg)", "block", _PROMISE),
    (rf"gewaarborgde(?: \w+){{0,2}} {_RESULT}|guaranteed (?:investment )?returns", "block", _PROMISE),
    (r"double your (?:sales|money|income|revenue|leads|followers)", "block", _PROMISE),
    (r"(?:get rich|make money) (?:quick|quickly|fast)|earn [r$] ?\d[\d ,.]* (?:a|per) (?:day|week)", "block", _PROMISE),
    (rf"{_BEST}(?: \S+){{0,4}} (?:in|of|van) {_PLACE}", "warn", _PROOF),
    (rf"{_PLACE}(?:'s|s|se)? (?:{_BEST}|number one|no\.? ?1|#1)", "warn", _PROOF),
    (r"(?:number one|no\.? ?1|#1|nommer een)(?: \S+){0,3} in", "warn", _PROOF),
    (r"(?:lowest|unbeatable|laagste) (?:prices?|rates?|pryse?)", "warn", _PROOF),
    (r"(?:clinically|scientifically|medically|klinies|wetenskaplik) (?:proven|tested|bewys)", "warn", _PROOF),
    (r"(?:doctor|dentist|dermatologist)s? (?:recommended|recommend|approved)", "warn", _PROOF),
    (rf"(?:cures?|heals?|treats?|reverses?|prevents?|genees|voorkom)(?: \w+){{0,2}} {_ILLNESS}", "block", _MEDICINE),
    (r"(?:a|the|natural|miracle) cure for \w+|miracle (?:cure|pill|product|remedy)|wondermiddel", "block", _MEDICINE),
    (r"lose \d+ ?(?:kg|kilos?|kilograms?)(?: \w+){0,2} in \d+ (?:days?|weeks?)", "block", _MEDICINE),
    (r"no side[- ]effects|geen newe-effekte", "block", _RISK),
    (r"risk[- ]free|no risk|geen risiko|100% (?:safe|veilig)", "warn", _RISK),
)
RISKY_CLAIMS = tuple(
    RiskyClaim(re.compile(rf"(?<!\w)(?:{wording})(?!\w)"), severity, reason) for wording, severity, reason in _WORDINGS
)
_NEGATION = re.compile(
    r"(?<!\w)(?:no|not|never|nobody|no-one|cannot|without|nie|geen|niemand|\w+n't)(?!\w)[^.!?]{0,20}$"
)


def is_denied(before: str) -> bool:
    """Whether the words in front of a claim turn it round (`nobody can guarantee results`)."""
    return _NEGATION.search(before) is not None


_CURRENCIES = {"r": "ZAR", "zar": "ZAR", "rand": "ZAR", "$": "USD", "us$": "USD", "usd": "USD"}
_CURRENCIES |= {"dollar": "USD", "€": "EUR", "eur": "EUR", "euro": "EUR", "£": "GBP", "gbp": "GBP", "pound": "GBP"}
_TIMES = {"k": 10**3, "m": 10**6, "mil": 10**6, "million": 10**6, "miljoen": 10**6, "bn": 10**9, "billion": 10**9}
_NUMBER = r"\d{1,3}(?:[ ,.]\d{3}(?!\d))+(?:[.,]\d{1,2}(?!\d))?|\d+(?:[.,]\d+)?"
_AMOUNT = re.compile(
    rf"(?<![^\W_])(?P<sign>us\$|[$€£]|zar|usd|eur|gbp|r)?\s?(?P<number>{_NUMBER})"
    rf"(?:\s?(?P<times>{'|'.join(sorted(_TIMES, key=len, reverse=True))})(?![^\W_]))?"
    r"(?:\s?(?P<percent>%|per\s?cent(?!\w)|persent(?!\w))|\s(?P<word>rand|dollar|euro|pound)s?(?!\w))?"
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number in a text, from `start` to `end`. `unit` is a currency (ISO 4217), "%", or None for a bare number."""

    value: Decimal
    unit: str | None
    start: int
    end: int


def figures(folded: str) -> Iterator[Figure]:
    """Every number of a folded text: `r1 500,00`, `r1,500.00` and `r1.5k` are all 1500 rand.

    Three digits after a separator are thousands, one or two are decimals, as South Africans read both spellings.
    """
    for match in _AMOUNT.finditer(folded):
        currency = match["sign"] or match["word"]
        unit = "%" if match["percent"] else _CURRENCIES[currency] if currency else None
        value = _value(match["number"]) * _TIMES.get(match["times"] or "", 1)
        start = match.start("sign") if match["sign"] else match.start("number")
        yield Figure(value, unit, start, match.end())


def _value(number: str) -> Decimal:
    whole, mark, rest = number.replace(" ", ",").replace(".", ",").rpartition(",")
    if mark and len(rest) != 3:
        return Decimal(f"{whole.replace(',', '')}.{rest}")
    return Decimal((whole + rest).replace(",", ""))
