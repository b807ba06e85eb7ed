"""Facebook pages under /graph: posts, photos, videos, comments, reading back and taking away.

Not here: what pages share with Instagram (graph.py). As on the real network there is no idempotency key; the only
guard is the refusal of the same text twice in a row (506).
"""

import hashlib
from typing import Any

from vendor_sandbox import storage
from vendor_sandbox.graph import (
    Refusal,
    Work,
    chosen,
    debug_token,
    gone,
    granted,
    graph_route,
    graph_time,
    listed,
    parameters,
    post_of,
    scripted_error,
    show_post,
)
from vendor_sandbox.graph_metrics import page_fields
from vendor_sandbox.social import SocialPost, next_number
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, json_answer

__all__ = ["ROUTES", "scripted_error"]

PLATFORM = "facebook"
MESSAGE_MAX = 63_206
_FIRST_ID = 122_000_000_000_000


def create_post(call: Call, sandbox: Sandbox, version: str, page: str) -> Answer:
    """POST /{page}/feed: text, a link, or photos that were uploaded unpublished."""
    granted(call, sandbox, PLATFORM, page, "pages_manage_posts")
    given = parameters(call)
    text, link = _text(given, "message"), given.get("link")
    attached = [item.get("media_fbid") for item in given.get("attached_media") or [] if isinstance(item, dict)]
    if not (text or link or attached):
        raise Refusal(400, 100, "(#100) Requires one of: message, link, attached_media")
    uploads = [sandbox.social.uploads.get(str(photo)) for photo in attached]
    for upload in uploads:
        if upload is None or upload["account"] != page:
            raise Refusal(400, 100, "(#100) Param attached_media must hold ids of photos of this page")
        if upload["is_used"]:
            raise Refusal(400, 100, "(#100) These photos were already posted.", subcode=1366051)
    if not attached:
        _refuse_duplicate(sandbox, page, f"{text}\n{link or ''}")
    media = [upload["media"] for upload in uploads if upload]
    for upload in uploads:
        if upload:
            upload["is_used"] = True
    post = _publish(call, sandbox, f"{page}_{_fresh_id()}", page, text, media=media, link=link)
    return json_answer(200, {"id": post.id})


def create_photo(call: Call, sandbox: Sandbox, version: str, page: str) -> Answer:
    """POST /{page}/photos: a post at once, or with `published=false` something to attach to one."""
    granted(call, sandbox, PLATFORM, page, "pages_manage_posts")
    given = parameters(call)
    text = _text(given, "caption")
    media = _fetched(sandbox, given, "url", "image/", Refusal(400, 324, "(#324) Missing or invalid image file"))
    photo = _fresh_id()
    if str(given.get("published", True)).lower() == "false":
        sandbox.social.uploads[photo] = {"account": page, "media": media, "is_used": False}
        return json_answer(200, {"id": photo})
    post = _publish(call, sandbox, f"{page}_{_fresh_id()}", page, text, media=[media])
    return json_answer(200, {"id": photo, "post_id": post.id})


def create_video(call: Call, sandbox: Sandbox, version: str, page: str) -> Answer:
    """POST /{page}/videos: the answer names the video, not the post that shows it."""
    granted(call, sandbox, PLATFORM, page, "pages_manage_posts")
    given = parameters(call)
    text = _text(given, "description")
    media = _fetched(
        sandbox, given, "file_url", "video/", Refusal(400, 389, "(#389) Unable to fetch video file from URL")
    )
    video = _publish(call, sandbox, _fresh_id(), page, text, media=[media], is_video=True)
    return json_answer(200, {"id": video.id})


def create_comment(call: Call, sandbox: Sandbox, version: str, node: str) -> Answer:
    """POST /{post}/comments, as the page."""
    grant = granted(call, sandbox, PLATFORM, scope="pages_manage_engagement")
    post = post_of(sandbox, PLATFORM, node)
    text = _text(parameters(call), "message")
    if not text.strip():
        raise Refusal(400, 100, "(#100) The parameter message is required")
    comment_id = f"{node.rpartition('_')[2]}_{_fresh_id()}"
    comment = _publish(call, sandbox, comment_id, grant.account, text, parent=post.id)
    return json_answer(200, {"id": comment.id})


def list_posts(call: Call, sandbox: Sandbox, version: str, page: str) -> Answer:
    """GET /{page}/published_posts, newest first."""
    granted(call, sandbox, PLATFORM, page, "pages_read_engagement")
    posts = sandbox.social.timelines.get((PLATFORM, page), [])
    return listed(call, posts, lambda post: post.parent is None and not post.extra.get("is_video"), _fields)


