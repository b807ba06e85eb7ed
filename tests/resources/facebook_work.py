"""What the tests of Facebook pages share: a page, posts, looking for them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.publishing import Account, Media, Part, Payload, Platform
from draggonnb_pipelines.errors import VendorError
from draggonnb_pipelines.resources.facebook import FacebookPages
from draggonnb_pipelines.resources.http import HttpDoor
from tests.sandbox_process import Sandbox

PAGE = Account(Platform.FACEBOOK, "page-1", "sandbox-page-1")
FEED = "POST /graph/v25.0/page-1/feed"
NOBODY = frozenset[str]()


def client(door: HttpDoor, sandbox: Sandbox) -> FacebookPages:
    base = f"{sandbox.url}/graph"
    return FacebookPages(door, base_url=f"{base}/v25.0", app_id="app", app_secret="secret", web_url=f"{base}/public")


def text(words: str = "Fresh beans today") -> Payload:
    return Payload(Part.POST, words)


def picture(sandbox: Sandbox, path: str = "media/square.jpg", content_type: str = "image/jpeg") -> Media:
    return Media(sandbox.signed_media(path), content_type, 1000, alt_text="A cup")


def just_now() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=2)


async def find(pages: FacebookPages, payload: Payload, **changes: Any) -> str | None:
    found = await pages.find(PAGE, payload, {}, **({"since": just_now(), "taken": NOBODY} | changes))
    return found.platform_post_id if found else None


async def refused(pages: FacebookPages, payload: Payload, account: Account = PAGE) -> VendorError:
    with pytest.raises(VendorError) as raised:
        await pages.publish(account, payload, {})
    return raised.value
