"""Pictures for the documentation, taken from the running system by Chromium: the asset graph, one day, a proposal.

Needs Chromium (Debian: apt-get install chromium; elsewhere DRAGGONNB_CHROMIUM). Everything else starts by itself.
"""

import asyncio
import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from rich.progress import Progress

from draggonnb_pipelines.cli.demo import ENQUIRY, follow, organizations, send, tell_story
from draggonnb_pipelines.cli.installation import open_installation
from draggonnb_pipelines.cli.processes import running_stack
from draggonnb_pipelines.settings import load_settings

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
OTHERS = {
    "umhlanga-ridge-homes": "Umhlanga Ridge Homes",
    "centurion-plumbing": "Centurion Plumbing",
    "karoo-trail-gear": "Karoo Trail Gear",
}
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]


def main() -> None:
    chromium = os.environ.get("DRAGGONNB_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.exit("no Chromium: apt-get install chromium, or set DRAGGONNB_CHROMIUM to its path")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        Progress() as progress,
        open_installation(load_settings()) as installed,
        running_stack(installed, tell=progress.log) as running,
    ):
        agency, outsider = asyncio.run(organizations(running.settings))
        for host, company in OTHERS.items():
            own = {
                "company": company,
                "website": f"http://{host}.example",
                "email": f"hello@{host}.example",
                "phone": "",
            }
            send(running.settings, agency, {**ENQUIRY, **own})
        inbox_id = send(running.settings, agency, ENQUIRY)
        asyncio.run(follow(progress, running.settings, inbox_id))
        story = asyncio.run(tell_story(running.settings, agency, outsider, inbox_id))
        day = story.row["received_at"].date().isoformat()
        partition = f"view=partitions&partition={day}%7C{agency.organization.slug}"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            _asset_graph(browser, f"{running.ui_url}/locations/draggonnb/asset-groups/leads/lineage")
            _page(browser, f"{running.ui_url}/assets/business_analyses?{partition}", "business-analyses.png", 5)
            _page(browser, story.url, "proposal.png", 1, height=1800)
            browser.close()


def _asset_graph(browser: Browser, url: str) -> None:
    """The graph draws itself small; zoomed in, its nodes show their state."""
    page = browser.new_page(viewport={"width": 2000, "height": 620}, device_scale_factor=1)
    page.goto(url)
    page.get_by_text("sales_notifications").or_(page.get_by_text("sal…_notifications")).first.wait_for(timeout=30_000)
    page.wait_for_timeout(6_000)
    page.screenshot(path=IMAGES / "lead-assets.png")
    page.close()


def _page(browser: Browser, url: str, name: str, seconds: float, *, height: int = 900) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": height})
    page.goto(url)
    page.wait_for_timeout(seconds * 1000)
    page.screenshot(path=IMAGES / name)
    page.close()


if __name__ == "__main__":
    main()
