"""The checkout of the sandbox's PayFast in a real browser without JavaScript: from the shop's form and back to it."""

import html
import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright

from draggonnb_pipelines.resources.http import HttpDoor
from tests.payfast_till import checkout, letter_box, payfast
from tests.sandbox_process import Sandbox

CHROMIUM = os.environ.get("DRAGGONNB_CHROMIUM") or shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed, and DRAGGONNB_CHROMIUM names none"),
]


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield await browser.new_page(java_script_enabled=False)
        await browser.close()


@pytest.mark.parametrize(("button", "end", "payments"), [("Pay", "returned", ["sub-1"]), ("Cancel", "cancelled", [])])
async def test_a_person_pays_or_does_not_and_comes_back(
    sandbox: Sandbox, page: Page, button: str, end: str, payments: list[str]
) -> None:
    async with HttpDoor(user_agent="test") as door, letter_box() as shop, letter_box() as box:
        addresses = {"return_url": f"{shop.url}/returned", "cancel_url": f"{shop.url}/cancelled"}
        url, fields = payfast(door, f"{sandbox.url}/payfast").checkout_form(checkout(box.url, **addresses))
        inputs = "".join(f'<input name="{name}" value="{html.escape(value)}">' for name, value in fields)
        await page.set_content(f'<form method="post" action="{url}">{inputs}<button>Order</button></form>')

        await page.get_by_role("button", name="Order").click()
        await page.get_by_role("heading", name="Pay Starter & more").wait_for()
        assert await page.get_by_text("R 1500.00 every month").is_visible()
        await page.get_by_role("button", name=button).click()
        await page.wait_for_url(f"{shop.url}/{end}")

        assert [itn.m_payment_id for itn in await box.notices(len(payments))] == payments
    assert [paid["m_payment_id"] for paid in sandbox.public("payfast")] == payments
