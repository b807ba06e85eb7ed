"""Posts as X shows them, and what their author wrote.

Lives here: reading a post out of an answer, undoing X's changes to its text. Does not live here: which post is looked
for (`x.py`).
Sources: docs.x.com "Data dictionary: Post" and OpenAPI 2.167, which renamed `referenced_tweets`; both names are read.
"""

import html
import re
from datetime import datetime
from typing import Any

from draggonnb_pipelines.domain.publishing import Part, Payload, fingerprint

_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_LEADING_MENTIONS = re.compile(r"^(?:@\w{1,15}\s+)+")


def is_below(post: dict[str, Any], payload: Payload) -> bool:
    """False where X shows that the post answers another one than the payload does."""
    references = dicts(post.get("referenced_posts") or post.get("referenced_tweets"))
    parents = [one.get("id") for one in references if one.get("type") == "replied_to"]
    if payload.part is Part.POST:
        return not parents
    return not parents or payload.parent_id in parents


def texts_of(post: dict[str, Any], part: Part) -> set[str]:
    """What the author may have written: X's changes undone, of a reply also without the mentions that X put first."""
    text = post.get("text")
    if not isinstance(text, str):
        return set()
    entities = post.get("entities")
    for link in dicts(entities.get("urls") if isinstance(entities, dict) else None):
        short, expanded = link.get("url"), link.get("expanded_url")
        if isinstance(short, str) and short and isinstance(expanded, str):
            is_attachment = "media_key" in link or str(link.get("display_url", "")).startswith("pic.")
            text = text.replace(short, "" if is_attachment else html.escape(expanded, quote=False))
    text = html.unescape(text)
    texts = {text} if part is Part.POST else {text, _LEADING_MENTIONS.sub("", text)}
    return {comparable(one) for one in texts}


def comparable(text: str) -> str:
    """The fingerprint without schemes: X adds one to a bare domain."""
    return fingerprint(_SCHEME.sub("", text))


def posts_in(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [post for post in dicts(body.get("data")) if isinstance(post.get("id"), str)]


def dicts(items: Any) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def time_of(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
