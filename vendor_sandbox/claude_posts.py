"""What the stand-in for Claude writes when it is asked for posts: one variant per platform, in the client's words.

The same request gives the same posts; another request, and the question that names faults, gives others. The words are
the brief's own between an opening and a closing line, so that nothing is claimed that the brief does not say.
"""

import re
from typing import Any

from vendor_sandbox.claude_brief import Brief
from vendor_sandbox.site_catalog import pick

PLATFORMS = frozenset({"facebook", "instagram", "linkedin", "x"})
# How much of the brief each one carries, in characters; X counts links and emoji otherwise, so there is room left.
_BRIEF_CHARS = {"facebook": 600, "instagram": 400, "linkedin": 900, "x": 150}
_HASHTAGS = {"facebook": 2, "instagram": 5, "linkedin": 3, "x": 1}
_OPENINGS = {
    "plain": ("News from {us}.", "A word from {us}.", "From the counter of {us}.", "This week at {us}."),
    "warm": ("Hello from {us}!", "We have been looking forward to this.", "Good to see you here.", "Come closer.",
             "Lovely people of {us}, this one is for you."),
    "formal": ("{us} is pleased to share the following.", "An announcement from {us}.", "{us} informs its customers.",
               "For the attention of our clients.", "A note from {us}."),
}  # fmt: skip
_CLOSINGS = (
    "Questions? Send us a message and a person answers.",
    "Tell us what you think in a reply.",
    "Come by, or write to us first.",
    "Save this for later, and ask us when you are ready.",
    "Pass it on to somebody who can use it.",
    "We are here on weekdays, and happy to explain.",
)
_MIDDLES = (
    "We keep it simple: you ask, we show you, you decide.",
    "It is the kind of work that we do every day, and we like doing it well.",
    "If you wonder whether it suits you, ask; we say so when it does not.",
    "You will find the same people here as always.",
    "We wrote it down so that you need not ask around.",
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def is_asked_for(names: set[str]) -> bool:
    """Whether the schema of a request wants posts."""
    return bool(names & PLATFORMS) and names <= PLATFORMS | {"title"}


def write_posts(brief: Brief, names: set[str], *, too_long: bool) -> dict[str, Any]:
    """A title and each platform's variant. With `too_long` the one for X breaks its limit."""
    request, brand = brief.request, brief.brand
    us = str(request.get("organization") or "our company")
    words = " ".join(str(request.get("brief") or "Something new.").split())
    if brief.faults:
        words = _without(words, brand.get("banned_words") or [])
    posts = {name: _variant(brief, name, us, words) for name in sorted(names & PLATFORMS)}
    if too_long and "x" in posts:
        posts["x"]["text"] = " ".join([posts["x"]["text"], *_MIDDLES, *_CLOSINGS])
    return {"title": _cut(_SENTENCE_END.split(words)[0].rstrip(".!?"), 80), **posts}


def _variant(brief: Brief, platform: str, us: str, words: str) -> dict[str, Any]:
    brand = brief.brand
    voice = str(brand.get("voice") or "").lower()
    tone = "formal" if "formal" in voice else "warm" if re.search("warm|friendly|cheerful", voice) else "plain"
    opening = _chosen(brief, f"{platform} opening", _OPENINGS[tone]).format(us=us)
    closing = _chosen(brief, f"{platform} closing", _CLOSINGS)
    middle = "" if platform == "x" else _chosen(brief, f"{platform} middle", _MIDDLES)
    said = _cut(words, _BRIEF_CHARS[platform])
    said = said if said[-1:] in ".!?…" else f"{said}."
    paragraphs = [opening if len(opening) < 60 or platform != "x" else "", said, middle, closing]
    if disclaimer := brand.get("required_disclaimer"):
        paragraphs.append(str(disclaimer))
    breaks = " " if platform == "x" else "\n\n"
    hashtags = [str(tag) for tag in brand.get("hashtags") or []]
    if brief.is_sector_known:
        hashtags.append("#" + re.sub(r"\W", "", brief.sector.key.title()))
    text = breaks.join(part for part in paragraphs if part)
    variant: dict[str, Any] = {"text": text, "hashtags": hashtags[: _HASHTAGS[platform]]}
    return variant | ({"thread": []} if platform == "x" else {"first_comment": ""})


def _chosen(brief: Brief, what: str, lines: tuple[str, ...]) -> str:
    return lines[pick(f"{brief.seed} {what}", len(lines))]


def _cut(text: str, chars: int) -> str:
    """Whole words, and a sign that there was more."""
    return text if len(text) <= chars else text[:chars].rsplit(" ", 1)[0].rstrip(",;:") + "…"


def _without(text: str, terms: list[Any]) -> str:
    for term in terms:
        text = re.sub(rf"\b{re.escape(str(term))}\b\s*", "", text, flags=re.IGNORECASE)
    return text.strip() or "Something new."
