"""Which companies exist in the sandbox's world: written ones, their competitors, and one for any other name.

A site is data: pages of headings, paragraphs and list items. Drawing it as HTML is websites.py's. Everything is a
function of the host name, so that the same host says the same for ever.
"""

import functools
import hashlib
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any

TOWNS = (
    "Cape Town", "Stellenbosch", "Paarl", "George", "Gqeberha", "Makhanda", "Bloemfontein", "Kimberley", "Durban",
    "Umhlanga", "Pietermaritzburg", "Johannesburg", "Randburg", "Centurion", "Pretoria", "Mbombela", "Polokwane",
    "Rustenburg", "Hermanus", "Montagu", "Graaff-Reinet",
)  # fmt: skip
_CONTENT = resources.files("vendor_sandbox") / "content"


@dataclass(frozen=True)
class Sector:
    """How companies of one sector describe themselves (content/sectors.toml)."""

    key: str
    label: str
    a_label: str
    words: tuple[str, ...]
    customers: str
    services: tuple[str, ...]
    about: tuple[str, ...]
    strengths: tuple[str, ...]
    habits: tuple[str, ...]
    competitors: tuple[str, ...]

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(rf"\b(?:{'|'.join(map(re.escape, self.words))})")


@dataclass(frozen=True)
class Page:
    """`lines` in order: `## heading`, `- item`, or a paragraph."""

    path: str
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    host: str
    name: str
    sector: Sector
    town: str
    description: str
    pages: tuple[Page, ...]

    def page(self, path: str) -> Page | None:
        wanted = path.rstrip("/") or "/"
        return next((page for page in self.pages if page.path == wanted), None)


@functools.cache
def sectors() -> dict[str, Sector]:
    raw = tomllib.loads((_CONTENT / "sectors.toml").read_text(encoding="utf-8"))
    made: dict[str, Sector] = {}
    for key, fields in raw.items():
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}
        made[key] = Sector(key=key, **values)
    return made


@functools.cache
def written_sites() -> tuple[Site, ...]:
    """The companies with pages of their own, for demos."""
    files = sorted((_CONTENT / "sites").iterdir(), key=lambda file: file.name)
    return tuple(_parse(file.name.removesuffix(".md"), file.read_text(encoding="utf-8")) for file in files)


@functools.lru_cache(maxsize=4096)
def site_of(host: str) -> Site:
    """The site behind any host under .example."""
    bare = host.removeprefix("www.")
    for site in written_sites():
        if site.host == bare:
            return site
    for sector in sectors().values():
        for name in sector.competitors:
            if host_of(name) == bare:
                return _generated(bare, name, sector, _town_of(sector))
    sector = sector_of(bare.replace("-", " ")) or _any_sector(bare)
    return _generated(bare, _name_from(bare), sector, TOWNS[pick(f"{bare} town", len(TOWNS))])


def competitors_of(sector: Sector, own_host: str) -> list[Site]:
    """The other companies of a sector, without the company itself."""
    sites = [site_of(host_of(name)) for name in sector.competitors]
    return [site for site in sites if site.host != own_host.removeprefix("www.")]


def sector_of(text: str) -> Sector | None:
    """The sector whose words occur most in a text, or None."""
    lowered = text.lower()
    counts = {key: len(sector.pattern.findall(lowered)) for key, sector in sectors().items()}
    best = max(counts, key=lambda key: counts[key])
    return sectors()[best] if counts[best] else None


def host_of(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".example"


def pick(seed: str, count: int) -> int:
    """A number below `count` that depends on nothing but the seed."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) % count


def _any_sector(host: str) -> Sector:
    return list(sectors().values())[pick(host, len(sectors()))]


def _name_from(host: str) -> str:
    return " ".join(part.capitalize() for part in re.split(r"[-.]+", host.removesuffix(".example")) if part)


def _town_of(sector: Sector) -> str:
    """Competitors are where the written company of their sector is."""
    towns = [site.town for site in written_sites() if site.sector is sector]
    return towns[0] if towns else TOWNS[pick(sector.key, len(TOWNS))]


def _generated(host: str, name: str, sector: Sector, town: str) -> Site:
    year = 1995 + pick(f"{host} year", 27)
    people = 3 + pick(f"{host} people", 16)
    line = 200 + pick(f"{host} phone", 700)
    start = pick(f"{host} order", 6)

    def turned(lines: tuple[str, ...]) -> list[str]:
        offset = start % len(lines)
        return [*lines[offset:], *lines[:offset]]

    about, habits, strengths, services = map(turned, (sector.about, sector.habits, sector.strengths, sector.services))
    opening = f"{name} is {sector.a_label} in {town}. We have worked with {sector.customers} since {year}."
    pages = (
        Page(
            "/",
            f"{name}, {sector.label} in {town}",
            (
                opening,
                about[0],
                strengths[0],
                "## What we do",
                *(f"- {service}" for service in services[:4]),
                habits[0],
            ),
        ),
        Page("/about", "About us", (*about[1:], f"We are a team of {people}, based in {town}.", *strengths[1:])),
        Page("/services", "Services", (*(f"- {service}" for service in services), *habits[1:2])),
        Page(
            "/contact",
            "Contact",
            (
                f"{name}, {1 + start * 7} Main Road, {town}. Open on weekdays from 08:00 to 17:00.",
                f"Phone 010 555 0{line} or write to info@{host}.",
                *habits[2:],
            ),
        ),
    )
    return Site(host, name, sector, town, f"{name}: {sector.a_label} in {town} for {sector.customers}.", pages)


def _parse(host: str, text: str) -> Site:
    """`name: value` lines, then pages that begin with `=== /path Title`."""
    head, *sections = re.split(r"^=== ", text, flags=re.MULTILINE)
    facts = dict(line.split(": ", 1) for line in head.strip().splitlines())
    pages = []
    for section in sections:
        first, *lines = section.strip().splitlines()
        path, _, title = first.partition(" ")
        pages.append(Page(path, title.removeprefix("/ ").strip(), tuple(line for line in lines if line.strip())))
    sector = sectors()[facts["sector"]]
    return Site(host, facts["name"], sector, facts["town"], facts["description"], tuple(pages))
