"""A till for tests: a merchant's account at the sandbox's PayFast, a buyer's browser, a letter box for notices."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx

from draggonnb_pipelines.domain.itn import Itn, parse_itn
from draggonnb_pipelines.domain.payfast import Checkout
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.payfast import PayFast
from tests.resources.raw_server import Seen, answer, raw_server, replies
from tests.sandbox_process import Sandbox

PASSPHRASE = "jt7NOE43FZPn"
MERCHANT = {"merchant_id": "10000100", "merchant_key": "46f0cd694581a", "passphrase": PASSPHRASE}
RETURN_URL = "https://crm.example/billing/return"
CANCEL_URL = "https://crm.example/billing/cancel"


def payfast(door: HttpDoor, base: str, **changes: Any) -> PayFast:
    """The adapter; `base` is where pages and API live."""
    pages = {"process_url": f"{base}/eng/process", "validate_url": f"{base}/eng/query/validate"}
    return PayFast(door, **{**pages, "api_url": f"{base}/api", **MERCHANT, "testing": True, **changes})


def checkout(notify_url: str = "http://127.0.0.1:9/itn", **changes: Any) -> Checkout:
    """A monthly subscription of R1,500, as the changes want it."""
    fields: dict[str, Any] = {"m_payment_id": "sub-1", "amount_cents": 150000, "item_name": "Starter & more"}
    addresses = {"return_url": RETURN_URL, "cancel_url": CANCEL_URL, "notify_url": notify_url}
    buyer = {"name_first": "Front", "name_last": "Desk", "email_address": "desk@shop.example"}
    return Checkout(**{**fields, **addresses, **buyer, "custom_str": ("org-1",), **changes})


async def visit(method: str, url: str, **arguments: Any) -> httpx.Response:
    """What a browser does; redirects are not followed."""
    async with httpx.AsyncClient(timeout=15) as browser:
        return await browser.request(method, url, **arguments)


async def open_checkout(client: PayFast, order: Checkout) -> httpx.Response:
    """Post the form, as a browser does; PayFast's page."""
    url, fields = client.checkout_form(order)
    return await visit("POST", url, data=dict(fields))


async def press(sandbox: Sandbox, page: httpx.Response, button: str) -> httpx.Response:
    """Press Pay or Cancel on a checkout's page."""
    assert page.status_code == 200, page.text
    form = re.search(rf'action="([^"]+/{button.lower()})"><button>{button}</button>', page.text)
    assert form, page.text
    return await visit("POST", sandbox.url + form[1])


async def buy(sandbox: Sandbox, client: PayFast, order: Checkout) -> httpx.Response:
    return await press(sandbox, await open_checkout(client, order), "Pay")


async def control(sandbox: Sandbox, name: str, **body: Any) -> httpx.Response:
    """Play a charge, or send a notice by hand."""
    return await visit("POST", f"{sandbox.url}/_sandbox/payfast/{name}", json=body)


class LetterBox:
    """Where notices arrive: `url` is the address to name to PayFast."""

    def __init__(self, *statuses: int) -> None:
        self.url = ""
        self._answers = replies(*(answer(status, b"") for status in statuses or (200,)))
        self._arrived: asyncio.Queue[Seen] = asyncio.Queue()

    async def take(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        self._arrived.put_nowait(seen)
        await self._answers(seen, writer)

    async def requests(self, count: int) -> list[Seen]:
        """Those that arrived since the last look; there must be so many, and no more for a moment."""
        async with asyncio.timeout(5):
            taken = [await self._arrived.get() for _ in range(count)]
        await asyncio.sleep(0.1)
        assert self._arrived.empty()
        return taken

    async def notices(self, count: int) -> list[Itn]:
        return [parse_itn(seen.body) for seen in await self.requests(count)]


@contextlib.asynccontextmanager
async def letter_box(*statuses: int) -> AsyncIterator[LetterBox]:
    """A receiver that answers with these statuses in turn, the last one for ever; 200 without any."""
    box = LetterBox(*statuses)
    async with raw_server(box.take) as server:
        box.url = f"{server.url}/itn"
        yield box
