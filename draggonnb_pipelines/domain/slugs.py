"""From a company's name to the slug of its organization.

Lives here: the choice of a slug that is free. Not here: what a slug must look like and which are reserved
(`organizations.py`), which are taken (the caller knows; only a unique row in master decides).
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from itertools import count

from anyascii import anyascii

from draggonnb_pipelines.domain.organizations import AGENCY_SLUG, check_slug

MAX_CHARS = 40
_FALLBACK = "client"
_NAME_CHARS = 500
# How companies write their form behind the name: in English, in Afrikaans, and as it comes from abroad.
# fmt: off
_LEGAL_FORMS = frozenset({
    "pty", "ltd", "limited", "proprietary", "inc", "incorporated", "cc", "npc", "npo", "rf", "soc",
    "edms", "bpk", "beperk", "bk", "llc", "llp", "plc", "gmbh", "bv",
})
# fmt: on
_INITIAL = re.compile(r"\b([a-z])\.(?=[a-z]\b)")
_WORD = re.compile(r"[a-z0-9]+")


def free_slug(name: str, taken: Collection[str]) -> str:
    """A valid slug for a company of this name, in any script: "Example Business (Pty) Ltd" -> "example-business".

    A slug that is taken, reserved or the agency's own gets -2, -3 and so on. The same name and the same `taken` give
    the same slug.

    Args:
        taken: all slugs that are in use or ever were: repositories, hosts and databases bear them.
    """
    used = {AGENCY_SLUG, *taken}
    words = _words(name)
    return next(slug for slug in _candidates(words) if slug not in used and _is_valid(slug))


def _words(name: str) -> list[str]:
    """The name in plain letters and digits, without its legal form; at least one word, and two characters in all."""
    plain = anyascii(unicodedata.normalize("NFKC", name[:_NAME_CHARS])).lower()
    words = _WORD.findall(_INITIAL.sub(r"\1", plain.replace("'", "")))
    while len(words) > 1 and words[-1] in _LEGAL_FORMS:
        words.pop()
    return words if len("".join(words)) > 1 else [*words, _FALLBACK]


def _candidates(words: list[str]) -> Iterator[str]:
    yield _joined(words, MAX_CHARS)
    for number in count(2):
        suffix = f"-{number}"
        yield _joined(words, MAX_CHARS - len(suffix)) + suffix


def _joined(words: list[str], max_chars: int) -> str:
    """As many whole words as fit; of a first one that does not fit, its beginning."""
    slug = words[0][:max_chars]
    for word in words[1:]:
        if len(slug) + 1 + len(word) > max_chars:
            break
        slug = f"{slug}-{word}"
    return slug


def _is_valid(slug: str) -> bool:
    try:
        check_slug(slug)
    except ValueError:
        return False
    return True
