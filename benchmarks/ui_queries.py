"""What the pages of Dagster's UI ask its web server: the very queries of the release that is installed.

Lives here: taking a query, with the fragments that it names, out of the UI's own files. Not here: who asks.
"""

import re
from functools import cache
from pathlib import Path

import dagster_webserver

_HEAD = re.compile(r"\b(?:query|mutation|fragment) ([A-Z]\w+)(?=\s*[({]|\\n| on )")
_SPREAD = re.compile(r"\.\.\.\s*(?!on\b)(\w+)")
_CHUNKS = Path(dagster_webserver.__file__).parent / "webapp" / "build" / "_next" / "static" / "chunks"
_LONGEST = 30_000


def ui_query(name: str) -> str:
    """The query and all its fragments. KeyError where this release has none of that name."""
    wanted, found = [name], dict[str, str]()
    while wanted:
        part = wanted.pop()
        if part not in found:
            found[part] = _definitions()[part]
            wanted += _SPREAD.findall(found[part])
    return "\n".join(found.values())


@cache
def _definitions() -> dict[str, str]:
    definitions: dict[str, str] = {}
    for file in sorted(_CHUNKS.rglob("*.js")):
        text = file.read_text(errors="replace")
        for head in _HEAD.finditer(text):
            if head[1] not in definitions and (body := _up_to_its_brace(text[head.start() : head.start() + _LONGEST])):
                definitions[head[1]] = body.replace("\\n", "\n")
    return definitions


def _up_to_its_brace(text: str) -> str | None:
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "{") - (letter == "}")
        if letter == "}" and depth == 0:
            return text[: place + 1]
    return None
