"""The pages of a client's app: what axe finds on them, what the browser says of them, and what the first one weighs."""

import gzip
import re
import sys
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.client.app.stage import FOLDER, Stage

# Every page of the menu and below it.
PAGES = (
    *("/dashboard", "/generate", "/calendar", "/approvals", "/leads", "/leads/deals", "/analytics", "/accounts"),
    *("/settings", "/settings/team", "/settings/billing", "/settings/checklist"),
    *("/notifications", "/notifications/alerts", "/notifications/preferences"),
)
OPEN_PAGES = ("/login", "/register")
SIZES = {"phone": {"width": 360, "height": 740}, "desktop": {"width": 1440, "height": 900}}
FIRST_LOAD_BYTES = 200_000
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
# The sandbox has no realtime: the app asks again by itself, and the browser tells of the socket.
NO_REALTIME = "/realtime/v1/websocket"


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("desktop", "dark"), ("phone", "light")])
def test_axe_finds_no_serious_fault_and_nothing_is_wider_than_the_screen(stage: Stage, size: str, scheme: str):
    found: dict[str, object] = {}
    page = stage.owner(viewport=SIZES[size], color_scheme=scheme)
    stranger = stage.page(viewport=SIZES[size], color_scheme=scheme)

    for who, paths in ((page, PAGES), (stranger, OPEN_PAGES)):
        for path in paths:
            _open(who, path)
            if faults := _serious(who):
                found[path] = faults
            wide = who.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            if wide > 0:
                found[f"{path} is wider than the screen"] = wide

    assert found == {}


def test_no_page_troubles_the_browser(stage: Stage):
    troubles: list[str] = []
    page = stage.owner()
    page.on("console", lambda entry: troubles.append(f"{page.url}: {entry.text}"))
    page.on("pageerror", lambda error: troubles.append(f"{page.url}: {error}"))

    for path in PAGES:
        _open(page, path)

    assert [trouble for trouble in troubles if NO_REALTIME not in trouble] == []


def test_the_first_load_of_the_dashboard_weighs_less_than_200_kb(stage: Stage, capsys: pytest.CaptureFixture[str]):
    page = stage.owner()
    answer = page.request.get("/dashboard")
    scripts = {tag for tag in re.findall(r"<script[^>]+>", answer.text()) if "nomodule" not in tag.lower()}
    # What is for browsers without modules, those of today do not load.
    sources = {found[1] for tag in scripts if (found := re.search(r'src="([^"]+)"', tag))}
    asked: set[str] = set()
    page.on("request", lambda one: asked.add(urlsplit(one.url).path) if one.resource_type == "script" else None)
    _open(page, "/dashboard")

    first, later = (sum(_gzipped(page, source) for source in some) for some in (sources, asked - sources))
    with capsys.disabled():
        sys.stdout.write(
            f"\nscripts of the dashboard: {first / 1000:.1f} kB gzip, then {later / 1000:.1f} kB by itself\n"
        )
    assert 0 < first < FIRST_LOAD_BYTES


def _open(page: Page, path: str) -> None:
    """Until nothing is on its way any more: a page that is still loading has no faults."""
    page.goto(path)
    page.wait_for_load_state("networkidle")
    page.locator("main").wait_for()


def _gzipped(page: Page, source: str) -> int:
    return len(gzip.compress(page.request.get(source).body(), 6))


def _serious(page: Page) -> list[str]:
    """What axe calls serious or critical, and where."""
    page.evaluate((FOLDER / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    result = page.evaluate("(rules) => axe.run(document, rules)", RULES)
    return [
        f"{fault['id']}: {node['target']} {node['failureSummary']}"
        for fault in result["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]
