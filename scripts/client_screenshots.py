"""Pictures of a client's app for the documentation: its main pages on phone, tablet and desk, by day and by night.

Needs Node.js with npm, Chromium and PostgREST: `make client-screenshots`. Everything else starts by itself.
"""

import asyncio
import io
import os
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich.progress import Progress
from shown_client import fill_a_client

from draggonnb_pipelines.cli.client import new_client, require_sandbox, welcome_link
from draggonnb_pipelines.cli.client_app import build, deployment_of, require_node, serve
from draggonnb_pipelines.cli.installation import open_installation
from draggonnb_pipelines.cli.processes import running_stack
from draggonnb_pipelines.settings import load_settings

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images" / "client"
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
SIZES = {360: 740, 768: 1024, 1440: 900}
SCHEMES = ("light", "dark")
PAGES = {
    "dashboard": "/dashboard",
    "generate": "/generate",
    "calendar": "/calendar",
    "approvals": "/approvals",
    "analytics": "/analytics",
    "leads": "/leads",
    "deals": "/leads/deals",
    "accounts": "/accounts",
    "team": "/settings/team",
    "plan": "/settings/billing",
    "notifications": "/notifications",
}
PASSWORD = "four words to remember"
COLOURS = 128  # of a picture: half its bytes, and nobody sees it


def main() -> None:
    chromium = os.environ.get("DRAGGONNB_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.exit("no Chromium: apt-get install chromium, or set DRAGGONNB_CHROMIUM to its path")
    require_node()
    settings = load_settings()
    require_sandbox(settings)
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        Progress() as progress,
        open_installation(settings) as installed,
        running_stack(installed, tell=progress.log) as running,
    ):
        organization = asyncio.run(new_client(running.settings, progress))
        deployment, folder = deployment_of(running.settings, organization.slug), settings.state_dir / "client-app"
        progress.log("filling the client")
        asyncio.run(fill_a_client(running, organization, deployment.variables["DRAGGONNB_WEBHOOK_TOKEN"]))
        progress.log("building the app")
        build(deployment, folder)
        url = serve(running, deployment, folder)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            _take(browser, url, welcome_link(running.settings))
            browser.close()


def _take(browser: Browser, url: str, link: str) -> None:
    first = browser.new_page()
    first.goto(link)
    first.get_by_label("New password").fill(PASSWORD)
    first.get_by_role("button", name="Save and go on").click()
    first.wait_for_url("**/dashboard")
    session = first.context.storage_state()
    for width, height in SIZES.items():
        for scheme in SCHEMES:
            options = {"base_url": url, "viewport": {"width": width, "height": height}, "color_scheme": scheme}
            page = browser.new_page(**options)
            _picture(page, "/login", f"login-{width}-{scheme}")
            page.close()
            page = browser.new_page(**options, storage_state=session)
            for name, path in PAGES.items():
                _picture(page, path, f"{name}-{width}-{scheme}")
            page.goto("/leads")
            page.locator("main a[href^='/leads/']:not([href='/leads/deals'])").locator("visible=true").first.click()
            page.wait_for_url("**/leads/*-*")
            _picture(page, None, f"lead-{width}-{scheme}")
            page.close()


def _picture(page: Page, path: str | None, name: str) -> None:
    if path is not None:
        page.goto(path)
    page.wait_for_load_state("networkidle")
    page.wait_for_function("!document.querySelector('[class*=animate-pulse]')")
    page.wait_for_timeout(1_200)  # charts draw themselves
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
