"""Pictures for a LinkedIn post: reserve a URN, PUT the bytes, wait until LinkedIn has processed them.

Lives here: the steps before the irreversible call; nothing of them is public. Does not live here: the post itself
(`linkedin.py`), which pictures LinkedIn takes (`domain/post_rules.py`).
Source: Microsoft Learn, LinkedIn Images API (view li-lms-2026-05).

Progress: {"images": [urn or null, one for each medium, in order], "ready": how many of them are AVAILABLE,
"looks": how often was asked since the last change, "restarts": pictures that were begun anew}.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from draggonnb_pipelines.domain.publishing import Media, Payload, Prepared
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.linkedin_wire import VENDOR, Call, json_of, quoted, unreadable
from draggonnb_pipelines.resources.storage import MediaStorage

MAX_RESTARTS = 3
MAX_IMAGE_BYTES = 40_000_000
# 1, 2, 4, ... seconds between looks, together five minutes; processing takes seconds.
MAX_LOOKS = 10
LONGEST_WAIT_SECONDS = 60.0


async def prepare_images(
    call: Call, storage: MediaStorage, owner: str, payload: Payload, progress: Mapping[str, Any], *, base_url: str
) -> Prepared:
    """One step: upload the next picture, or when all are there ask whether they are ready.

    Raises:
        VendorError: sorted; INPUT where LinkedIn failed to process pictures more than MAX_RESTARTS times.
    """
    images: list[Any] = list(progress.get("images") or [None] * len(payload.media))
    state = {"images": images, "ready": progress.get("ready", 0), "looks": 0, "restarts": progress.get("restarts", 0)}
    if None in images:
        place = images.index(None)
        images[place] = await _upload(call, storage, owner, payload.media[place], base_url)
        return Prepared(state, is_ready=False)
    looks = progress.get("looks", 0) + 1
    while state["ready"] < len(images):
        status = await _status(call, images[state["ready"]])
        if status in ("PROCESSING", "WAITING_UPLOAD") and looks < MAX_LOOKS:
            wait = min(2.0 ** (looks - 1), LONGEST_WAIT_SECONDS)
            return Prepared(state | {"looks": looks}, is_ready=False, look_again_seconds=wait)
        if status != "AVAILABLE":
            return _begun_anew(state, state["ready"], status)
        state["ready"] += 1
    return Prepared(state, is_ready=True)


def _begun_anew(state: dict[str, Any], place: int, status: str) -> Prepared:
    if state["restarts"] >= MAX_RESTARTS:
        raise VendorError(VENDOR, ErrorClass.INPUT, f"LinkedIn does not take picture {place + 1}: {status}")
    images = [*state["images"][:place], None, *state["images"][place + 1 :]]
    return Prepared(state | {"images": images, "restarts": state["restarts"] + 1}, is_ready=False)


async def _upload(call: Call, storage: MediaStorage, owner: str, media: Media, base_url: str) -> str:
    if media.is_video:
        raise VendorError(VENDOR, ErrorClass.INPUT, "videos are not published to LinkedIn, only pictures")
    content = await _bytes_of(storage, media)
    reserved = await call(
        "POST", "/rest/images?action=initializeUpload", json={"initializeUploadRequest": {"owner": owner}}
    )
    value = json_of(reserved).get("value")
    urn, url = (value.get("image"), value.get("uploadUrl")) if isinstance(value, dict) else (None, None)
    if not isinstance(urn, str) or not isinstance(url, str):
        raise unreadable("the answer to initializeUpload")
    if not _is_linkedins(url, base_url):
        # The token goes with the bytes.
        raise VendorError(VENDOR, ErrorClass.CONFIG, "LinkedIn named an upload address that is not LinkedIn's")
    await call("PUT", url, content=content, headers={"Content-Type": "application/octet-stream"})
    return urn


async def _bytes_of(storage: MediaStorage, media: Media) -> bytes:
    try:
        return await storage.read(media.url, MAX_IMAGE_BYTES)
    except VendorError as error:
        if error.error_class not in (ErrorClass.AUTH, ErrorClass.PERMISSION):
            raise
        # Of the link, not of the account: it must not look like a LinkedIn token that has expired.
        message = f"the link to a picture does not open ({error.message})"
        raise VendorError(VENDOR, ErrorClass.RETRY, message, status=error.status) from error


async def _status(call: Call, urn: str) -> str:
    try:
        status = json_of(await call("GET", f"/rest/images/{quoted(urn)}")).get("status")
    except VendorError as error:
        if error.status == 404:
            return "GONE"
        raise
    if not isinstance(status, str):
        raise unreadable("the state of a picture")
    return status[:40]


def _is_linkedins(url: str, base_url: str) -> bool:
    there, ours = urlsplit(url), urlsplit(base_url)
    if (there.scheme, there.netloc) == (ours.scheme, ours.netloc):
        return True
    return there.scheme == "https" and (there.hostname or "").endswith(".linkedin.com") and "@" not in there.netloc
