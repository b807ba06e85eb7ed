"""Instagram accounts under /graph: containers, their states, publishing at most once, the daily quota, comments.

Not here: what Instagram shares with pages (graph.py). A container takes `instagram_container_seconds` to be FINISHED;
scripts make one fail (`container_error`), expire (`container_expired`) or dawdle (`container_slow`).
"""

import time
from typing import Any

from vendor_sandbox import facebook, storage
from vendor_sandbox.graph import (
    PLATFORMS,
    Refusal,
    chosen,
    granted,
    graph_route,
    graph_time,
    listed,
    parameters,
    post_of,
    scripted_error,
    token_of,
)
from vendor_sandbox.graph_metrics import medium_fields
from vendor_sandbox.social import SocialPost, next_number
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, json_answer

__all__ = ["ROUTES", "scripted_error"]

PLATFORM = "instagram"
CAPTION_MAX = 2_200
HASHTAGS_MAX = 30
IMAGE_MAX_BYTES = 8 * 1024 * 1024
CAROUSEL_MAX = 10
QUOTA_SECONDS = 86_400
RATIOS = (0.8, 1.91)
_FIRST_CONTAINER, _FIRST_MEDIA = 17_900_000_000_000_000, 18_000_000_000_000_000


def create_container(call: Call, sandbox: Sandbox, version: str, account: str) -> Answer:
    """POST /{ig}/media: an image, a reel, an item of a carousel, or the carousel itself."""
    granted(call, sandbox, PLATFORM, account, "instagram_content_publish")
    given = parameters(call)
    caption = _checked_caption(given)
    if call.fault_kind == "fetch_failed":
        raise _not_fetched()
    if given.get("media_type") == "CAROUSEL":
        media = _checked_children(sandbox, given.get("children"), account)
    else:
        media = [_fetched(sandbox, given)]
    fault = call.fault or {}
    wait = sandbox.settings.instagram_container_seconds
    if call.fault_kind == "container_slow":
        wait = float(fault.get("for_seconds", 60))
    container = {
        "id": str(_FIRST_CONTAINER + next_number()),
        "account": account,
        "caption": caption,
        "media": media,
        "is_item": str(given.get("is_carousel_item", False)).lower() == "true",
        "ready_at": time.monotonic() + wait,
        "state": {"container_error": "ERROR", "container_expired": "EXPIRED"}.get(call.fault_kind),
        "subcode": fault.get("subcode", 2207053),
    }
    sandbox.social.uploads[container["id"]] = container
    return json_answer(200, {"id": container["id"]})


def publish_container(call: Call, sandbox: Sandbox, version: str, account: str) -> Answer:
    """POST /{ig}/media_publish: each container once."""
    granted(call, sandbox, PLATFORM, account, "instagram_content_publish")
    container = sandbox.social.uploads.get(str(parameters(call).get("creation_id")))
    if container is None or container["account"] != account or container["is_item"]:
        raise Refusal(400, 24, "The requested resource does not exist", subcode=2207006)
    state = _state(container)
    if state == "PUBLISHED":
        raise Refusal(400, 24, "The requested resource does not exist", subcode=2207006)
    if state == "IN_PROGRESS":
        raise Refusal(400, 9007, "Media ID is not available", subcode=2207027)
    if state == "EXPIRED":
        raise Refusal(400, -2, "The media you are trying to access has expired.", subcode=2207020)
    if state == "ERROR":
        raise Refusal(400, -1, "Create media fail, please try to re-create media", subcode=2207032)
    if _used_quota(sandbox, account) >= sandbox.settings.instagram_quota_total:
        raise Refusal(400, 9, "Application request limit reached: too many posts in 24 hours", subcode=2207042)
    container["state"] = "PUBLISHED"
    _published_times(sandbox, account).append(time.monotonic())
    post = _publish(call, sandbox, account, container["caption"], media=container["media"])
    return json_answer(200, {"id": post.id})


