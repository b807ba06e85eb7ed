"""The frame of our public pages, which people open by a secret address and without an account.

Lives here: their headers, the notices that stand in for a page, how often one may ask, reading their forms.
Not here: what a page says (`proposals.py`, `reviews.py`, `checkouts.py`, `invoices.py`).

The token in the address is the capability: 256 bits, stored only as a hash, sent to one person. There is no session
and no cookie, so another site cannot make a visitor's browser do anything without knowing the token, and who knows it
may act. A CSRF token would be derived from the same secret and prove nothing more.
"""

import base64
import hashlib
import logging
from functools import cache
from pathlib import Path
from typing import Literal

import psycopg
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from draggonnb_pipelines.api.bodies import parse_body, read_body
from draggonnb_pipelines.api.security import RateLimiter, network_of
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.workflows.leads.proposal_page import style_of, stylesheet

MAX_FORM_BYTES = 16 * 1024
# What a page's databases may answer with where they are away for a while.
UNAVAILABLE = (TenantUnavailable, psycopg.OperationalError, PoolTimeout)
Noun = Literal["proposal", "review", "checkout", "invoice", "subscription", "alert", "report"]
log = logging.getLogger(__name__)


def document(html: str, status: int = 200, *, form_action: str = "'self'", images: str = "'none'") -> Response:
    """A whole document, whose one style element its headers allow.

    Args:
        form_action: where its forms may be posted, as a source list of the Content Security Policy.
        images: where its images come from, as another such list.
    """
    return HTMLResponse(html, status, _headers(style_of(html), form_action, images))


def download(content: bytes, media_type: str, file_name: str) -> Response:
    """A file for the browser to show; `file_name` is plain ASCII."""
    # Browsers show a PDF by a page of their own, which a policy for pages of ours would keep from working.
    own = {"content-security-policy": "frame-ancestors 'none'"}
    own |= {"content-disposition": f'inline; filename="{file_name}"'}
    return Response(content, 200, _headers("") | own, media_type=media_type)


def back_to(address: str) -> Response:
    """After a form was taken: the page again, by GET."""
    return RedirectResponse(address, 303, _headers(""))


def message(
    noun: Noun,
    kind: str,
    status: int,
    *,
    link: tuple[str, str] | None = None,
    retry_after_seconds: int | None = None,
) -> Response:
    """A notice in place of the page; `link` is where to go on, address and words."""
    html = environment().get_template("message.html.j2").render(noun=noun, kind=kind, link=link)
    retry = {} if retry_after_seconds is None else {"retry-after": str(retry_after_seconds)}
    return HTMLResponse(html, status, _headers(stylesheet()) | retry)


def unavailable(noun: Noun, error: Exception) -> Response:
    log.warning("%s page unavailable: %s", noun, error if isinstance(error, TenantUnavailable) else type(error))
    return message(noun, "unavailable", 503, retry_after_seconds=30)


def throttle(request: Request, noun: Noun) -> Response | None:
    """The answer to those who ask too often."""
    limiter: RateLimiter = request.app.state.page_limiter
    wait = limiter.seconds_to_wait(network_of(request.client.host if request.client else None))
    return message(noun, "throttled", 429, retry_after_seconds=wait) if wait else None


async def form_texts(request: Request, *names: str) -> dict[str, str]:
    """What was typed into these fields; a field that is missing or there twice is empty.

    Raises:
        Problem: the body cannot be read as a form.
    """
    _, fields = await parse_body(request, await read_body(request, MAX_FORM_BYTES))
    values = fields if isinstance(fields, dict) else {}
    return {name: value if isinstance(value := values.get(name), str) else "" for name in names}


@cache
def environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    env = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    env.globals |= {"stylesheet": stylesheet}
    return env


def _headers(style: str, form_action: str = "'self'", images: str = "'none'") -> dict[str, str]:
    """Nothing runs, nothing is loaded, nothing is framed, cached, indexed, or told to the pages that we link to."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; form-action {form_action}; base-uri 'none'"
    if images != "'none'":
        policy += f"; img-src {images}"
    return {
        "content-security-policy": f"{policy}; frame-ancestors 'none'",
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-robots-tag": "noindex, nofollow",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }
