"""Pictures for the documentation, taken from the running system by Chromium: what an operator and a client see.

Needs Chromium (Debian: apt-get install chromium; elsewhere DRAGGONNB_CHROMIUM). Everything else starts by itself.
`make screenshots ARGS=numbers` takes only those of numbers and reports.
"""

import asyncio
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import requests
from measured_client import Measured, measure_a_client
from playwright.sync_api import Browser, sync_playwright
from rich.progress import Progress

from draggonnb_pipelines.cli.demo import ENQUIRY, Story, follow, organizations, send, tell_story
from draggonnb_pipelines.cli.demo_client import BUYER, ClientStory, win_a_client
from draggonnb_pipelines.cli.demo_content import PostStory, publish_a_post
from draggonnb_pipelines.cli.installation import open_installation
from draggonnb_pipelines.cli.processes import running_stack
from draggonnb_pipelines.settings import Settings, load_settings

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
        told = None if sys.argv[1:] == ["numbers"] else asyncio.run(_tell(progress, running.settings))
        measured = asyncio.run(measure_a_client(running))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            if told is not None:
                _take(browser, running.ui_url, told)
            _take_numbers(browser, running.ui_url, measured)
            browser.close()


@dataclass(frozen=True)
class Told:
    """What there is to see: a day of leads, a proposal whose plan is to be chosen, a client, a post."""

    lead: Story
    accepted: Story
    client: ClientStory
    post: PostStory
    partition: str


async def _tell(progress: Progress, settings: Settings) -> Told:
    agency, outsider = await organizations(settings)
    others = [send(settings, agency, _enquiry(host, company)) for host, company in OTHERS.items()]
    inbox_id = send(settings, agency, ENQUIRY)
    for one in (*others, inbox_id):
        await follow(progress, settings, one)
    lead, accepted = [await tell_story(settings, agency, outsider, one) for one in (inbox_id, others[0])]
    accept = f"{accepted.url}/accept"
    (await asyncio.to_thread(requests.post, accept, data=BUYER, timeout=10)).raise_for_status()
    client, post = await asyncio.gather(
        win_a_client(progress, settings, agency, inbox_id), publish_a_post(progress, settings, agency)
    )
    day = lead.row["received_at"].date().isoformat()
    return Told(lead, accepted, client, post, f"{day}%7C{agency.organization.slug}")


def _take(browser: Browser, ui_url: str, told: Told) -> None:
    slug = told.client.row["slug"]
    groups = f"{ui_url}/locations/draggonnb/asset-groups"
    _asset_graph(browser, f"{groups}/leads/lineage")
    _page(browser, f"{groups}/provisioning/list", "provisioning-assets.png", 5)
    _page(browser, _partition(ui_url, "business_analyses", told.partition), "business-analyses.png", 5)
    _page(browser, _partition(ui_url, "vercel_deployment", slug), "client-partition.png", 5, height=700)
    _table(browser, _partition(ui_url, "kickoff_call", slug), "client-stack.png", height=1000)
    _table(browser, _partition(ui_url, "published_posts", told.partition), "published-posts.png", height=1250)
    _page(browser, told.lead.url, "proposal.png", 1, height=1800)
    _page(browser, f"{told.accepted.url}/plans", "plans.png", 1)
    _page(browser, told.post.review_url, "review.png", 1, height=1500)


def _take_numbers(browser: Browser, ui_url: str, measured: Measured) -> None:
    _day(browser, _partition(ui_url, "analytics_snapshots", f"{measured.day}%7C{measured.slug}"))
    _mail(browser, measured.mail_html, "weekly-report.png", sharpness=1.5, whole=False)
    _mail(browser, measured.mail_html, "weekly-report-whole.png", sharpness=1, whole=True)


def _day(browser: Browser, url: str) -> None:
    """A day's figures, which need the room of the navigation."""
    page = browser.new_page(viewport={"width": 1760, "height": 1180})
    page.goto(url)
    page.get_by_text("Hide navigation").click(timeout=30_000)
    page.wait_for_timeout(6_000)
    page.screenshot(path=IMAGES / "analytics-snapshots.png")
    page.close()


def _mail(browser: Browser, html: str, name: str, *, sharpness: float, whole: bool) -> None:
    page = browser.new_page(viewport={"width": 640, "height": 1090}, device_scale_factor=sharpness)
    page.set_content(html, wait_until="load")
    page.screenshot(path=IMAGES / name, full_page=whole)
    page.close()


def _partition(ui_url: str, asset: str, partition: str) -> str:
    return f"{ui_url}/assets/{asset}?view=partitions&partition={partition}"


def _enquiry(host: str, company: str) -> dict[str, str]:
    own = {"company": company, "website": f"http://{host}.example", "email": f"hello@{host}.example", "phone": ""}
    return {**ENQUIRY, **own}


def _asset_graph(browser: Browser, url: str) -> None:
    """The graph draws itself small; zoomed in, its nodes show their state."""
    page = browser.new_page(viewport={"width": 2000, "height": 620}, device_scale_factor=1)
    page.goto(url)
    page.get_by_text("sales_notifications").or_(page.get_by_text("sal…_notifications")).first.wait_for(timeout=30_000)
    page.wait_for_timeout(6_000)
    page.screenshot(path=IMAGES / "lead-assets.png")
    page.close()


def _table(browser: Browser, url: str, name: str, *, height: int) -> None:
    """The last text of a materialization, opened as by a click: Dagster shows long ones apart."""
    page = browser.new_page(viewport={"width": 1280, "height": height})
    page.goto(url)
    page.get_by_text("[Show Markdown]").last.click(timeout=30_000)
    page.wait_for_timeout(2_000)
    page.screenshot(path=IMAGES / name)
    page.close()


def _page(browser: Browser, url: str, name: str, seconds: float, *, height: int = 900) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": height})
    page.goto(url)
    page.wait_for_timeout(seconds * 1000)
    page.screenshot(path=IMAGES / name)
    page.close()


if __name__ == "__main__":
    main()
