"""X's chunked media upload: initialize, append, finalize, status, alt text.

An upload counts the bytes of its segments and forgets them. Videos and GIFs are processed for `x_processing_seconds`
after they are complete.
"""

import math
import re
import time
from typing import Any

from vendor_sandbox.social import next_number
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call
from vendor_sandbox.x_access import data_answer, invalid, problem

MAX_SEGMENT_BYTES = 5_000_000
MAX_ALT_TEXT = 1_000
_EPOCH_MS = 1_288_834_974_657
_LIFETIME_SECONDS = 86_400
_CATEGORIES = {"tweet_image": "photo", "tweet_gif": "animated_gif", "tweet_video": "video"}
_TYPES = {
    "tweet_image": frozenset({"image/jpeg", "image/png", "image/webp", "image/bmp", "image/tiff", "image/pjpeg"}),
    "tweet_gif": frozenset({"image/gif"}),
    "tweet_video": frozenset({"video/mp4", "video/webm", "video/quicktime", "video/mp2t"}),
}
_MAX_BYTES = {"tweet_image": 5_242_880, "tweet_gif": 15_728_640, "tweet_video": 536_870_912}
_FIELDS = frozenset({"media_type", "media_category", "total_bytes", "shared", "additional_owners"})
_PART_NAME = re.compile(rb'name="([^"]*)"')


def snowflake() -> str:
    """An id that grows with time, in X's own shape."""
    return str(((int(time.time() * 1000) - _EPOCH_MS) << 22) | (next_number() & 0x3FFFFF))


def initialize(call: Call, sandbox: Sandbox, account: str) -> Answer:
    """POST /2/media/upload/initialize."""
    body = _body(call)
    unknown = sorted(set(body) - _FIELDS)
    if unknown:
        return invalid(unknown[0], f"[{unknown[0]}] is not one of the allowed parameters")
    category, total = body.get("media_category", "tweet_image"), body.get("total_bytes")
    if body.get("media_type") not in _TYPES.get(category, ()):
        return invalid("media_type", "The media type does not fit the media category.")
    if not isinstance(total, int) or not 0 < total <= _MAX_BYTES[category]:
        return invalid("total_bytes", f"File size must be between 1 and {_MAX_BYTES[category]} bytes.")
    upload = {
        "account": account,
        "type": _CATEGORIES[category],
        "total": total,
        "segments": {},
        "is_complete": False,
        "ready_at": 0.0,
        "has_failed": False,
        "alt": None,
        "expires": time.monotonic() + _LIFETIME_SECONDS,
        "id": snowflake(),
    }
    sandbox.social.uploads[_key(upload["id"])] = upload
    return data_answer(200, {"data": _described(upload)})


def append(call: Call, sandbox: Sandbox, account: str, media: str) -> Answer:
    """POST /2/media/upload/{id}/append, multipart: `segment_index` and `media`."""
    upload = usable(sandbox, account, media)
    if upload is None or call.fault_kind == "media_lost":
        return _missing(media)
    parts = _parts(call)
    index, content = parts.get("segment_index", b"").decode("ascii", "replace"), parts.get("media", b"")
    if not index.isdigit() or int(index) > 999:
        return invalid("segment_index", "The segment index must be between 0 and 999.")
    if not content or len(content) > MAX_SEGMENT_BYTES:
        return invalid("media", f"A segment has between 1 and {MAX_SEGMENT_BYTES} bytes.")
    upload["segments"][int(index)] = len(content)
    return data_answer(200, {"data": {"expires_at": int(time.time()) + _LIFETIME_SECONDS}})


def finalize(call: Call, sandbox: Sandbox, account: str, media: str) -> Answer:
    """POST /2/media/upload/{id}/finalize."""
    upload = usable(sandbox, account, media)
    if upload is None or call.fault_kind == "media_lost":
        return _missing(media)
    segments = upload["segments"]
    if sorted(segments) != list(range(len(segments))) or sum(segments.values()) != upload["total"]:
        return invalid("media_id", "Segments do not add up to provided total file size.")
    if not upload["is_complete"]:
        is_slow = upload["type"] != "photo"
        upload["ready_at"] = time.monotonic() + (sandbox.settings.x_processing_seconds if is_slow else 0.0)
        upload["is_complete"] = True
    upload["has_failed"] = upload["has_failed"] or call.fault_kind == "media_failed"
    return data_answer(200, {"data": _described(upload) | {"size": upload["total"]}})


def status(call: Call, sandbox: Sandbox, account: str) -> Answer:
    """GET /2/media/upload?media_id=."""
    media = call.query.get("media_id", "")
    upload = usable(sandbox, account, media)
    if upload is None or call.fault_kind == "media_lost":
        return _missing(media)
    return data_answer(200, {"data": _described(upload)})


def describe(call: Call, sandbox: Sandbox, account: str) -> Answer:
    """POST /2/media/metadata: the alt text of an image or a GIF."""
    body = _body(call)
    upload = usable(sandbox, account, str(body.get("id", "")))
    if upload is None:
        return _missing(str(body.get("id", "")))
    metadata = body.get("metadata")
    text = (metadata.get("alt_text") or {}).get("text") if isinstance(metadata, dict) else None
    if not isinstance(text, str) or not 0 < len(text) <= MAX_ALT_TEXT:
        return invalid("metadata.alt_text.text", f"The alt text has between 1 and {MAX_ALT_TEXT} characters.")
    upload["alt"] = text
    return data_answer(200, {"data": {"id": upload["id"], "associated_metadata": {"alt_text": {"text": text}}}})


def usable(sandbox: Sandbox, account: str, media: str) -> dict[str, Any] | None:
    """This user's upload, while it lives."""
    upload = sandbox.social.uploads.get(_key(media))
    return upload if upload and upload["account"] == account and time.monotonic() < upload["expires"] else None


def is_ready(upload: dict[str, Any]) -> bool:
    return upload["is_complete"] and not upload["has_failed"] and time.monotonic() >= upload["ready_at"]


def _described(upload: dict[str, Any]) -> dict[str, Any]:
    left = int(upload["expires"] - time.monotonic())
    data = {"id": upload["id"], "media_key": f"3_{upload['id']}", "expires_after_secs": left}
    if not upload["is_complete"] or (upload["type"] == "photo" and not upload["has_failed"]):
        return data
    if upload["has_failed"]:
        return {**data, "processing_info": {"state": "failed", "progress_percent": 0}}
    wait = upload["ready_at"] - time.monotonic()
    if wait <= 0:
        return {**data, "processing_info": {"state": "succeeded", "progress_percent": 100}}
    return {**data, "processing_info": {"state": "in_progress", "check_after_secs": max(1, math.ceil(wait))}}


def _missing(media: str) -> Answer:
    more = {"resource_type": "media", "resource_id": media}
    return problem(404, "Could not find media with this id.", "resource-not-found", **more)


def _key(media: str) -> str:
    return f"x:{media}"


def _body(call: Call) -> dict[str, Any]:
    try:
        body = call.json
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _parts(call: Call) -> dict[str, bytes]:
    """The parts of a multipart/form-data body, by name."""
    boundary = call.headers.get("content-type", "").partition("boundary=")[2].strip('"').encode()
    if not boundary:
        return {}
    parts: dict[str, bytes] = {}
    for part in call.body.split(b"--" + boundary):
        head, _, content = part.partition(b"\r\n\r\n")
        if name := _PART_NAME.search(head):
            parts[name.group(1).decode("utf-8", "replace")] = content.removesuffix(b"\r\n")
    return parts
