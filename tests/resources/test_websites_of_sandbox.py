"""Research of the sandbox's sites, good and odd, over a real connection."""

from typing import Any

import pytest

from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.websites import Finding, SiteResearch, research_website
from tests.resources.test_websites import AGENT, NOW
from tests.sandbox_process import Sandbox


async def research_in_sandbox(sandbox: Sandbox, website: str) -> SiteResearch:
    connect_to = {"example": f"127.0.0.1:{sandbox.port}"}
    limits: dict[str, Any] = {"timeout_seconds": 5.0, "page_max_bytes": 2_000_000, "max_pages": 4}
    async with HttpDoor(user_agent=AGENT, connect_to=connect_to) as door:
        return await research_website(door, website, user_agent=AGENT, now=lambda: NOW, **limits)


async def test_a_site_without_https_is_read_over_http_and_says_so(sandbox: Sandbox):
    result = await research_in_sandbox(sandbox, "https://kloof-coffee.example")

    assert (result.status, result.website) == ("ok", "http://kloof-coffee.example/")
    assert result.findings == [Finding("no_https", "The site does not answer over https, so http was used.")]
    assert result.facts["sector"] == "food_and_drink"
    assert len(result.pages) == 4


@pytest.mark.parametrize(
    ("website", "status", "code"),
    [
        ("redirect-inward.example", "refused", "bad_url"),
        ("redirect-inward.example/metadata", "refused", "refused_address"),
        ("endless.example", "too_large", "too_large"),
        ("gzip-bomb.example", "too_large", "too_large"),
        ("robots-closed.example", "robots_disallowed", "robots_disallowed"),
        ("empty.example", "error", "no_text"),
        ("pdf.example", "not_html", "not_html"),
        ("unreachable.example", "unreachable", "unreachable"),
        ("hangs.example", "unreachable", "timeout"),
    ],
)
async def test_the_sandboxs_odd_sites_end_as_findings(sandbox: Sandbox, website: str, status: str, code: str):
    result = await research_in_sandbox(sandbox, website)

    assert (result.status, result.pages) == (status, [])
    assert result.findings[-1].code == code


async def test_an_injected_page_is_read_as_text_and_reported(sandbox: Sandbox):
    result = await research_in_sandbox(sandbox, "injected.example")

    assert result.status == "ok"
    assert "instructions_in_page" in [finding.code for finding in result.findings]
