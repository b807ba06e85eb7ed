"""The LinkedIn adapter as this room's tests build it, against the sandbox or a server of their own."""

from datetime import UTC, datetime
from typing import Any

from draggonnb_pipelines.domain.publishing import Account, Media, Part, Payload, Platform, Prepared
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.linkedin import LinkedIn
from draggonnb_pipelines.resources.storage import MediaStorage
from tests.resources.raw_server import by_status

ACCOUNT = Account(Platform.LINKEDIN, "5551", "sandbox-5551")
OUTSIDER = Account(Platform.LINKEDIN, "77", "sandbox-77")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)


def storage_of(door: HttpDoor, base: str) -> MediaStorage:
    return MediaStorage(door, base_url=f"{base}/supabase/storage/v1", key="sandbox")


def linkedin(door: HttpDoor, base: str, **change: Any) -> LinkedIn:
    details = {
        "base_url": f"{base}/linkedin",
        "web_url": f"{base}/linkedin",
        "version": "202607",
        "storage": storage_of(door, base),
        "client_id": "id",
        "client_secret": "secret",
        "now": lambda: NOW,
    }
    return LinkedIn(door, **{**details, **change})


def post(text: str = "Fresh coffee", *media: Media) -> Payload:
    return Payload(Part.POST, text, media)


def comment(text: str, parent: str) -> Payload:
    return Payload(Part.COMMENT, text, parent_id=parent)


async def picture(door: HttpDoor, base: str, name: str = "square.jpg", **change: Any) -> Media:
    url = await storage_of(door, base).sign("media", name, seconds=60)
    return Media(**{"url": url, "content_type": "image/jpeg", "size_bytes": 20_000, **change})


async def page(door: HttpDoor, url: str | None) -> str:
    """What a visitor of a post's link sees."""
    return (await door.call("visitor", "GET", url or "", idempotent=True, sort=by_status)).content.decode()


async def prepared(client: LinkedIn, payload: Payload, *, most: int = 30) -> Prepared:
    """Call `prepare` again and again, as the ledger does, without the waits."""
    step = Prepared({}, is_ready=False)
    for _ in range(most):
        step = await client.prepare(ACCOUNT, payload, step.progress)
        if step.is_ready:
            return step
    raise AssertionError(f"not ready after {most} steps: {step}")
