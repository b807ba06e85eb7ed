"""The files of a post, signed and looked at just before the network fetches them.

Not here: what a network makes of them (its adapter), and what they must keep to (`content_checks.py`).
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from draggonnb_pipelines.domain.publishing import Media, Payload
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.publishing.publish_records import Row

SIGNED_SECONDS = 6 * 3600


async def with_media(stack: Stack, row: Row) -> Payload:
    """The files, signed and looked at: one that is gone or has changed since is the post's fault, before any call."""
    bucket = row.values["media_bucket"]
    return Payload(
        row.payload.part,
        row.payload.text,
        tuple(await asyncio.gather(*(_media(stack, bucket, item) for item in row.values["payload"]["media"]))),
        row.payload.parent_id,
        row.payload.made_with_ai,
    )


async def _media(stack: Stack, bucket: str, item: Mapping[str, Any]) -> Media:
    url = await stack.storage.sign(bucket, item["path"], seconds=SIGNED_SECONDS)
    stored = await stack.storage.inspect(url)
    for name, was, found in (
        ("type", item.get("content_type"), stored.content_type),
        ("size", item.get("size_bytes"), stored.size_bytes),
        ("digest", item.get("etag"), stored.etag),
    ):
        if was is not None and was != found:
            message = f"media {item['path']}: its {name} was {was} when the post was checked and is {found} now"
            raise VendorError("storage", ErrorClass.INPUT, message)
    return Media(
        url,
        stored.content_type,
        stored.size_bytes,
        stored.width,
        stored.height,
        item.get("duration_seconds"),
        item.get("alt"),
    )
