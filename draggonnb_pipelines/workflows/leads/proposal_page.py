"""How a proposal looks: from its content to one HTML document that needs nothing else.

Lives here: the template environment, the marks that `api/proposals.py` works with, the print form of money and dates.
Not here: what a proposal says (`domain/proposals.py`), the accept form and the notices (`api/templates`).
"""

import re
from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from draggonnb_pipelines.domain.proposals import ProposalContent
from draggonnb_pipelines.workflows.pages import TEMPLATES

DECISION_MARK = "<!-- decision -->"
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_MONTHS = ("January", "February", "March", "April", "May", "June", "July")
_MONTHS += ("August", "September", "October", "November", "December")


def render_proposal(content: ProposalContent, *, timezone: str = "Africa/Johannesburg") -> str:
    """One self-contained HTML document: no script, no external asset, printable.

    The same content always gives the same bytes, so that the stored hash proves what the client was shown. The state
    of the offer (open, accepted, expired) is not in it: whoever serves the page puts that at `DECISION_MARK`.
    """
    return environment().get_template("proposal.html.j2").render(p=content, zone=ZoneInfo(timezone))


def stylesheet() -> str:
    """The one stylesheet, for pages around the proposal."""
    return (TEMPLATES / "proposal.css").read_text(encoding="utf-8")


def style_of(html: str) -> str:
    """The text of the document's style element: an older proposal keeps the looks it was stored with."""
    found = _STYLE.search(html)
    return found.group(1) if found else ""


@cache
def environment() -> Environment:
    """Escapes everything: all text of a proposal comes from a model, a stranger's form or a stranger's web site."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters |= {"money": money, "day": day, "local_day": local_day, "host": host}
    env.globals |= {"stylesheet": stylesheet}
    return env


def money(cents: int, currency: str) -> str:
    """`150000` → `R 1 500` as South Africans write it; the cents only where there are some."""
    whole, rest = divmod(cents, 100)
    amount = f"{whole:,}".replace(",", "\u00a0") + (f",{rest:02}" if rest else "")
    return f"{'R' if currency == 'ZAR' else currency}\u00a0{amount}"


def day(value: date) -> str:
    """`23 November 2026`, whatever the locale of the server."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def local_day(moment: datetime, zone: ZoneInfo) -> str:
    """The reader's calendar day of a moment."""
    return day(moment.astimezone(zone).date())


def host(url: str) -> str:
    """`https://www.kloof.example/about?x=1` → `kloof.example/about`: what a reader needs of a link."""
    without = re.sub(r"^https?://(www\.)?", "", url, flags=re.IGNORECASE)
    short = without.split("?")[0].split("#")[0].rstrip("/")
    return short if len(short) <= 60 else short[:59] + "…"
