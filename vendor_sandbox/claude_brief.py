"""What the stand-in for Claude reads in a request: the fenced sources, the lead, the analysis, the plans; or
the request for posts, the brand's rules and the faults of an earlier draft; or a new client and its checklist.

Also whether instructions stand outside every fence: those a real model might follow, those inside it must not.
"""

import functools
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from vendor_sandbox.claude_requests import text_of
from vendor_sandbox.site_catalog import TOWNS, Sector, pick, sector_of, sectors

_SOURCE = re.compile(r'<source\b[^>]*?url="([^"]*)"[^>]*>\n?(.*?)\n?</source>', re.DOTALL)
_FENCES = (
    *("lead", "competitors", "analysis", "plans", "request", "brand", "template", "draft", "faults"),
    *("client", "checklist"),
)
_INJECTION = re.compile(
    r"(?i)\b(ignore|disregard|forget)\b[^.\n]{0,40}\b(previous|prior|above|earlier|all|your)\b[^.\n]{0,20}\binstructions?\b"
)
_SENTENCE = re.compile(r"[^.!?\n]+(?:\.\d[^.!?\n]*)*[.!?]")
QUOTE_CHARS = (30, 260)


@dataclass(frozen=True)
class Sentence:
    """A sentence exactly as it stands in a source."""

    text: str
    url: str


@dataclass
class Brief:
    """Everything that an answer is made from."""

    seed: str
    lead: dict[str, Any]
    analysis: Any
    plans: list[dict[str, Any]]
    sentences: list[Sentence]
    sector: Sector
    is_sector_known: bool
    town: str | None
    host: str
    is_injected: bool
    own_text: str = field(repr=False)
    request: dict[str, Any] = field(default_factory=dict)
    brand: dict[str, Any] = field(default_factory=dict)
    faults: list[Any] = field(default_factory=list)
    client: dict[str, Any] = field(default_factory=dict)
    checklist: list[Any] = field(default_factory=list)

    @property
    def company(self) -> str:
        for name in ("company", "company_name", "organisation", "organization", "business"):
            if isinstance(value := self.lead.get(name), str) and value.strip():
                return value.strip()
        if self.host:
            return self.host.split(".")[0].replace("-", " ").title()
        return "the company"

    @property
    def message(self) -> str:
        """What the lead wrote, as one line that ends like a sentence."""
        for name in ("message", "enquiry", "comments", "notes"):
            if isinstance(value := self.lead.get(name), str) and value.strip():
                line = " ".join(value.split())
                return line if line[-1] in ".!?" else line + "."
        return ""


def read_brief(body: dict[str, Any]) -> Brief:
    """Read the user turns of a request."""
    text = "\n".join(text_of(turn.get("content")) for turn in body["messages"] if turn["role"] == "user")
    return _read(text)


@functools.lru_cache(maxsize=512)
def _read(text: str) -> Brief:
    pages = _SOURCE.findall(text)
    own_text = "\n".join(page for _, page in pages)
    lead = _block(text, "lead")
    lead = lead if isinstance(lead, dict) else {}
    host = _host(str(lead.get("website") or "")) or (_host(pages[0][0]) if pages else "")
    request, brand, faults = (_block(text, name) for name in ("request", "brand", "faults"))
    client, checklist = _block(text, "client"), _block(text, "checklist")
    words = f"{own_text}\n{json.dumps([lead, request, client or {}], ensure_ascii=False)}\n{host.replace('-', ' ')}"
    found = sector_of(words)
    fallback = list(sectors().values())[pick(host or text, len(sectors()))]
    plans = _block(text, "plans")
    return Brief(
        seed=str(pick(text, 2**31)),
        lead=lead,
        analysis=_block(text, "analysis") or {},
        plans=[plan for plan in plans if isinstance(plan, dict)] if isinstance(plans, list) else [],
        sentences=[sentence for url, page in pages for sentence in _sentences(url, page)],
        sector=found or fallback,
        is_sector_known=found is not None,
        town=_town(words),
        host=host,
        is_injected=bool(_INJECTION.search(_outside_fences(text))),
        own_text=own_text,
        request=request if isinstance(request, dict) else {},
        brand=brand if isinstance(brand, dict) else {},
        faults=faults if isinstance(faults, list) else [],
        client=client if isinstance(client, dict) else {},
        checklist=checklist if isinstance(checklist, list) else [],
    )


def _town(words: str) -> str | None:
    """The town that the company says it is in; else the first one that is mentioned."""
    mentioned = {town: words.index(town) for town in TOWNS if town in words}
    located = {town: words.index(f"in {town}") for town in mentioned if f"in {town}" in words}
    return min(located or mentioned, key=(located or mentioned).__getitem__, default=None)


def _block(text: str, name: str) -> Any:
    match = re.search(rf"<{name}\b[^>]*>\s*(.*?)\s*</{name}>", text, re.DOTALL)
    if not match:
        return None
    try:
        return json.loads(match[1].replace("‹", "<").replace("›", ">"))
    except ValueError:
        return None


def _outside_fences(text: str) -> str:
    rest = _SOURCE.sub(" ", text)
    for name in _FENCES:
        rest = re.sub(rf"<{name}\b[^>]*>.*?</{name}>", " ", rest, flags=re.DOTALL)
    return rest


def _sentences(url: str, page: str) -> list[Sentence]:
    """Quotable sentences: not too short, not too long, and no instructions."""
    found = []
    for match in _SENTENCE.finditer(page):
        text = match[0].strip().lstrip("-•* ").strip()
        if QUOTE_CHARS[0] <= len(text) <= QUOTE_CHARS[1] and len(text.split()) >= 5 and not _INJECTION.search(text):
            found.append(Sentence(text, url))
    return found


def _host(url: str) -> str:
    with_scheme = url if "://" in url else f"//{url}"
    try:
        return (urlsplit(with_scheme).hostname or "").removeprefix("www.")
    except ValueError:
        return ""
