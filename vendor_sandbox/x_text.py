"""X: what it makes of a text.

Lives here: the rough weighted length, and the text as the API gives it back (t.co links, HTML entities). Does not live
here: the exact length rules of twitter-text, which a client has to know and the sandbox only approximates.
"""

import hashlib
import html
import re
import unicodedata
from typing import Any

MAX_WEIGHT = 280
_URL_WEIGHT = 23
# A bare domain is a link too; a handful of endings is enough for a sandbox.
_URL = re.compile(
    r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]'’]|(?<![\w@.-])(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|co\.za|za|shop)\b(?:/\S*)?",
    re.IGNORECASE,
)
_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
# A variation selector, a skin tone or a joined emoji is part of the emoji before it.
_ATTACHED = re.compile("[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]|\u200d.")


def weight_of(text: str) -> int:
    """About as X counts: 23 for a link, 2 for an emoji or a wide character, else 1."""
    plain, links = _URL.subn("", unicodedata.normalize("NFC", text))
    plain = _ATTACHED.sub("", plain)
    if plain.isascii():
        return len(plain) + _URL_WEIGHT * links
    heavy = sum(not any(low <= ord(char) <= high for low, high in _LIGHT) for char in plain)
    return len(plain) + heavy + _URL_WEIGHT * links


def shown(text: str, media: list[dict[str, Any]], page: str) -> tuple[str, list[dict[str, Any]]]:
    """The text as the API shows it, and its `entities.urls`: links and attached media stand there as t.co links."""
    urls: list[dict[str, Any]] = []

    def shorten(match: re.Match[str]) -> str:
        link = match.group()
        expanded = link if "://" in link else f"http://{link}"
        urls.append({"url": _short(link), "expanded_url": expanded, "display_url": expanded.partition("://")[2][:26]})
        return _short(link)

    visible = _URL.sub(shorten, html.escape(text, quote=False)) if "." in text else html.escape(text, quote=False)
    for entity in urls:
        entity["expanded_url"] = html.unescape(entity["expanded_url"])
    if media:
        link = _short(page)
        visible = f"{visible} {link}".strip()
        for number, item in enumerate(media, start=1):
            expanded = f"{page}/{item['type']}/{number}"
            entity = {"url": link, "expanded_url": expanded, "display_url": f"pic.x.com/{link[-10:]}"}
            urls.append({**entity, "media_key": item["media_key"]})
    for entity in urls:
        entity["start"] = visible.find(entity["url"])
        entity["end"] = entity["start"] + len(entity["url"])
    return visible, urls


def _short(link: str) -> str:
    return "https://t.co/" + hashlib.sha256(link.encode()).hexdigest()[:10]
