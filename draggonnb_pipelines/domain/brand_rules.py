"""What a brand may not say, and whether it has said nearly the same before.

Lives here: a client's brand rules, the check of a text against them with the reasons, near-duplicates, and posts too
close in time. Not here: what a platform allows (`post_rules.py`), the table of risky claims and the reading of
figures (`claims.py`), and who is told (the asset checks).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from rapidfuzz import fuzz

from draggonnb_pipelines.domain.claims import RISKY_CLAIMS, Figure, Severity, figures, is_denied
from draggonnb_pipelines.domain.wall_time import in_words

COMPARED_CHARS = 5000  # of each text: a Facebook post may have 63,206, and the loop waits meanwhile
NEAR_DUPLICATE = 0.85
SAME_SLOT = timedelta(minutes=30)
Rule = Literal["banned_word", "banned_claim", "risky_claim", "figure_without_source", "missing_disclaimer", "same_slot"]
Id = TypeVar("Id")

_SAME = {ord(mark): "'" for mark in "‘’‚‛′`´"} | {ord(mark): "-" for mark in "‐‑‒–—―−"}
_WORD = re.compile(r"[^\W_]+")
_HASHTAG = re.compile(r"#\w+")
_CAMEL = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|_|(?<=[^\W\d_])(?=\d)")
_LINK_OR_HASHTAG = re.compile(r"https?://\S+|www\.\S+|#\w+", re.IGNORECASE)


def _visible(term: str) -> str:
    if not _fold(term).text.strip():
        raise ValueError("has no visible character")
    return term


Term = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), AfterValidator(_visible)]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Hashtag = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^#\w{1,100}$")]


class BrandRules(BaseModel):
    """How a client speaks. `voice`, `audience`, `hashtags` and `language` (BCP 47) are for whoever writes; the rest
    is checked. `banned_claims` are the client's own, next to the risky claims that nobody may make."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    voice: Prose = ""
    audience: Prose = ""
    banned_words: tuple[Term, ...] = Field(default=(), max_length=200)
    banned_claims: tuple[Term, ...] = Field(default=(), max_length=100)
    required_disclaimer: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] | None = None
    hashtags: tuple[Hashtag, ...] = Field(default=(), max_length=30)
    language: str = Field(default="en-ZA", pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")


@dataclass(frozen=True, slots=True)
class BrandFinding:
    """One thing wrong with a text. `block` keeps it from being scheduled, `warn` asks for a look; `excerpt` is the
    text's own words, empty where something is missing."""

    rule: Rule
    severity: Severity
    excerpt: str
    reason: str


def check_brand(text: str, rules: BrandRules, *, sources: Iterable[str] | None = None) -> list[BrandFinding]:
    """What the brand's rules and the law of advertising have against a text, in order of the rules.

    Case, accents, invisible characters and marks between the letters (`ch.e-a_p`) hide nothing; a hashtag is
    read as its words (`#CheapDeals`). Words count whole: `cheap` is not in `cheapest`.

    Args:
        sources: brief, price list, site: what prices and percentages may come from. None leaves figures alone, as for
            a text that a person wrote; an empty one allows none.
    """
    folded = _fold(text)
    found = [*_banned(folded, "banned_word", rules.banned_words), *_banned(folded, "banned_claim", rules.banned_claims)]
    found += _risky_claims(folded)
    if sources is not None:
        found += _figures_from_nowhere(folded, [*sources, rules.required_disclaimer or ""])
    if rules.required_disclaimer and _words(rules.required_disclaimer) not in _words(text):
        reason = f'the text must hold: "{rules.required_disclaimer}"'
        found.append(BrandFinding("missing_disclaimer", "block", "", reason))
    return found


def near_duplicates(
    text: str, earlier: Iterable[tuple[Id, str]], *, threshold: float = NEAR_DUPLICATE
) -> list[tuple[Id, float]]:
    """Earlier texts that say nearly the same, with their similarity from `threshold` to 1, the nearest first.

    Compared are the words, without case, accents, marks, links, hashtags and order (rapidfuzz `token_sort_ratio`).
    A post of 19 words with another weekday and price comes to 0.91, its two sentences exchanged or twelve hashtags
    added to 1, the same news told in other words to 0.75, another post to 0.42: the threshold lies between the
    second telling of a post and the second post about a thing.
    """
    words = _plain_words(text[:COMPARED_CHARS])
    if not words:
        return []
    least = threshold * 100
    scores = [
        (post_id, fuzz.token_sort_ratio(words, _plain_words(other[:COMPARED_CHARS]), score_cutoff=least) / 100)
        for post_id, other in earlier
    ]
    return sorted((score for score in scores if score[1] >= threshold), key=lambda score: -score[1])


def same_slot(publish_at: datetime, others: Iterable[tuple[Id, datetime]]) -> list[BrandFinding]:
    """A warning for each other post of the same account that is due within 30 minutes, before or after (aware)."""
    near = [(post_id, at) for post_id, at in others if abs(at - publish_at) <= SAME_SLOT]
    return [BrandFinding("same_slot", "warn", "", _how_near(publish_at, at, post_id)) for post_id, at in near]


@dataclass(frozen=True, slots=True)
class _Folded:
    """A text as it is compared, and for each character of it the place in the original."""

    original: str
    text: str
    places: list[int]

    def excerpt(self, start: int, end: int) -> str:
        after = self.places[end] if end < len(self.places) else len(self.original)
        return self.original[self.places[start] : after].strip()


def _fold(text: str) -> _Folded:
    """Without case, accents (Mn) and invisible characters (Cf: zero width, soft hyphen, direction); single spaces."""
    letters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        for part in unicodedata.normalize("NFKD", character.translate(_SAME)):
            folded = " " if part.isspace() else part.casefold()
            if unicodedata.category(part) in ("Mn", "Me", "Cf") or (folded == " " and letters[-1:] == [" "]):
                continue
            letters.append(folded)
            places.extend([place] * len(folded))
    return _Folded(text, "".join(letters), places)


def _banned(folded: _Folded, rule: Rule, terms: Iterable[str]) -> Iterator[BrandFinding]:
    hashtags = [(tag, _fold(_CAMEL.sub(" ", tag)).text) for tag in _HASHTAG.findall(folded.original)]
    for term in terms:
        pattern = _pattern(term)
        excerpts = [folded.excerpt(*match.span()) for match in pattern.finditer(folded.text)]
        excerpts += [tag for tag, words in hashtags if pattern.search(words) and not pattern.search(_fold(tag).text)]
        for excerpt in dict.fromkeys(excerpts):
            yield BrandFinding(rule, "block", excerpt, f'the brand does not say "{term}"')


@lru_cache(maxsize=4096)
def _pattern(term: str) -> re.Pattern[str]:
    """The term with up to two marks between two letters, and up to three marks or spaces between two words."""
    words = []
    for word in _fold(term).text.split():
        pairs = zip(word, word[1:] + " ", strict=True)
        gap = r"(?:[^\w\s]|_){0,2}"
        words.append("".join(re.escape(a) + (gap if a.isalpha() and b.isalpha() else "") for a, b in pairs))
    return re.compile(r"(?<![^\W_])" + r"[\W_]{1,3}".join(words) + r"(?![^\W_])")


def _risky_claims(folded: _Folded) -> Iterator[BrandFinding]:
    for claim in RISKY_CLAIMS:
        for match in claim.pattern.finditer(folded.text):
            excerpt = folded.excerpt(*match.span())
            # A denial is let through with a look: "not only guaranteed results" is none.
            severity: Severity = "warn" if is_denied(folded.text[: match.start()]) else claim.severity
            yield BrandFinding("risky_claim", severity, excerpt, claim.reason)


def _figures_from_nowhere(folded: _Folded, sources: Iterable[str]) -> Iterator[BrandFinding]:
    known = {(figure.unit, figure.value) for source in sources for figure in figures(_fold(source).text)}
    for figure in figures(folded.text):
        if figure.unit is None or (figure.unit, figure.value) in known or _is_bare_price(figure, known):
            continue
        # "100% South African" is a way of speaking more often than a figure.
        severity: Severity = "warn" if (figure.unit, figure.value) == ("%", 100) else "block"
        what = "percentage" if figure.unit == "%" else "price"
        excerpt = folded.excerpt(figure.start, figure.end)
        yield BrandFinding("figure_without_source", severity, excerpt, f"this {what} is in none of the sources")


def _is_bare_price(figure: Figure, known: set[tuple[str | None, Decimal]]) -> bool:
    """A brief says `price: 1500` without a currency; nobody writes a percentage without its sign."""
    return figure.unit != "%" and (None, figure.value) in known


def _words(text: str) -> str:
    return f" {' '.join(_WORD.findall(_fold(text).text))} "


@lru_cache(maxsize=4096)  # each new post of a client is held against the same earlier ones
def _plain_words(text: str) -> str:
    return _words(_LINK_OR_HASHTAG.sub(" ", text)).strip() or _words(text).strip()


def _how_near(publish_at: datetime, at: datetime, post_id: object) -> str:
    if at == publish_at:
        return f"another post of this account is due at the same time ({post_id})"
    order = "before" if at < publish_at else "after"
    return f"another post of this account is due {in_words(abs(at - publish_at))} {order} ({post_id})"
