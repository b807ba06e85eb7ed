"""Research of a company's own web site: a few pages, politely, within a deadline, as evidence.

Lives here: the walk (robots.txt, first page, the pages that tell most) and the wording of every trouble. Does not live
here: the guard against inward addresses (`http.py`), the parsing (`website_pages.py`), the meaning of the words
(`domain/companies.py`). Text of a site is data for all who use it, whatever it says.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from draggonnb_pipelines.domain.companies import (
    contact_facts,
    instructions_in,
    normalize_website,
    sector_evidence,
    size_hint,
)
from draggonnb_pipelines.resources.http import HttpDoor, PublicFetchError, PublicPage
from draggonnb_pipelines.resources.website_pages import ReadPage, SitePage, is_html, links_worth_reading, read_page
from draggonnb_pipelines.resources.website_robots import Robots, fetch_robots

__all__ = ["Finding", "SitePage", "SiteResearch", "SiteStatus", "research_website"]

SiteStatus = Literal[
    "ok", "no_website", "unreachable", "refused", "robots_disallowed", "too_large", "not_html", "error"
]

log = logging.getLogger(__name__)
_STATUS_OF_REASON: dict[str, SiteStatus] = {
    "bad_url": "refused",
    "refused_address": "refused",
    "unreachable": "unreachable",
    "timeout": "unreachable",
    "too_many_redirects": "unreachable",
    "too_large": "too_large",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One trouble or peculiarity: a code for programs, a sentence for an operator."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class SiteResearch:
    """What a site told. `status` is ok if at least one page could be read; `facts` are hints, see `_facts`."""

    status: SiteStatus
    website: str | None
    pages: list[SitePage] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


async def research_website(
    door: HttpDoor,
    website: str | None,
    *,
    user_agent: str,
    timeout_seconds: float,
    page_max_bytes: int,
    max_pages: int,
    now: Callable[[], datetime],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> SiteResearch:
    """Read the first page of a site and the most telling ones that it links to, at most `max_pages` in all.

    Never raises for what a site does: every trouble is a finding, and what was read until the deadline counts.

    Args:
        website: as the lead wrote it; it is normalized here.
        user_agent: the one that the door sends; robots.txt is read for its product token.
        timeout_seconds: for everything together.
        now: the clock; pages carry the door's own time.
    """
    url = normalize_website(website)
    if url is None:
        detail = "No web site is known." if not website else f"{website[:100]!r} is no address of a web site."
        return SiteResearch("no_website", None, findings=[Finding("no_website", detail)])
    walk = _Walk(door, user_agent, page_max_bytes, max_pages, timeout_seconds, sleep)
    try:
        async with asyncio.timeout(timeout_seconds):
            await walk.run(url)
    except TimeoutError:
        walk.fail("unreachable", "deadline", f"Not everything could be read within {timeout_seconds:g} seconds.")
    except Exception as error:  # recorded: one odd site must not stop a lead
        log.exception("research of %s failed", urlsplit(url).hostname)
        walk.fail("error", "internal_error", f"Reading the site failed ({type(error).__name__}).")
    return await asyncio.to_thread(walk.result, url)  # counts words for tens of milliseconds


class _Walk:
    """The state of one research; it grows page by page, so that a deadline leaves what was read."""

    def __init__(
        self,
        door: HttpDoor,
        user_agent: str,
        page_max_bytes: int,
        max_pages: int,
        timeout_seconds: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._door = door
        self._user_agent = user_agent
        self._page_max_bytes = page_max_bytes
        self._max_pages = max_pages
        self._timeout_seconds = timeout_seconds
        self._sleep = sleep
        self._robots: dict[str, Robots] = {}
        self._status: SiteStatus = "error"
        self._pages: dict[int, ReadPage] = {}
        self.findings: list[Finding] = []

    def fail(self, status: SiteStatus, code: str, detail: str) -> None:
        """Note a trouble; `status` holds as long as no page was read."""
        self._status = status
        finding = Finding(code, detail)
        if finding not in self.findings:
            self.findings.append(finding)

    def result(self, url: str) -> SiteResearch:
        # In the order of the links, not of the answers: the same site makes the same prompt, paid for once.
        reads = [self._pages[rank] for rank in sorted(self._pages)]
        pages = [read.page for read in reads]
        if not pages:
            return SiteResearch(self._status, url, findings=self.findings)
        suspicious = instructions_in(read.everything for read in reads)
        if suspicious:
            quoted = "; ".join(f"“{phrase}”" for phrase in suspicious[:3])
            detail = f"The site holds words meant for a language model: {quoted}. They were treated as plain text."
            self.findings.append(Finding("instructions_in_page", detail))
        return SiteResearch("ok", pages[0].url, pages, self.findings, _facts(reads))

    async def run(self, url: str) -> None:
        """1. rules, 2. first page, 3. the pages it links to."""
        robots = await self._rules_of(url)
        silent = robots.unreachable and robots.unreachable.reason in ("unreachable", "timeout")
        if silent and url.startswith("https://"):
            # Small companies' sites without TLS are common; reading one sends nothing that needs a secret channel.
            url = f"http://{url.removeprefix('https://')}"
            robots = await self._rules_of(url)
            if not robots.unreachable:
                self.findings.append(Finding("no_https", "The site does not answer over https, so http was used."))
        home = await self._read(url, 0)
        if home is None:
            return
        links = links_worth_reading(home.page.url, home.links, self._max_pages - 1)
        delay = robots.crawl_delay_seconds
        if not delay:
            async with asyncio.TaskGroup() as group:
                for rank, link in enumerate(links, start=1):
                    group.create_task(self._read(link, rank))
            return
        for rank, link in enumerate(links, start=1):
            await self._sleep(delay)
            await self._read(link, rank)

    async def _rules_of(self, url: str) -> Robots:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._robots:
            # A quarter: a host that is silent on https must leave time to be asked over http.
            self._robots[origin] = await fetch_robots(
                self._door, url, user_agent=self._user_agent, timeout_seconds=self._timeout_seconds / 4
            )
        return self._robots[origin]

    async def _may_read(self, url: str) -> bool:
        robots = await self._rules_of(url)
        if robots.allows(url):
            return True
        if robots.unreachable:
            self._fetch_failed(url, robots.unreachable)
        elif robots.server_error:
            detail = f"{_host(url)} answers {robots.server_error} to robots.txt, so nothing of it may be read now."
            self.fail("robots_disallowed", "robots_unavailable", detail)
        else:
            self.fail("robots_disallowed", "robots_disallowed", f"robots.txt of {_host(url)} forbids {_path(url)}.")
        return False

    async def _read(self, url: str, rank: int) -> ReadPage | None:
        """Fetch and parse one page; None, with a finding, where there is none to be had."""
        if not await self._may_read(url):
            return None
        try:
            fetched = await self._door.fetch_public(
                url, max_bytes=self._page_max_bytes, timeout_seconds=self._timeout_seconds
            )
        except PublicFetchError as error:
            self._fetch_failed(url, error)
            return None
        # The rules of another host that a redirect led to hold as well.
        if _host(fetched.url) != _host(url) and not await self._may_read(fetched.url):
            return None
        if not self._is_readable(fetched):
            return None
        return await self._parsed(fetched, rank)

    async def _parsed(self, fetched: PublicPage, rank: int) -> ReadPage | None:
        try:
            read = await asyncio.to_thread(read_page, fetched)
        except Exception as error:  # recorded: parsers stumble over hostile markup in many ways
            log.warning("a page of %s could not be parsed", _host(fetched.url), exc_info=error)
            self.fail("error", "unreadable_page", f"{_path(fetched.url)} could not be parsed ({type(error).__name__}).")
            return None
        if not read.page.text:
            detail = f"{_path(fetched.url)} has no readable text; it may be drawn by JavaScript."
            self.fail("error", "no_text", detail)
            return None
        if any(other.page.url == read.page.url for other in self._pages.values()):
            return None
        self._pages[rank] = read
        if read.was_cut:
            self.findings.append(Finding("page_cut", f"Only the start of {_path(fetched.url)} was kept."))
        return read

    def _is_readable(self, fetched: PublicPage) -> bool:
        if fetched.status in (401, 403, 451):
            self.fail("refused", "http_status", f"{_path(fetched.url)} answers {fetched.status}: we may not read it.")
        elif fetched.status >= 500:
            self.fail("unreachable", "http_status", f"{_path(fetched.url)} answers {fetched.status}.")
        elif fetched.status != 200:
            self.fail("error", "http_status", f"{_path(fetched.url)} answers {fetched.status}.")
        elif not is_html(fetched):
            detail = f"{_path(fetched.url)} is {fetched.content_type or 'of an unknown type'}, not a web page."
            self.fail("not_html", "not_html", detail)
        else:
            return True
        return False

    def _fetch_failed(self, url: str, error: PublicFetchError) -> None:
        self.fail(_STATUS_OF_REASON[error.reason], error.reason, f"{_path(url)}: {error.detail}.")


def _facts(read: list[ReadPage]) -> dict[str, Any]:
    """Hints that the pages' words give, JSON-ready: title, description, language, sector, size, contact facts."""
    text = "\n".join(f"{page.page.title}\n{page.description}\n{page.page.text}" for page in read)
    facts: dict[str, Any] = {
        "title": read[0].page.title,
        "description": read[0].description,
        "site_name": read[0].site_name,
        "language": read[0].language,
        "size_hint": size_hint(text),
        **contact_facts("\n".join(page.everything for page in read)),
    }
    if sector := sector_evidence(text):
        facts |= {"sector": sector.sector, "sector_share": sector.share, "sector_words": list(sector.words)}
    return {name: value for name, value in facts.items() if value}


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _path(url: str) -> str:
    return urlsplit(url).path[:100] or "/"
