"""The review page in a real browser: on a narrow screen in the dark, answered by keyboard."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from tests.api.conftest import Api
from tests.api.post_reviews import REVIEWER, PostReviews

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


async def test_a_reviewer_is_asked_for_words_and_approves_on_a_phone_in_the_dark(
    api: Api, browser: Browser, agency: Organization, master: MasterDb, tenants: Tenants
) -> None:
    posts = PostReviews(agency, master, tenants)
    token = await posts.add()
    page = await browser.new_page(viewport={"width": 360, "height": 740}, color_scheme="dark")
    troubles: list[str] = []
    page.on("console", lambda entry: troubles.append(entry.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))

    await page.goto(f"{api.url}/reviews/{token}")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await page.get_by_role("button", name="Ask for a change").click()
    assert await page.get_by_role("alert").is_visible()
    assert await page.evaluate("window.scrollY") > 500  # back at the form, not at the top
    comment = page.get_by_label("Your comment")
    assert await comment.get_attribute("aria-invalid") == "true"
    await comment.fill("Lovely.")
    approve = page.get_by_role("button", name="Approve")
    await approve.focus()
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Approved on").wait_for()

    assert await page.get_by_role("button").count() == 0
    assert await posts.statuses() == ["approved"]
    assert await posts.decisions() == [("approved", "Lovely.", REVIEWER, "link")]
    # Chromium reports the 422 of the first try as a failed resource; nothing else may be there.
    assert [trouble for trouble in troubles if "422" not in trouble] == []
