"""Is a claim's quote really in what we stored? A claim without such a quote is marked as not verified.

Lives here: the comparison of a quote with stored texts. Does not live here: fetching and storing of the texts, and
what is done with an unsupported claim.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal
from urllib.parse import urlsplit

MIN_QUOTE_CHARACTERS = 12
MIN_QUOTE_WORDS = 3

Reason = Literal["found", "found_at_other_url", "too_short", "not_in_sources", "unknown_source"]

_SAME = {ord(mark): '"' for mark in "“”„‟«»″〝〞"}
_SAME |= {ord(mark): "'" for mark in "‘’‚‛′`´‹›"}
_SAME |= {ord(mark): "-" for mark in "‐‑‒–—―−⁃﹘﹣-"}
_SAME |= {ord(mark): None for mark in "\u00ad\u200b\u200c\u200d\u2060\ufeff"}
_EDGES = " \t\n\"'"


@dataclass(frozen=True)
class Source:
    """A stored text: what one URL said at one time. `sha256` is of the text as stored."""

    url: str
    sha256: str
    text: str
    fetched_at: datetime

    @cached_property
    def normalized(self) -> str:
        return normalize(self.text)


@dataclass(frozen=True, slots=True)
class Support:
    """Whether a quote stands in a source, and in which. `url` is the true one, even where the claim named another."""

    supported: bool
    url: str | None
    sha256: str | None
    fetched_at: datetime | None
    reason: Reason


def check_quote(quote: str, url: str | None, sources: Sequence[Source]) -> Support:
    """Look for the quote, word for word, in the source it names, then in the other sources.

    Spelling must agree; typography (quotation marks, dashes, spaces, case, Unicode form) need not. A quote shorter
    than 12 characters or 3 words proves nothing, since it stands in any text.
    """
    wanted = _trimmed(quote)
    if len(wanted) < MIN_QUOTE_CHARACTERS or len(wanted.split()) < MIN_QUOTE_WORDS:
        return Support(False, None, None, None, "too_short")
    pattern = re.compile(_boundary(wanted[0], "(?<!\\w)") + re.escape(wanted) + _boundary(wanted[-1], "(?!\\w)"))
    named = [source for source in sources if url and same_page(source.url, url)]
    others = [source for source in sources if source not in named]
    for source in (*named, *others):
        if pattern.search(source.normalized):
            reason: Reason = "found" if source in named else "found_at_other_url"
            return Support(True, source.url, source.sha256, source.fetched_at, reason)
    return Support(False, None, None, None, "not_in_sources" if named else "unknown_source")


def normalize(text: str) -> str:
    """The text without typography: NFKC, one kind of quote and dash, single spaces, folded case, no soft hyphens."""
    plain = unicodedata.normalize("NFKC", text.translate(_SAME)).translate(_SAME)
    return " ".join(plain.casefold().split())


def same_page(one: str, other: str) -> bool:
    """True if two URLs name one page: http or https, fragment and a last slash make no difference."""
    return _page_key(one) == _page_key(other)


def _trimmed(quote: str) -> str:
    """The quote without the marks that a writer puts around it: quotation marks and a cut sign at either end."""
    text = normalize(quote)
    before = None
    while before != text:
        before = text
        text = text.strip(_EDGES).removeprefix("...").removesuffix("...")
    return text


def _boundary(edge: str, pattern: str) -> str:
    return pattern if edge.isalnum() else ""


def _page_key(url: str) -> tuple[str, str, str]:
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "") + (f":{parts.port}" if parts.port not in (None, 80, 443) else "")
    except ValueError:
        return ("", url.strip(), "")
    return (host, parts.path.rstrip("/"), parts.query)
