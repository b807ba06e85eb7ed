"""From the variant that Claude wrote to the draft that a platform takes, without a change of meaning.

Lives here: white space, forbidden characters, where hashtags and the first comment go.
Not here: the limits (`post_limits.py`), what is still wrong afterwards (`post_rules.check_post`). Nothing is ever cut:
a text that is too long stays too long, so that its author is asked for a shorter one.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from draggonnb_pipelines.domain.post_limits import RULES
from draggonnb_pipelines.domain.post_marks import hashtags
from draggonnb_pipelines.domain.post_rules import Draft
from draggonnb_pipelines.domain.publishing import Media, Platform

_LINE_BREAKS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_FORBIDDEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\ufeff\uffff]")
_SPACES_AT_BREAK = re.compile(r"[ \t]*\n[ \t]*")
_FIRST_COMMENT = re.compile(r"^first comment:", re.IGNORECASE | re.MULTILINE)
_NOT_IN_TAG = re.compile(r"\W")


@dataclass(frozen=True, slots=True)
class Variant:
    """What Claude proposes for one platform.

    Args:
        text: may hold hashtags, and the first comment below a line that begins with "First comment:".
        hashtags: to be added, with or without `#`; those that the text holds already are not repeated.
    """

    text: str
    hashtags: tuple[str, ...] = ()
    thread: tuple[str, ...] = ()
    first_comment: str | None = None


def format_post(platform: Platform, variant: Variant, media: tuple[Media, ...] = ()) -> Draft:
    """The draft for `platform`: texts cleaned, comment split off, hashtags on a last line of their own.

    Hashtags within sentences stay; on the last line none is repeated, and none is added beyond the platform's limit.
    """
    text, *comment = _FIRST_COMMENT.split(clean(variant.text), maxsplit=1)
    first_comment = clean(variant.first_comment or "".join(comment))
    limit = next(rule.text.hashtags for rule in RULES if rule.platform is platform)
    return Draft(
        text=_with_hashtags(clean(text), variant.hashtags, limit),
        media=media,
        thread=tuple(part for part in map(clean, variant.thread) if part),
        first_comment=first_comment or None,
    )


def clean(text: str) -> str:
    """NFC, `\\n` as the only line break, at most one empty line in a row, single spaces, no control characters.

    No-break spaces and joiners stay: prices, emoji and some scripts need them.
    """
    text = _LINE_BREAKS.sub("\n", unicodedata.normalize("NFC", text))
    text = _SPACES_AT_BREAK.sub("\n", _FORBIDDEN.sub("", text))
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+", " ", text)).strip(" \n\t")


def _with_hashtags(text: str, added: Iterable[str], limit: int | None) -> str:
    body, last_line = _without_last_tags(text)
    seen = {tag.casefold() for tag in hashtags(body)}
    room = None if limit is None else max(limit - len(hashtags(body)), 0)
    tags: list[str] = []
    for tag in [*last_line, *(_tag(word) for word in added)]:
        if tag and tag.casefold() not in seen and (room is None or len(tags) < room):
            seen.add(tag.casefold())
            tags.append(tag)
    return "\n\n".join(part for part in (body, " ".join(f"#{tag}" for tag in tags)) if part)


def _without_last_tags(text: str) -> tuple[str, list[str]]:
    """The text, and the tags of its last line if that holds nothing else."""
    body, _, last = text.rpartition("\n")
    tags = hashtags(last)
    if not tags or len(tags) != len(last.split()) or not all(word[0] in "#＃" for word in last.split()):
        return text, []
    return body.rstrip(), tags


def _tag(word: str) -> str:
    """`Cape Town`, `#CapeTown` → `CapeTown`; nothing for what is no hashtag (`#1`)."""
    found = hashtags("#" + _NOT_IN_TAG.sub("", clean(word)))
    return found[0] if found else ""
