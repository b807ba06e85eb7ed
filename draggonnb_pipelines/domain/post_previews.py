"""A picture of a post as its platform would show it, for the operator's eyes.

Lives here: drawing it as SVG inside Markdown, from the frozen payload alone. Not here: which posts are shown. The
media themselves are not loaded: their addresses are signed and expire; a box says what there is.
"""

import base64
import html
import itertools
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from draggonnb_pipelines.domain.reports import markdown_link, markdown_text

WIDTH = 420
_LINE_HEIGHT = 20
_CHARS_A_LINE = 52
_MAX_LINES = 14
_MEDIA_HEIGHT = 120
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COLOURS = {"facebook": "#1877f2", "instagram": "#c13584", "linkedin": "#0a66c2", "x": "#0f1419"}
_NAMES = {"facebook": "Facebook", "instagram": "Instagram", "linkedin": "LinkedIn", "x": "X"}


def preview_markdown(row: Mapping[str, Any]) -> str:
    """An image of one post, linked to the post itself where it has an address.

    Args:
        row: of the ledger: platform_id, account, payload {text, media}, published_at or publish_at, platform_url.
    """
    picture = base64.b64encode(preview_svg(row).encode()).decode()
    words = f"{_NAMES[row['platform_id']]}: {row['payload']['text'][:80]}"
    image = f"![{markdown_text(words)}](data:image/svg+xml;base64,{picture})"
    return markdown_link(image, row.get("platform_url"))


def preview_svg(row: Mapping[str, Any]) -> str:
    """The card: network, account, time, words, and a box for the media with their alternative text."""
    platform, payload = row["platform_id"], row["payload"]
    lines = _lines(payload["text"])
    media = payload.get("media") or []
    media_first = platform == "instagram"
    words_top = 78 + (_MEDIA_HEIGHT + 12 if media and media_first else 0)
    media_top = 66 if media_first else words_top + len(lines) * _LINE_HEIGHT
    height = words_top + len(lines) * _LINE_HEIGHT + (_MEDIA_HEIGHT + 12 if media and not media_first else 0) + 8
    at = row.get("published_at") or row["publish_at"]
    colour = _COLOURS[platform]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui,Segoe UI,Roboto,sans-serif">',
        f'<rect x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="10" fill="#fff" stroke="#d5d9de"/>',
        f'<circle cx="34" cy="34" r="18" fill="{colour}"/>',
        f'<text x="34" y="40" font-size="17" font-weight="700" fill="#fff" text-anchor="middle">'
        f"{_NAMES[platform][0]}</text>",
        f'<text x="62" y="31" font-size="15" font-weight="600" fill="#111">{_escaped(row["account"], 36)}</text>',
        f'<text x="62" y="49" font-size="12" fill="#60676f">{_NAMES[platform]} · {at:%Y-%m-%d %H:%M} UTC</text>',
        *(
            f'<text x="16" y="{words_top + number * _LINE_HEIGHT}" font-size="14" fill="#111">'
            f"{html.escape(line)}</text>"
            for number, line in enumerate(lines)
        ),
    ]
    if media:
        parts.append(_media_box(media, media_top))
    return "".join(parts) + "</svg>"


def _media_box(media: list[Mapping[str, Any]], top: int) -> str:
    what = f"{len(media)} files" if len(media) > 1 else media[0].get("content_type") or "a file"
    alt = media[0].get("alt") or media[0].get("path") or ""
    middle = top + _MEDIA_HEIGHT // 2
    return (
        f'<rect x="16" y="{top}" width="{WIDTH - 32}" height="{_MEDIA_HEIGHT}" rx="8" fill="#e9edf1"/>'
        f'<text x="{WIDTH // 2}" y="{middle - 4}" font-size="13" fill="#3b434b" text-anchor="middle">'
        f"{_escaped(what, 40)}</text>"
        f'<text x="{WIDTH // 2}" y="{middle + 16}" font-size="12" fill="#60676f" text-anchor="middle">'
        f"{_escaped(alt, 52)}</text>"
    )


def _lines(text: str) -> list[str]:
    lines = [line for part in _drawable(text).splitlines() for line in _wrapped(part)]
    return lines if len(lines) <= _MAX_LINES else [*lines[: _MAX_LINES - 1], "…"]


def _wrapped(part: str) -> list[str]:
    """Lines that fit into the card, by the room that their characters need; a word without end is cut."""
    lines = [""]
    for word in part.split():
        line = f"{lines[-1]} {word}".strip()
        if _room(line) <= _CHARS_A_LINE:
            lines[-1] = line
            continue
        rest, lines = word, lines if lines[-1] else []
        while rest:
            fitting = _fitting(rest, _CHARS_A_LINE)
            lines.append(rest[:fitting])
            rest = rest[fitting:]
    return lines


def _escaped(text: str, max_chars: int) -> str:
    text = " ".join(_drawable(text).split())
    return html.escape(text if _room(text) <= max_chars else text[: _fitting(text, max_chars - 1)] + "…")


def _drawable(text: str) -> str:
    """Without what XML does not allow: one such character, and no picture is shown at all."""
    return _NOT_XML.sub("", text)


def _fitting(text: str, chars: int) -> int:
    """How many characters of a text fit where so many usual ones do; one at least."""
    rooms = itertools.accumulate(map(_room_of, text))
    return max(sum(room <= chars for room in rooms), 1)


def _room(text: str) -> float:
    """Of Latin small letters, as many as need the same room; nobody here knows the fonts of the browser."""
    return sum(map(_room_of, text))


def _room_of(char: str) -> float:
    if char in "MW@%" or unicodedata.east_asian_width(char) in "WF":
        return 2.0
    return 1.4 if char.isupper() or char in "mw" else 1.0
