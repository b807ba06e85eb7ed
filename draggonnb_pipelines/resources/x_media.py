"""X's chunked media upload, in steps that are stored one by one.

Lives here: what one step of the work before a post does. Does not live here: the post itself (`x.py`), which files X
takes (`domain/post_rules.py`).
Sources: docs.x.com "Chunked media upload" and OpenAPI 2.167 (/2/media/upload/*, /2/media/metadata). Nothing of this is
public, so every call may be repeated; a lost answer wastes an upload and no more.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

from draggonnb_pipelines.domain.publishing import Media, Payload, Prepared
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.exchange import Answer
from draggonnb_pipelines.resources.storage import MediaStorage
from draggonnb_pipelines.resources.x_errors import VENDOR, json_of

SEGMENT_BYTES = 4 * 1024 * 1024  # X takes at most 5 MB
SEGMENTS_PER_STEP = 8
MAX_RESTARTS = 3
_LOOK_AGAIN_SECONDS = 5.0
_MAX_LOOK_AGAIN_SECONDS = 60.0

Call = Callable[..., Awaitable[Answer]]


class Uploads:
    """The upload of a payload's media for one account.

    `progress["media"]` has one entry for each file that was begun: `id`, `sent` (segments), `is_processing`,
    `is_ready`. `progress["restarts"]` counts the uploads that were lost or failed.

    Args:
        call: (method, path, **arguments) with the account's token; RETRY where a server fails.
    """

    def __init__(self, call: Call, storage: MediaStorage) -> None:
        self._call = call
        self._storage = storage

    async def step(self, payload: Payload, progress: Mapping[str, Any]) -> Prepared:
        """Bring the first file that is not ready one step further: begin it, send segments, or look at it.

        Raises:
            VendorError: INPUT, X refuses the file or lost it too often; else sorted.
        """
        entries = [dict(entry) for entry in progress.get("media", ())]
        index = next((number for number, entry in enumerate(entries) if not entry["is_ready"]), len(entries))
        if index >= len(payload.media):
            return Prepared(progress, is_ready=True)
        if index == len(entries):
            entries.append(await self._begin(payload.media[index]))
        entry, restarts = entries[index], progress.get("restarts", 0)
        try:
            wait = await self._advance(payload.media[index], entry)
        except VendorError as error:
            if not _is_lost(error):
                raise
            if restarts >= MAX_RESTARTS:
                raise VendorError(
                    VENDOR,
                    ErrorClass.INPUT,
                    f"media {index + 1} could not be uploaded, {restarts + 1} times: {error.message}",
                    status=error.status,
                    code=error.code,
                ) from error
            return Prepared({"media": entries[:index], "restarts": restarts + 1}, is_ready=False)
        is_ready = index + 1 == len(payload.media) and entry["is_ready"]
        return Prepared({"media": entries, "restarts": restarts}, is_ready=is_ready, look_again_seconds=wait)

    async def _begin(self, media: Media) -> dict[str, Any]:
        content = {
            "media_type": media.content_type,
            "media_category": _category(media),
            "total_bytes": media.size_bytes,
        }
        response = await self._call("POST", "/2/media/upload/initialize", json=content)
        return {"id": _data(response, "id")["id"], "sent": 0, "is_processing": False, "is_ready": False}

    async def _advance(self, media: Media, entry: dict[str, Any]) -> float:
        """One step with a file that was begun; changes `entry`. Returns how many seconds to wait before the next."""
        if entry["is_processing"]:
            params = {"command": "STATUS", "media_id": entry["id"]}
            return self._processed(entry, await self._call("GET", "/2/media/upload", params=params))
        total = -(-media.size_bytes // SEGMENT_BYTES)
        last = min(total, entry["sent"] + SEGMENTS_PER_STEP)
        for number in range(entry["sent"], last):
            await self._append(media, entry["id"], number)
        entry["sent"] = last
        if last < total:
            return 0.0
        response = await self._call("POST", f"/2/media/upload/{entry['id']}/finalize")
        if media.alt_text and not media.is_video:
            alt_text = {"alt_text": {"text": media.alt_text}}
            await self._call("POST", "/2/media/metadata", json={"id": entry["id"], "metadata": alt_text})
        return self._processed(entry, response)

    async def _append(self, media: Media, media_id: str, number: int) -> None:
        start = number * SEGMENT_BYTES
        size = min(SEGMENT_BYTES, media.size_bytes - start)
        chunk = await self._storage.read_part(media.url, start=start, size=size)
        form = httpx.Request(
            "POST",
            "http://form",
            data={"segment_index": str(number)},
            files={"media": ("segment", chunk, "application/octet-stream")},
        )
        content_type = {"Content-Type": form.headers["content-type"]}
        await self._call("POST", f"/2/media/upload/{media_id}/append", content=form.read(), headers=content_type)

    def _processed(self, entry: dict[str, Any], response: Answer) -> float:
        """Note how far X is with the file. Images need no processing, and their answer says nothing about it."""
        info = _data(response, "id").get("processing_info")
        state = info.get("state") if isinstance(info, dict) else "succeeded"
        if state == "failed":
            raise VendorError(VENDOR, ErrorClass.INPUT, "X could not process the file", code="media-failed")
        entry["is_ready"] = state == "succeeded"
        entry["is_processing"] = not entry["is_ready"]
        if entry["is_ready"] or not isinstance(info, dict):
            return 0.0
        asked = info.get("check_after_secs")
        seconds = float(asked) if isinstance(asked, int | float) else _LOOK_AGAIN_SECONDS
        return min(max(seconds, 0.0), _MAX_LOOK_AGAIN_SECONDS)


def media_ids(progress: Mapping[str, Any]) -> list[str]:
    """The ids of the files that are ready, in the payload's order."""
    return [entry["id"] for entry in progress.get("media", ()) if entry["is_ready"]]


def _is_lost(error: VendorError) -> bool:
    """True where X does not know the upload any more, or gave up on it: another try may do."""
    return error.vendor == VENDOR and error.error_class is ErrorClass.INPUT


def _category(media: Media) -> str:
    if media.is_video:
        return "tweet_video"
    return "tweet_gif" if media.content_type == "image/gif" else "tweet_image"


def _data(response: Answer, *keys: str) -> dict[str, Any]:
    data = json_of(response).get("data")
    if not isinstance(data, dict) or not all(isinstance(data.get(key), str) and data[key] for key in keys):
        raise VendorError(VENDOR, ErrorClass.RETRY, "an answer without an id", status=response.status_code)
    return data
