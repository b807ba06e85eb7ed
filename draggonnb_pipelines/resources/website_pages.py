"""From a page's bytes to its text, title, links and everything else that stands in it.

Lives here: decoding and parsing, CPU work without I/O, made to run in a thread. Does not live here: fetching, and
any meaning (`domain/companies.py`).
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from draggonnb_pipelines.resources.public_pages import PublicPage, web_charset

MAX_TEXT_CHARACTERS = 20_000
_MAX_LINKS = 500
_MAX_RAW_CHARACTERS = 200_000
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
# Spaces are counted: without a limit, 4 KB of them after many `<meta` took seconds.
_META_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s{0,8}=\s{0,8}[\"']?\s{0,8}([a-zA-Z0-9_:.-]{2,40})", re.IGNORECASE
)
_BLOCKS = frozenset(
    {"p", "div", "li", "br", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article", "td", "th", "dt", "dd"}
)
_SILENT = frozenset({"script", "style", "template", "svg"})
_UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

# What tells most about a company comes first; English and Afrikaans.
_LINK_WORDS: tuple[tuple[str, ...], ...] = (
    ("about", "oor-ons", "oorons", "who-we-are", "wie-is-ons", "our-story", "ons-storie"),
    ("service", "diens", "what-we-do", "solutions"),
    ("product", "produk", "shop", "winkel", "menu", "treatment", "rooms", "listings"),
    ("pricing", "prices", "pryse", "tariewe", "rates"),
    ("contact", "kontak"),
    ("team", "span", "people", "staff"),
)
_NO_PAGES = re.compile(r"\.(?:pdf|jpe?g|png|gif|webp|svg|zip|docx?|xlsx?|mp4|mp3|css|js|xml|ics)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SitePage:
    """A page as it is stored as evidence: its main text (at most 20,000 characters) and the text's SHA-256."""

    url: str
    title: str
    text: str
    sha256: str
    http_status: int
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A page with what is needed to go on from it; `everything` includes what a reader does not see."""

    page: SitePage
    description: str
    site_name: str
    language: str
    links: list[tuple[str, str]] = field(default_factory=list)
    everything: str = ""
    was_cut: bool = False


def is_html(page: PublicPage) -> bool:
    """True if the server says HTML, or says nothing and it looks like it."""
    if page.content_type:
        return page.content_type in _HTML_TYPES
    return page.body[:1024].lstrip().lower().startswith((b"<!doctype html", b"<html"))


def read_page(fetched: PublicPage) -> ReadPage:
    """Parse a fetched HTML page. Slow (tens of milliseconds) and CPU-bound: call it in a thread."""
    markup = _UNSTORABLE.sub(" ", _decoded(fetched))
    scan = _scan(markup)
    text = _main_text(markup, fetched.url) or scan.visible_text
    was_cut = len(text) > MAX_TEXT_CHARACTERS
    text = text[:MAX_TEXT_CHARACTERS].strip()
    page = SitePage(
        url=fetched.url,
        title=_one_line(scan.title or scan.meta.get("og:title", ""))[:300],
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        http_status=fetched.status,
        fetched_at=fetched.fetched_at,
    )
    return ReadPage(
        page=page,
        description=_one_line(scan.meta.get("description") or scan.meta.get("og:description", ""))[:500],
        site_name=_one_line(scan.meta.get("og:site_name", ""))[:200],
        language=scan.language[:20],
        links=scan.links,
        everything=scan.everything(),
        was_cut=was_cut,
    )


def links_worth_reading(base_url: str, links: list[tuple[str, str]], at_most: int) -> list[str]:
    """Pages of the same host, those that tell most about a company first; no two of one kind before one of each.

    Args:
        links: (href, words of the link) as they stand in the page.
    """
    host = _site_host(base_url)
    ranked: dict[str, tuple[int, int]] = {}
    seen_of_kind = [0] * len(_LINK_WORDS)
    start = _without_slash(base_url)
    for href, words in links:
        url = _absolute(base_url, href)
        if url is None or _site_host(url) != host or url in ranked or _without_slash(url) == start:
            continue
        kind = _kind_of(urlsplit(url).path, words)
        if kind is not None:
            ranked[url] = (seen_of_kind[kind], kind)
            seen_of_kind[kind] += 1
    return sorted(ranked, key=lambda url: ranked[url])[:at_most]


@dataclass(slots=True)
class _Scan:
    """What the markup holds beside the main text: title, meta, language, links, and the words nobody sees."""

    title: str = ""
    language: str = ""
    meta: dict[str, str] = field(default_factory=dict)
    links: list[tuple[str, str]] = field(default_factory=list)
    visible_text: str = ""
    unseen: list[str] = field(default_factory=list)

    def everything(self) -> str:
        texts = [self.visible_text, self.title, *self.meta.values(), *self.unseen, *(href for href, _ in self.links)]
        return "\n".join(texts)[:_MAX_RAW_CHARACTERS]


def _scan(markup: str) -> _Scan:
    """Read the markup with lxml. The parser of the standard library is quadratic: 90 kB of `<a href='` took 6 s."""
    from trafilatura import load_html

    scan = _Scan(unseen=_comments(markup))
    tree = load_html(markup)
    if tree is None:
        return scan
    scan.language = tree.get("lang") or ""
    for element in list(tree.iter(*_SILENT)):
        element.drop_tree()
    for element in tree.iter():
        name = element.tag
        if name == "meta":
            key = (element.get("name") or element.get("property") or "").lower()
            scan.meta.setdefault(key, element.get("content") or "")
        elif name == "title" and not scan.title:
            scan.title = element.text_content()
        elif name == "a" and element.get("href") and len(scan.links) < _MAX_LINKS:
            scan.links.append((element.get("href"), _one_line(element.text_content())[:100]))
        elif name in _BLOCKS:
            element.text = "\n" + (element.text or "")
            element.tail = "\n" + (element.tail or "")
        scan.unseen.extend(value for key in ("alt", "title", "aria-label") if (value := element.get(key)))
    body = tree.find("body")
    lines = "".join((tree if body is None else body).itertext())[:_MAX_RAW_CHARACTERS].splitlines()
    scan.visible_text = "\n".join(words for line in lines if (words := _one_line(line)))
    return scan


def _comments(markup: str) -> list[str]:
    comments: list[str] = []
    start = markup.find("<!--")
    while start >= 0 and len(comments) < _MAX_LINKS:
        end = markup.find("-->", start)
        if end < 0:
            break
        comments.append(markup[start + 4 : end][:5_000])
        start = markup.find("<!--", end)
    return comments


def _main_text(markup: str, url: str) -> str:
    """The main text without navigation and footers; the generous mode is for short pages, where the strict one errs.

    `fast` leaves out trafilatura's comparison with two other extractors: it took two thirds of a lead run's CPU, and
    where the extractor itself finds little, the page's visible text is the better fallback.
    """
    import trafilatura  # half a second of imports that only a run with research pays

    extract = partial(trafilatura.extract, markup, url=url, include_comments=False, output_format="txt", fast=True)
    strict = extract() or ""
    return strict if len(strict) >= 400 else max(strict, extract(favor_recall=True) or "", key=len)


def _decoded(page: PublicPage) -> str:
    declared = _META_CHARSET.search(page.body[:4096])
    for name in (page.charset, web_charset(declared.group(1).decode("ascii")) if declared else None, "utf-8"):
        if name is None:
            continue
        try:
            return page.body.decode(name)
        except UnicodeDecodeError:
            continue
    return page.body.decode("cp1252", "replace")


def _kind_of(path: str, words: str) -> int | None:
    where = re.sub(r"[\s_]+", "-", f"{unquote(path)} {words}".casefold())
    return next((n for n, kind in enumerate(_LINK_WORDS) if any(word in where for word in kind)), None)


def _absolute(base_url: str, href: str) -> str | None:
    try:
        url = urldefrag(urljoin(base_url, href.strip())).url
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or _NO_PAGES.search(parts.path):
        return None
    return url if len(url) <= 500 else None


def _site_host(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")


def _without_slash(url: str) -> str:
    return url.split("://", 1)[-1].rstrip("/")


def _one_line(text: str) -> str:
    return " ".join(text.split())
