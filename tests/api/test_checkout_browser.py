"""From the accepted proposal to PayFast's page and back in a real browser, which holds our pages to their policy."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, async_playwright

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from tests.api.agency_proposals import AgencyProposals, mark_paid
from tests.api.conftest import Api, ServeApi
from tests.sandbox_process import Sandbox, free_port_pair

CHROMIUM = os.environ.get("DRAGGONNB_CHROMIUM") or shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed, and DRAGGONNB_CHROMIUM names none"),
]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        await opened.close()


@pytest.fixture
def api(serve_api: ServeApi, sandbox: Sandbox) -> Iterator[Api]:
    port = free_port_pair()
    with serve_api(port=port, public_base_url=f"http://127.0.0.1:{port}", sandbox_port=sandbox.port) as running:
        yield running


async def test_a_client_chooses_a_plan_turns_back_once_and_pays_on_a_phone_in_the_dark(
    api: Api, browser: Browser, sandbox: Sandbox, agency: Organization, master: MasterDb, tenants: Tenants
) -> None:
    proposal = await AgencyProposals(agency, master, tenants).add()
    page = await browser.new_page(
        viewport={"width": 360, "height": 740}, color_scheme="dark", java_script_enabled=False
    )
    troubles: list[str] = []
    # PayFast's own pages may be short of an icon; ours may be short of nothing.
    page.on("console", lambda entry: troubles.append(entry.text) if sandbox.url not in entry.location["url"] else None)

    await page.goto(api.url + proposal)
    await page.get_by_role("link", name="Choose your plan").click()
    await page.get_by_role("button", name="Choose Growth").focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Growth for Kloof Street Coffee").wait_for()
    checkout = page.url
    await page.get_by_role("button", name="Pay at PayFast").click()
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("heading", name="The payment was cancelled").wait_for()
    await page.get_by_role("link", name="Back to the checkout").click()
    assert page.url == checkout
    await page.get_by_role("button", name="Pay at PayFast").click()
    await page.get_by_role("heading", name="Pay DraggonnB Growth").wait_for()
    await page.get_by_role("button", name="Pay").click()
    await page.get_by_role("heading", name="We wait for PayFast to confirm").wait_for()
    [row] = api.rows("select id from checkouts")
    await mark_paid(master, row["id"])
    # Without a script and without a click: the page looks again by itself.
    await page.get_by_role("heading", name="Your system is being set up").wait_for(timeout=10_000)

    assert page.url == f"{checkout}/thanks"
    assert await page.get_by_text("Step 1 of 10").is_visible()
    assert api.rows("select deliveries, state from payments") == [{"deliveries": 1, "state": "received"}]
    assert troubles == []


async def test_no_page_of_a_checkout_is_wider_than_a_phone(
    api: Api, browser: Browser, agency: Organization, master: MasterDb, tenants: Tenants
) -> None:
    proposal = await AgencyProposals(agency, master, tenants).add(company="Donaudampfschifffahrtsgesellschaft" * 3)
    page = await browser.new_page(viewport={"width": 360, "height": 740})

    widths = []
    await page.goto(f"{api.url}{proposal}/plans")
    widths.append(await page.evaluate("document.documentElement.scrollWidth"))
    await page.get_by_role("button", name="Choose Scale").click()
    checkout = page.url
    for path in (checkout, f"{checkout}/thanks", f"{checkout}/cancelled"):
        await page.goto(path)
        widths.append(await page.evaluate("document.documentElement.scrollWidth"))

    assert widths == [360, 360, 360, 360]
