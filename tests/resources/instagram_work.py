"""What the tests of Instagram share: an account, posts of the sandbox's sample media, the way through the steps."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.publishing import Account, Media, Part, Payload, Platform, Prepared
from draggonnb_pipelines.errors import VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.instagram import Instagram
from tests.sandbox_process import Sandbox

ACCOUNT = Account(Platform.INSTAGRAM, "ig-1", "sandbox-ig-1")
CREATE = "POST /graph/v25.0/ig-1/media"
PUBLISH = "POST /graph/v25.0/ig-1/media_publish"
NOBODY = frozenset[str]()


def client(door: HttpDoor, sandbox: Sandbox) -> Instagram:
    """The adapter, of an Instagram whose containers are ready at once."""
    sandbox.settings(instagram_container_seconds=0.0)
    return Instagram(door, base_url=f"{sandbox.url}/graph/v25.0", app_id="app", app_secret="secret")


def media(sandbox: Sandbox, path: str = "media/square.jpg") -> Media:
    content_type = "video/mp4" if path.endswith("mp4") else "image/jpeg"
    return Media(sandbox.signed_media(path), content_type, 1000, alt_text="A cup")


def post(sandbox: Sandbox, *paths: str, caption: str = "Fresh beans") -> Payload:
    return Payload(Part.POST, caption, tuple(media(sandbox, path) for path in paths or ("media/square.jpg",)))


async def steps_of(instagram: Instagram, payload: Payload) -> list[Prepared]:
    """Prepare to the end, each step from what the one before it left."""
    steps = [await instagram.prepare(ACCOUNT, payload, {})]
    while not steps[-1].is_ready:
        assert len(steps) < 10
        steps.append(await instagram.prepare(ACCOUNT, payload, steps[-1].progress))
    return steps


async def find(instagram: Instagram, payload: Payload, progress: Mapping[str, Any], **changes: Any) -> str | None:
    window = {"since": datetime.now(UTC) - timedelta(minutes=2), "taken": NOBODY} | changes
    found = await instagram.find(ACCOUNT, payload, progress, **window)
    return found.platform_post_id if found else None


async def refused_step(instagram: Instagram, payload: Payload, progress: Mapping[str, Any]) -> VendorError:
    with pytest.raises(VendorError) as raised:
        await instagram.prepare(ACCOUNT, payload, progress)
    return raised.value


async def refused(instagram: Instagram, payload: Payload, progress: Mapping[str, Any]) -> VendorError:
    with pytest.raises(VendorError) as raised:
        await instagram.publish(ACCOUNT, payload, progress)
    return raised.value


def routes(sandbox: Sandbox) -> list[str]:
    return [entry["route"].replace("/graph/{version}/", "") for entry in sandbox.journal("instagram")]