def read_node(call: Call, sandbox: Sandbox, version: str, node: str) -> Answer:
    """GET /{container} or GET /{media}; Facebook's videos, and accounts, have ids of the same kind."""
    if owner := next((name for name in PLATFORMS if _speaks_for(call, sandbox, name, node)), None):
        granted(call, sandbox, owner, node)
        return json_answer(200, {"id": node})
    if sandbox.social.get("facebook", node):
        return facebook.read_post(call, sandbox, version, node)
    fields = call.query.get("fields")
    container = sandbox.social.uploads.get(node)
    if container is None or "ready_at" not in container:
        post = post_of(sandbox, PLATFORM, node)
        granted(call, sandbox, PLATFORM, post.account, "instagram_basic")
        return json_answer(200, chosen(_fields(post) | medium_fields(call, sandbox, post), fields))
    granted(call, sandbox, PLATFORM, container["account"], "instagram_basic")
    state = _state(container)
    status = f"Error: Media upload has failed with error code {container['subcode']}" if state == "ERROR" else state
    return json_answer(200, chosen({"id": node, "status_code": state, "status": status}, fields))


def list_media(call: Call, sandbox: Sandbox, version: str, account: str) -> Answer:
    """GET /{ig}/media, newest first."""
    granted(call, sandbox, PLATFORM, account, "instagram_basic")
    posts = sandbox.social.timelines.get((PLATFORM, account), [])
    return listed(call, posts, lambda post: post.parent is None, _fields)


def read_quota(call: Call, sandbox: Sandbox, version: str, account: str) -> Answer:
    """GET /{ig}/content_publishing_limit."""
    granted(call, sandbox, PLATFORM, account, "instagram_content_publish")
    config = {"quota_total": sandbox.settings.instagram_quota_total, "quota_duration": QUOTA_SECONDS}
    values = {"id": None, "quota_usage": _used_quota(sandbox, account), "config": config}
    return json_answer(200, {"data": [chosen(values, call.query.get("fields", "quota_usage"))]})


def create_comment(call: Call, sandbox: Sandbox, version: str, node: str) -> Answer:
    """POST /{media}/comments."""
    if sandbox.social.get("facebook", node):
        return facebook.create_comment(call, sandbox, version, node)
    grant = granted(call, sandbox, PLATFORM, scope="instagram_manage_comments")
    post = post_of(sandbox, PLATFORM, node)
    text = parameters(call).get("message")
    if not isinstance(text, str) or not text.strip() or len(text) > CAPTION_MAX:
        raise Refusal(400, 100, "(#100) The parameter message is required")
    comment = _publish(call, sandbox, grant.account, text, parent=post.id)
    return json_answer(200, {"id": comment.id})


def list_comments(call: Call, sandbox: Sandbox, version: str, node: str) -> Answer:
    """GET /{media}/comments, newest first."""
    if sandbox.social.get("facebook", node):
        return facebook.list_comments(call, sandbox, version, node)
    granted(call, sandbox, PLATFORM, scope="instagram_manage_comments")
    comments = sandbox.social.replies.get((PLATFORM, post_of(sandbox, PLATFORM, node).id), [])
    return listed(call, comments, lambda _: True, _comment_fields)


def jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Width and height from the frame header (ITU T.81, B.2.2), or None where this is no JPEG."""
    if not content.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 < len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(content[at + 7 : at + 9]), int.from_bytes(content[at + 5 : at + 7])
        at += 2 + length
    return None


def _fetched(sandbox: Sandbox, given: dict[str, Any]) -> dict[str, Any]:
    """The medium behind the address, by Instagram's rules for feed images and reels."""
    is_video = "video_url" in given
    url = given.get("video_url" if is_video else "image_url")
    if is_video and given.get("media_type") not in ("REELS", "VIDEO", "STORIES"):
        raise Refusal(400, 100, "(#100) media_type must be REELS or STORIES", subcode=2207023)
    found = storage.fetch(sandbox, url) if isinstance(url, str) else None
    if found is None:
        raise _not_fetched()
    content_type, content = found
    if is_video:
        if not content_type.startswith("video/"):
            raise Refusal(400, 352, "The video format is not supported", subcode=2207026)
    else:
        _check_image(content)
    return {"type": content_type, "url": str(url).partition("?")[0], "alt": given.get("alt_text")}


