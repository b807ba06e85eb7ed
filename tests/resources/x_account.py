"""X as this room's tests use it: the adapter on the sandbox, an account of it, and what is public."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from draggonnb_pipelines.domain.publishing import Account, Found, Media, Part, Payload, Platform, Prepared
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.storage import MediaStorage
from draggonnb_pipelines.resources.x import X
from tests.sandbox_process import Sandbox

ACCOUNT = Account(Platform.X, "1001", "sandbox-1001")
CREATE = "POST /x/2/tweets"
TIMELINE = "GET /x/2/users/1001/tweets"


def adapter(door: HttpDoor, url: str, *, client_secret: str = "our-secret") -> X:
    """The adapter on a server: the sandbox's address, or any other that speaks for X."""
    storage = MediaStorage(door, base_url=f"{url}/supabase/storage/v1", key="service-key")
    base = f"{url}/x"
    return X(door, base_url=base, web_url=base, storage=storage, client_id="our-app", client_secret=client_secret)


def post(text: str = "Fresh bread from six o'clock", **changes: Any) -> Payload:
    return Payload(Part.POST, text, **changes)


def reply(text: str, parent_id: str) -> Payload:
    return Payload(Part.REPLY, text, parent_id=parent_id)


async def find(x: X, payload: Payload, **changes: Any) -> Found | None:
    since = datetime.now(UTC) - timedelta(minutes=2)
    return await x.find(ACCOUNT, payload, {}, **({"since": since, "taken": frozenset()} | changes))


async def stored(door: HttpDoor, sandbox: Sandbox, content: bytes, content_type: str, **details: Any) -> Media:
    """A file in the sandbox's storage, behind a signed link."""
    base = f"{sandbox.url}/supabase/storage/v1"
    headers = {"authorization": "Bearer service-key", "content-type": content_type, "x-upsert": "true"}
    async with httpx.AsyncClient() as client:
        (await client.post(f"{base}/object/media/x/file", content=content, headers=headers)).raise_for_status()
    url = await MediaStorage(door, base_url=base, key="service-key").sign("media", "x/file", seconds=600)
    return Media(url, content_type, len(content), **details)


async def prepared(x: X, payload: Payload, *, at_most: int = 20) -> list[Prepared]:
    """Every step of the preparation, each fed with what the one before it left."""
    steps = [await x.prepare(ACCOUNT, payload, {})]
    while not steps[-1].is_ready and len(steps) < at_most:
        steps.append(await x.prepare(ACCOUNT, payload, steps[-1].progress))
    return steps


def asked(sandbox: Sandbox) -> list[str]:
    """The calls that X saw, in order: `POST /2/tweets 201`."""
    return [f"{one['method']} {one['route'].split(' ')[1][2:]} {one['status']}" for one in sandbox.journal("x")]
