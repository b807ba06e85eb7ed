"""Where X sees a web address in a text: each one costs 23 characters, and a post that holds one costs more money.

Lives here: X's own idea of a URL, with a scheme or as a bare domain, ported from its reference implementation.
Not here: the length of a post (`x_length.py`), addresses that people type into forms (`contact_details.py`).
Source: twitter-text 3.1.0, `extractUrlsWithIndices` and the patterns that it is made of (Apache-2.0).
"""

import re
from functools import cache
from typing import NamedTuple

from tld.utils import get_tld_names

MAX_URL = 4096
MAX_LABEL = 63
MAX_TCO_SLUG = 40

_INVALID = r"\uFFFE\uFEFF\uFFFF"
_DIRECTIONAL = r"\u202A-\u202E\u061C\u200E\u200F\u2066-\u2069"
_SPACES = r"\x09-\x0D\x20\x85\xA0\u1680\u180E\u2000-\u200A\u2028\u2029\u202F\u205F\u3000"
# A character of a label, without `-` and `_`.
_LABEL = rf"^!'#%&()*+,\\\-./:;<=>?@\[\]\^_{{|}}~${_SPACES}{_INVALID}{_DIRECTIONAL}"
_LATIN = (
    r"\xC0-\xD6\xD8-\xF6\xF8-\xFF\u0100-\u024F\u0253\u0254\u0256\u0257\u0259\u025B\u0263\u0268\u026F\u0272\u0289"
    r"\u028B\u02BB\u0300-\u036F\u1E00-\u1EFF"
)
_CYRILLIC = r"\u0400-\u04FF"
_PATH = rf"[a-z{_CYRILLIC}0-9!*';:=+,.$/%#\[\]\-\u2013_~@|&{_LATIN}]"
_PARENTHESES = rf"\((?:{_PATH}+|{_PATH}*\({_PATH}+\){_PATH}*)\)"
_PATH_END = rf"(?:[+\-a-z{_CYRILLIC}0-9=_#/{_LATIN}]|{_PARENTHESES})"
_PATH_PART = rf"(?:{_PATH}*(?:{_PARENTHESES}{_PATH}*)*{_PATH_END}|@{_PATH}+/)"
_QUERY = r"\?[a-z0-9!?*'@();:&=+$/%#\[\]\-_.,~|]*[a-z0-9\-_&=#/]"
# Possessive: a label can only end at its dot, so there is nothing to try again, however long the text without one is.
_LABELS = rf"(?:[{_LABEL}](?:[{_LABEL}]|[_-])*+(?<![_-])\.)++"
_START = re.compile(
    rf"(?P<before>[^a-z0-9@＠$#＃{_INVALID}]|[{_DIRECTIONAL}]|\A)(?P<scheme>https?://)?(?P<labels>{_LABELS})",
    re.IGNORECASE,
)
_REST = re.compile(rf"(?::[0-9]+)?(?P<path>/{_PATH_PART}*)?(?:{_QUERY})?", re.IGNORECASE)
_ENCODED_TOP = re.compile(r"xn--[\-0-9a-z]+", re.IGNORECASE)
_NO_TOP_BEFORE = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ@+-")
_ASCII_LABELS = re.compile(rf"(?:[\-a-z0-9{_LATIN}]+\.)+", re.IGNORECASE)
_TCO = re.compile(rf"https?://t\.co/(?P<slug>[a-z0-9]+)(?:{_QUERY})?", re.IGNORECASE)


class Span(NamedTuple):
    """`text[start:end]`, in code points."""

    start: int
    end: int


def find_urls(text: str) -> list[Span]:
    """The URLs that X will replace by `t.co` links, in order. `text` in NFC, as X normalizes it.

    A bare domain counts if its last label is a top-level domain (the Public Suffix List's, as of the release of
    `tld`); of a domain in mixed scripts only the ASCII part does, and its query only if there is a path.
    """
    spans: list[Span] = []
    position = 0
    while "." in text and (found := _START.search(text, position)):
        end_of_domain = _end_of_domain(text, *found.span("labels"))
        if end_of_domain is None:
            # Nor is there one for a start further on: the same dots follow it. The last dot may stand before a scheme.
            position = found.end() - 1
            continue
        rest = _REST.match(text, end_of_domain)
        position = rest.end() if rest else end_of_domain
        domain = Span(found.start("labels"), end_of_domain)
        ascii_domains = _ascii_domains(text, domain)
        length = position - found.end("before")
        if not _is_valid(text[domain.start : domain.end], ascii_domains, length, found["scheme"]):
            continue
        if found["scheme"]:
            spans.extend(_with_scheme(text, Span(found.start("scheme"), position)))
        elif not found["before"].endswith(("-", "_", ".", "/")):
            spans.extend(_bare(ascii_domains, position - domain.end, has_path=bool(rest and rest["path"])))
    return spans


def _end_of_domain(text: str, start: int, end: int) -> int | None:
    """Where the longest domain ends whose labels begin at `start`; its top-level domain may lie at or before `end`."""
    dot = end - 1
    while dot > start:
        before = text.rfind(".", start, dot) + 1 or start
        # A host's own name has no underscore; the names before it may.
        if "_" not in text[before:dot] and (top := _end_of_top_level(text, dot + 1)):
            return top
        dot = before - 1
    return None


def _end_of_top_level(text: str, start: int) -> int | None:
    names, lengths = _top_level()
    for length in lengths:
        end = start + length
        if text[start:end].lower() in names and end <= len(text) and text[end : end + 1] not in _NO_TOP_BEFORE:
            return end
    encoded = _ENCODED_TOP.match(text, start)
    return encoded.end() if encoded else None


def _with_scheme(text: str, url: Span) -> list[Span]:
    """A `t.co` link ends after its slug; one with a slug that is too long is none at all."""
    short = _TCO.match(text, url.start, url.end)
    if short is None:
        return [url]
    return [Span(url.start, short.end())] if len(short["slug"]) <= MAX_TCO_SLUG else []


def _bare(ascii_domains: list[Span], after_domain: int, *, has_path: bool) -> list[Span]:
    """The last of the ASCII domains takes the path."""
    if not (ascii_domains and has_path):
        return ascii_domains
    *others, last = ascii_domains
    return [*others, Span(last.start, last.end + after_domain)]


def _ascii_domains(text: str, domain: Span) -> list[Span]:
    spans: list[Span] = []
    position = domain.start
    while found := _ASCII_LABELS.search(text, position, domain.end):
        top = _end_of_domain(text[: domain.end], *found.span())
        if top is not None:
            spans.append(Span(found.start(), top))
        position = top or found.end()
    return spans


def _is_valid(domain: str, ascii_domains: list[Span], length: int, scheme: str | None) -> bool:
    if domain.startswith("xn--") and not ascii_domains:
        return False
    if any(not 0 < _encoded_length(label) <= MAX_LABEL for label in domain.split(".")):
        return False
    return len(scheme or "https://") + length <= MAX_URL


def _encoded_length(label: str) -> int:
    """How long the label is on the wire (RFC 3492)."""
    return len(label) if label.isascii() else len("xn--") + len(label.encode("punycode"))


@cache
def _top_level() -> tuple[frozenset[str], tuple[int, ...]]:
    """All top-level domains, and their lengths from the longest; read at the first use, which takes 50 ms."""
    names = frozenset(label for trie in get_tld_names().values() for label in trie.root.children or () if label)
    return names, tuple(sorted({len(name) for name in names}, reverse=True))
