"""A buyer with a browser: what a person does from a proposal to PayFast's page and back, over HTTP alone.

Not here: the same in Chromium, and what must come of it (`test_client_story.py`).
"""

from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

from tests.stories.system import System

BUYER = {"name": "Front desk", "agree": "yes"}


class Forms(HTMLParser):
    """The forms of a page as a browser would send them: action and fields."""

    def __init__(self, page: requests.Response) -> None:
        super().__init__()
        self.page = page
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append((urljoin(self.page.url, given.get("action", "")), {}))
        elif given.get("name") and self.found:
            self.found[-1][1][given["name"]] = given.get("value", "")


def buy(system: System, proposal: str, email: str) -> str:
    """What a person does with a browser: accept, choose Growth, pay; the page to which PayFast leads back."""
    with requests.Session() as browser:
        early = browser.get(f"{proposal}/plans", timeout=10)
        assert early.status_code == 409
        accepted = browser.post(f"{proposal}/accept", data={**BUYER, "email": email}, timeout=10)
        assert accepted.status_code == 200
        plans = Forms(browser.get(f"{proposal}/plans", timeout=10))
        [(action, fields)] = [form for form in plans.found if form[1].get("plan") == "growth"]
        checkout = Forms(browser.post(action, data=fields, timeout=10))
        # Nobody is a client for having chosen.
        assert system.master("select state from checkouts") == [{"state": "open"}]
        assert system.master("select count(*) as n from subscriptions") == [{"n": 0}]
        [(till, fields)] = checkout.found
        buttons = Forms(browser.post(till, data=fields, timeout=10)).found
        [pay] = [action for action, _ in buttons if action.endswith("/pay")]
        thanks = browser.post(pay, timeout=10)
    assert (thanks.status_code, thanks.url) == (200, f"{checkout.page.url}/thanks")
    return thanks.url
