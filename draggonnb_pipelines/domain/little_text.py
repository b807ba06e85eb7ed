"""LinkedIn's "little text": the notation of a post's `commentary`, in both directions.

Lives here: what must be escaped, and hashtags. Does not live here: comments (plain text at LinkedIn), mentions in our
own posts (we write none), the call (`resources/linkedin.py`).
Source: Microsoft Learn, LinkedIn "little Text Format" (view li-lms-2026-05).
"""

import re

RESERVED = frozenset("\\|{}@[]()<>#*_~")

_RESERVED_CLASS = r"[\\|{}@\[\]()<>#*_~]"
# A hashtag begins a word and holds a letter: "#1" is a rank, and the # of a URL is part of it.
_HASHTAG = r"(?<![^\s(\[\"'“‘«])#(?P<tag>\w*[^\W\d_]\w*)"
_TO_ESCAPE = re.compile(rf"{_HASHTAG}|{_RESERVED_CLASS}")
_TAG_OR_NAME = r"(?:\\.|[^\\|{}\[\]()])*"
_ELEMENT = re.compile(
    rf"\\(?P<plain>{_RESERVED_CLASS})"
    rf"|\{{hashtag\|\\?(?P<sign>[#＃])\|(?P<tag>{_TAG_OR_NAME})\}}"
    rf"|@\[(?P<name>{_TAG_OR_NAME})\]\([^()]*\)"
)


def escape(text: str) -> str:
    """Plain text as `commentary` wants it. LinkedIn cuts a post silently at the first reserved character that stands
    alone, so every one gets its backslash; a hashtag becomes the template that LinkedIn itself writes, and so stays
    one. `unescape(escape(text)) == text` for every text.
    """
    return _TO_ESCAPE.sub(_escaped, text)


def unescape(little: str) -> str:
    """What people read: escapes undone, hashtags and mentions as words. What is no little text stays as it is."""
    return _ELEMENT.sub(_plain, little)


def _escaped(found: re.Match[str]) -> str:
    tag = found["tag"]
    return "\\" + found[0] if tag is None else f"{{hashtag|\\#|{tag.replace('_', chr(92) + '_')}}}"


def _plain(found: re.Match[str]) -> str:
    if found["plain"] is not None:
        return found["plain"]
    return unescape(found["name"]) if found["tag"] is None else found["sign"] + unescape(found["tag"])