def list_videos(call: Call, sandbox: Sandbox, version: str, page: str) -> Answer:
    """GET /{page}/videos, newest first."""
    granted(call, sandbox, PLATFORM, page, "pages_read_engagement")
    posts = sandbox.social.timelines.get((PLATFORM, page), [])
    return listed(call, posts, lambda post: bool(post.extra.get("is_video")), _fields)


def list_comments(call: Call, sandbox: Sandbox, version: str, node: str) -> Answer:
    """GET /{post}/comments: oldest first, or with `order=reverse_chronological` newest first."""
    granted(call, sandbox, PLATFORM, scope="pages_read_engagement")
    comments = sandbox.social.replies.get((PLATFORM, post_of(sandbox, PLATFORM, node).id), [])
    in_order = comments if call.query.get("order") == "reverse_chronological" else comments[::-1]
    return listed(call, in_order, lambda _: True, _fields)


def read_post(call: Call, sandbox: Sandbox, version: str, node: str) -> Answer:
    """GET /{post}."""
    granted(call, sandbox, PLATFORM, scope="pages_read_engagement")
    post = post_of(sandbox, PLATFORM, node)
    return json_answer(200, chosen(_fields(post) | page_fields(call, sandbox, post), call.query.get("fields")))


def delete_post(call: Call, sandbox: Sandbox, version: str, node: str) -> Answer:
    """DELETE /{post}, also of a video or a comment."""
    post = sandbox.social.get(PLATFORM, node)
    granted(call, sandbox, PLATFORM, post.account if post else None, "pages_manage_posts")
    if not sandbox.social.delete(PLATFORM, node):
        raise gone(node)
    return json_answer(200, {"success": True})


def _publish(call: Call, sandbox: Sandbox, post_id: str, page: str, text: str, **details: Any) -> SocialPost:
    url = f"http://{call.headers.get('host', '127.0.0.1')}/graph/public/{post_id}"
    lag = sandbox.settings.social_lag_seconds
    return sandbox.social.add(PLATFORM, post_id, page, text, url, lag_seconds=lag, **details)


def _refuse_duplicate(sandbox: Sandbox, page: str, content: str) -> None:
    if not sandbox.settings.social_refuses_duplicates:
        return
    digest = hashlib.sha256(content.encode()).digest()
    memory = sandbox.social.limits.setdefault((PLATFORM, page), {})
    if memory.get("last") == digest:
        message = "(#506) Duplicate status message: This status update is identical to the last one you posted."
        raise Refusal(400, 506, message, subcode=1455006)
    memory["last"] = digest


def _fetched(sandbox: Sandbox, given: dict[str, Any], name: str, kind: str, refusal: Refusal) -> dict[str, Any]:
    url = given.get(name)
    found = storage.fetch(sandbox, url) if isinstance(url, str) else None
    if found is None or not found[0].startswith(kind):
        raise refusal
    return {"type": found[0], "url": str(url).partition("?")[0], "alt": given.get("alt_text_custom")}


def _text(given: dict[str, Any], name: str) -> str:
    text = given.get(name) or ""
    if not isinstance(text, str) or len(text) > MESSAGE_MAX:
        raise Refusal(400, 100, f"(#100) Param {name} must be text of at most {MESSAGE_MAX} characters")
    return text


def _fields(post: SocialPost) -> dict[str, Any]:
    return {
        "id": post.id,
        "description" if post.extra.get("is_video") else "message": post.text or None,
        "created_time": graph_time(post),
        "permalink_url": post.url,
        "from": {"id": post.account, "name": f"Page {post.account}"},
    }


def _on_post(work: Work) -> Work:
    def with_node(call: Call, sandbox: Sandbox, version: str, page: str, number: str) -> Answer:
        return work(call, sandbox, version, f"{page}_{number}")

    return with_node


def _fresh_id() -> str:
    return str(_FIRST_ID + next_number())


ROUTES = (
    graph_route("GET", "/graph/{version}/debug_token", debug_token),
    graph_route("GET", "/graph/public/{post_id}", show_post),
    graph_route("POST", "/graph/{version}/{page}/feed", create_post),
    graph_route("POST", "/graph/{version}/{page}/photos", create_photo),
    graph_route("POST", "/graph/{version}/{page}/videos", create_video),
    graph_route("GET", "/graph/{version}/{page}/published_posts", list_posts),
    graph_route("GET", "/graph/{version}/{page}/videos", list_videos),
    # Posts and comments of a page have a low line in their ids; instagram.py has the routes of ids without one.
    graph_route("POST", "/graph/{version}/{page}_{number}/comments", _on_post(create_comment)),
    graph_route("GET", "/graph/{version}/{page}_{number}/comments", _on_post(list_comments)),
    graph_route("GET", "/graph/{version}/{page}_{number}", _on_post(read_post)),
    graph_route("DELETE", "/graph/{version}/{node}", delete_post),
)
