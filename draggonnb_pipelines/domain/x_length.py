"""How long a text is for X, where characters weigh 1 or 2, an emoji 2 and a web address 23.

Lives here: the weighted length (configuration 3, in force since 2018), whether X takes the text, and how much of it.
Not here: what counts as a URL (`x_urls.py`), the other rules of a post (`post_rules.py`).
Source: twitter-text 3.1.0 `parseTweet`; https://docs.x.com/fundamentals/counting-characters.
"""

import re
import unicodedata
from typing import NamedTuple

import regex

from draggonnb_pipelines.domain.x_urls import find_urls

MAX_LENGTH = 280
URL_LENGTH = 23
EMOJI_LENGTH = 2

_HEAVY = re.compile("[^\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]")
_INVALID = re.compile("[\ufffe\ufeff\uffff]")
# Only sequences of several code points need to be found: an emoji of one code point weighs 2 as it is.
_EMOJI_START = re.compile("[\u200d\ufe0f\u20e3\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff\U000e007f]")
# Above U+FFFF, what is coloured by itself takes no U+FE0F.
_COLOURED = r"[\p{Emoji}--[0-9#*]--[\p{Emoji_Presentation}&&[\U00010000-\U0010FFFF]]]"
_ELEMENT = rf"(?:\p{{Emoji_Modifier_Base}}\p{{Emoji_Modifier}}|{_COLOURED}\uFE0F)"
# A character that is text by default joins a sequence only with its U+FE0F: without, X counts the parts.
_MEMBER = rf"(?:{_ELEMENT}|[\p{{Emoji_Presentation}}--\p{{Emoji_Modifier}}])"
_EMOJI = regex.compile(
    rf"(?V1)[0-9#*]\uFE0F?\u20E3|\p{{Regional_Indicator}}{{2}}"
    rf"|\U0001F3F4[\U000E0030-\U000E0039\U000E0061-\U000E007A]{{3,6}}\U000E007F"
    rf"|{_MEMBER}(?:\u200D{_MEMBER})+|{_ELEMENT}"
)


class _Weighted(NamedTuple):
    """`text[start:end]` counts `weight`, whatever is in it."""

    start: int
    end: int
    weight: int


def weighted_length(text: str) -> int:
    """X's length of `text`: at most 280 may be posted."""
    text = unicodedata.normalize("NFC", text)
    length, position = 0, 0
    for span in _spans(text):
        length += _plain_length(text[position : span.start]) + span.weight
        position = span.end
    return length + _plain_length(text[position:])


def x_fault(text: str) -> str | None:
    """Why X would refuse `text`, or None if it takes it."""
    if (character := invalid_character(text)) is not None:
        return f"holds U+{ord(character):04X}, which X refuses"
    length = weighted_length(text)
    if length == 0:
        return "is empty"
    return f"{length} of at most {MAX_LENGTH} (weighted)" if length > MAX_LENGTH else None


def invalid_character(text: str) -> str | None:
    """The first character that X takes in no post (byte order marks and non-characters)."""
    found = _INVALID.search(text)
    return found[0] if found else None


def valid_range_end(text: str) -> int:
    """The index of the last UTF-16 unit that still fits into a post, as twitter-text's `validRangeEnd` says it.

    0 if nothing fits. URLs and emoji stay whole: the text up to and with this unit is what could be posted.
    """
    normal = unicodedata.normalize("NFC", text)
    shrunk = _utf16_units(text) - _utf16_units(normal)
    end, units, length, position = 0, 0, 0, 0
    spans = iter([*_spans(normal), _Weighted(len(normal), len(normal), 0)])
    span = next(spans)
    while position < len(normal):
        at_span = position == span.start
        piece = normal[position : span.end] if at_span else normal[position]
        length += span.weight if at_span else _plain_length(piece)
        units += _utf16_units(piece)
        position += len(piece)
        span = next(spans) if at_span else span
        if length > MAX_LENGTH or _INVALID.search(piece):
            break
        end = units - 1
    return end + shrunk


def _spans(text: str) -> list[_Weighted]:
    """URLs and emoji sequences in order; what begins inside another one is part of it."""
    found = [_Weighted(url.start, url.end, URL_LENGTH) for url in find_urls(text)]
    if _EMOJI_START.search(text):
        found.extend(_Weighted(*emoji.span(), EMOJI_LENGTH) for emoji in _EMOJI.finditer(text))
    spans: list[_Weighted] = []
    for span in sorted(found):
        if not spans or span.start >= spans[-1].end:
            spans.append(span)
    return spans


def _plain_length(text: str) -> int:
    return len(text) if text.isascii() else len(text) + len(_HEAVY.findall(text))


def _utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