def _check_image(content: bytes) -> None:
    if len(content) > IMAGE_MAX_BYTES:
        raise Refusal(400, 36000, "The image size is too large.", subcode=2207004)
    size = jpeg_size(content)
    if size is None:
        raise Refusal(400, 36001, "The image format is not supported", subcode=2207005)
    if not RATIOS[0] - 0.01 <= size[0] / size[1] <= RATIOS[1] + 0.01:
        raise Refusal(400, 36003, "The submitted image has an invalid aspect ratio", subcode=2207009)


def _checked_caption(given: dict[str, Any]) -> str:
    caption = given.get("caption") or ""
    if not isinstance(caption, str) or len(caption) > CAPTION_MAX:
        raise Refusal(400, 36004, "The caption is too long", subcode=2207010)
    if sum(word.startswith("#") for word in caption.split()) > HASHTAGS_MAX:
        raise Refusal(400, 100, "Cannot use more than 30 tags", subcode=2207040)
    return caption


def _checked_children(sandbox: Sandbox, children: Any, account: str) -> list[dict[str, Any]]:
    names = children.split(",") if isinstance(children, str) else children if isinstance(children, list) else []
    if not 2 <= len(names) <= CAROUSEL_MAX:
        raise Refusal(400, 100, "A carousel takes 2 to 10 items", subcode=2207028)
    items = [sandbox.social.uploads.get(str(name)) for name in names]
    media = []
    for item in items:
        if item is None or item["account"] != account or not item.get("is_item"):
            raise Refusal(400, 24, "The requested resource does not exist", subcode=2207006)
        if _state(item) != "FINISHED":
            raise Refusal(400, 9007, "Media ID is not available", subcode=2207027)
        media += item["media"]
    return media


def _not_fetched() -> Refusal:
    return Refusal(400, 9004, "Only photo or video can be accepted as media type.", subcode=2207052)


def _state(container: dict[str, Any]) -> str:
    return container["state"] or ("FINISHED" if time.monotonic() >= container["ready_at"] else "IN_PROGRESS")


def _published_times(sandbox: Sandbox, account: str) -> list[float]:
    return sandbox.social.limits.setdefault((PLATFORM, account), {"times": []})["times"]


def _used_quota(sandbox: Sandbox, account: str) -> int:
    times, oldest = _published_times(sandbox, account), time.monotonic() - QUOTA_SECONDS
    while times and times[0] < oldest:
        times.pop(0)
    return len(times)


def _publish(call: Call, sandbox: Sandbox, account: str, text: str, **details: Any) -> SocialPost:
    media_id = str(_FIRST_MEDIA + next_number())
    url = f"http://{call.headers.get('host', '127.0.0.1')}/graph/public/{media_id}"
    lag = sandbox.settings.social_lag_seconds
    return sandbox.social.add(PLATFORM, media_id, account, text, url, lag_seconds=lag, **details)


def _speaks_for(call: Call, sandbox: Sandbox, platform: str, node: str) -> bool:
    grant = sandbox.social.account_of(platform, token_of(call))
    return grant is not None and grant.account == node


def _fields(post: SocialPost) -> dict[str, Any]:
    times = {"timestamp": graph_time(post), "permalink": post.url}
    return {"id": post.id, "caption": post.text or None, "username": post.account, **times}


def _comment_fields(comment: SocialPost) -> dict[str, Any]:
    author = {"id": comment.account, "username": comment.account}
    return {"id": comment.id, "text": comment.text, "timestamp": graph_time(comment), "from": author}


ROUTES = (
    graph_route("POST", "/graph/{version}/{account}/media", create_container),
    graph_route("POST", "/graph/{version}/{account}/media_publish", publish_container),
    graph_route("GET", "/graph/{version}/{account}/media", list_media),
    graph_route("GET", "/graph/{version}/{account}/content_publishing_limit", read_quota),
    graph_route("POST", "/graph/{version}/{node}/comments", create_comment),
    graph_route("GET", "/graph/{version}/{node}/comments", list_comments),
    graph_route("GET", "/graph/{version}/{node}", read_node),
)
