"""The X API v2 of the sandbox, under /x: posts, timelines, and the list of all routes.

Lives here: creating, reading and deleting posts, the public page of one. Does not live here: tokens and limits
(`x_access.py`, `x_oauth.py`), media (`x_media.py`), counts (`x_metrics.py`), how X counts and shows text (`x_text.py`).
Shapes after the vendor's OpenAPI 2.167; fields by the new names, request parameters also by the old ones.
"""

from datetime import UTC, datetime
from typing import Any

from vendor_sandbox import x_media, x_metrics, x_oauth
from vendor_sandbox.social import SocialPost, page_of
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Route
from vendor_sandbox.x_access import (
    CREATE,
    DELETE,
    LOOKUP,
    ME,
    TIMELINE,
    UPLOAD,
    UPLOAD_STATUS,
    data_answer,
    guarded,
    invalid,
    problem,
    scripted_error,
)
from vendor_sandbox.x_text import MAX_WEIGHT, shown, weight_of

__all__ = ["ROUTES", "scripted_error"]

PUBLIC_PAGES = "/x/i/web/status"
DUPLICATE = "You are not allowed to create a Tweet with duplicate content."
_FIELDS = frozenset(
    {"card_uri", "community_id", "direct_message_deep_link", "edit_options", "for_super_followers_only", "geo"}
    | {"made_with_ai", "media", "nullcast", "paid_partnership", "poll", "quote_tweet_id", "reply", "reply_settings"}
    | {"share_with_followers", "text"}
)
_REFUSALS = {
    "duplicate_content": (DUPLICATE, None),
    "user_suspended": ("Your account is suspended and is not permitted to access this feature.", "user-suspended"),
    "usage_capped": ("Usage cap exceeded: Monthly product cap", "usage-capped"),
}


def create(call: Call, sandbox: Sandbox, account: str) -> Answer:
    """POST /2/tweets."""
    if call.fault_kind in _REFUSALS:
        detail, kind = _REFUSALS[call.fault_kind]
        return problem(403, detail, kind)
    try:
        body = call.json
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return invalid("body", "The request body is not a JSON object.")
    text, media, parent = body.get("text", ""), _media_ids(body), (body.get("reply") or {}).get("in_reply_to_tweet_id")
    refused = _refused_body(body, text, media) or _refused_media(sandbox, account, media)
    if refused:
        return refused
    if parent is not None and sandbox.social.get("x", parent) is None:
        return problem(403, "You attempted to reply to a Tweet that is deleted or not visible to you.")
    texts = sandbox.social.limits.setdefault(("x", f"{account}/texts"), {})
    key = f"{parent or ''}\n{' '.join(text.split())}"
    if sandbox.settings.social_refuses_duplicates and text and sandbox.social.get("x", texts.get(key, "")):
        return problem(403, DUPLICATE)
    post = _publish(call, sandbox, account, text, media, parent, body)
    texts[key] = post.id
    return data_answer(201, {"data": {"id": post.id, "text": _shown(post)[0], "edit_history_post_ids": [post.id]}})


def timeline(call: Call, sandbox: Sandbox, account: str, user: str) -> Answer:
    """GET /2/users/{id}/tweets, newest first; `pagination_token` is how many posts of the timeline come after."""
    query = call.query
    size, start = query.get("max_results", "10"), query.get("pagination_token", "")
    if not size.isdigit() or not 5 <= int(size) <= 100:
        return invalid("max_results", f"The `max_results` query parameter value [{size}] is not between 5 and 100")
    try:
        since, until = (_time(query.get(name)) for name in ("start_time", "end_time"))
    except ValueError:
        return invalid("start_time", "Not a valid date-time.")
    posts = sandbox.social.timelines.get(("x", user), [])
    excluded, found, index = query.get("exclude", ""), [], int(start) if start.isdigit() else len(posts)
    while index > 0 and len(found) < int(size):
        index -= 1
        post = posts[index]
        if since and post.at < since:
            index = 0
        elif post.is_visible and not (until and post.at >= until) and not (post.parent and "replies" in excluded):
            found.append(post)
    meta: dict[str, Any] = {"result_count": len(found)}
    if found:
        meta |= {"newest_id": found[0].id, "oldest_id": found[-1].id}
    if index > 0 and found:
        meta["next_token"] = str(index)
    answer: dict[str, Any] = {"meta": meta} | ({"data": _described(call, sandbox, found)} if found else {})
    if call.fault_kind == "partial_errors":
        answer["data"] = answer.get("data", [])[1:]
        answer["errors"] = [{"title": "Internal Error", "type": "https://api.x.com/2/problems/internal-error"}]
    return data_answer(200, answer)


def lookup(call: Call, sandbox: Sandbox, account: str) -> Answer:
    """GET /2/tweets?ids=: what is found, and an error for each that is not."""
    ids = [one for one in call.query.get("ids", "").split(",") if one]
    if not 1 <= len(ids) <= 100 or not all(one.isdigit() for one in ids):
        return invalid("ids", "The `ids` query parameter holds 1 to 100 ids.")
    if refused := x_metrics.refused_fields(call):
        return refused
    posts = [post for one in ids if (post := sandbox.social.get("x", one)) and post.is_visible]
    missing = sorted(set(ids) - {post.id for post in posts})
    answer: dict[str, Any] = {"data": _described(call, sandbox, posts)} if posts else {}
    if missing:
        answer["errors"] = [
            {
                "title": "Not Found Error",
                "detail": f"Could not find tweet with ids: [{one}].",
                "type": "https://api.x.com/2/problems/resource-not-found",
                "parameter": "ids",
                "value": one,
                "resource_id": one,
                "resource_type": "tweet",
            }
            for one in missing
        ]
    if call.fault_kind == "counts_half":
        answer["data"] = answer.get("data", [])[::2]
    return data_answer(200, answer)


def delete(call: Call, sandbox: Sandbox, account: str, post: str) -> Answer:
    """DELETE /2/tweets/{id}."""
    found = sandbox.social.get("x", post)
    if found is None:
        return problem(404, f"Could not find tweet with id: [{post}].", "resource-not-found", resource_id=post)
    if found.account != account:
        return problem(403, "You are not authorized to delete this Tweet.")
    sandbox.social.delete("x", post)
    return data_answer(200, {"data": {"deleted": True}})


def me(call: Call, sandbox: Sandbox, account: str) -> Answer:
    """GET /2/users/me."""
    return data_answer(200, {"data": {"id": account, "name": f"Account {account}", "username": f"account_{account}"}})


async def page(call: Call, sandbox: Sandbox, post: str) -> Answer:
    """The public page of a post."""
    found = sandbox.social.get("x", post)
    if found is None:
        return Answer(404, b"This post was deleted or never existed.")
    body = page_of(found, sandbox.social.replies.get(("x", post), []))
    return Answer(200, body.encode(), {"content-type": "text/html; charset=utf-8"})


def _publish(
    call: Call, sandbox: Sandbox, account: str, text: str, media: list[str], parent: str | None, body: dict[str, Any]
) -> SocialPost:
    uploads = [sandbox.social.uploads[f"x:{one}"] for one in media]
    post_id = x_media.snowflake()
    return sandbox.social.add(
        "x",
        post_id,
        account,
        text,
        f"http://{call.headers.get('host', 'localhost')}{PUBLIC_PAGES}/{post_id}",
        media=[{"type": one["type"], "media_key": f"3_{one['id']}", "alt": one["alt"]} for one in uploads],
        parent=parent,
        lag_seconds=sandbox.settings.social_lag_seconds,
        made_with_ai=bool(body.get("made_with_ai")),
    )


def _refused_body(body: dict[str, Any], text: Any, media: list[str]) -> Answer | None:
    unknown = sorted(set(body) - _FIELDS)
    if unknown:
        return invalid(unknown[0], f"[{unknown[0]}] is not one of the allowed parameters")
    if not isinstance(text, str) or not (text.strip() or media):
        return invalid("text", "text is missing or empty")
    if weight_of(text) > MAX_WEIGHT:
        return problem(403, "Your Tweet text is too long. For more information, please see the documentation.")
    return None


def _refused_media(sandbox: Sandbox, account: str, media: list[str]) -> Answer | None:
    uploads = [upload for one in media if (upload := x_media.usable(sandbox, account, one))]
    is_mixed = len(uploads) > 1 and any(one["type"] != "photo" for one in uploads)
    if len(uploads) < len(media) or len(media) > 4 or is_mixed or not all(x_media.is_ready(one) for one in uploads):
        return invalid("media.media_ids", "Your media IDs are invalid.")
    return None


def _media_ids(body: dict[str, Any]) -> list[str]:
    media = body.get("media")
    return [str(one) for one in (media.get("media_ids") or [])] if isinstance(media, dict) else []


def _described(call: Call, sandbox: Sandbox, posts: list[SocialPost]) -> list[dict[str, Any]]:
    """Posts with the fields that were asked for."""
    asked = call.query.get("post.fields", call.query.get("tweet.fields", "")).split(",")
    expanded = call.query.get("expansions", "")
    descriptions: list[dict[str, Any]] = []
    for post in posts:
        text, urls = _shown(post)
        described: dict[str, Any] = {"id": post.id, "text": text, "edit_history_post_ids": [post.id]}
        if "created_at" in asked:
            described["created_at"] = post.at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{post.at.microsecond // 1000:03d}Z"
        if "entities" in asked and urls:
            described["entities"] = {"urls": urls}
        if "public_metrics" in asked:
            described["public_metrics"] = x_metrics.public_metrics(call, sandbox, post)
        if post.parent and ("referenced_posts" in expanded or "referenced_tweets" in asked):
            described["referenced_posts"] = [{"type": "replied_to", "id": post.parent}]
        descriptions.append(described)
    return descriptions


def _shown(post: SocialPost) -> tuple[str, list[dict[str, Any]]]:
    return shown(post.text, post.media, f"https://x.com/{post.account}/status/{post.id}")


def _time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value).astimezone(UTC) if value else None


ROUTES = (
    Route("POST", "/x/2/tweets", guarded(CREATE, create)),
    Route("GET", "/x/2/tweets", guarded(LOOKUP, lookup)),
    Route("DELETE", "/x/2/tweets/{post}", guarded(DELETE, delete)),
    Route("GET", "/x/2/users/me", guarded(ME, me)),
    Route("GET", "/x/2/users/{user}/tweets", guarded(TIMELINE, timeline)),
    Route("POST", "/x/2/media/upload/initialize", guarded(UPLOAD, x_media.initialize)),
    Route("POST", "/x/2/media/upload/{media}/append", guarded(UPLOAD, x_media.append)),
    Route("POST", "/x/2/media/upload/{media}/finalize", guarded(UPLOAD, x_media.finalize)),
    Route("GET", "/x/2/media/upload", guarded(UPLOAD_STATUS, x_media.status)),
    Route("POST", "/x/2/media/metadata", guarded(UPLOAD, x_media.describe)),
    Route("POST", "/x/2/oauth2/token", x_oauth.token),
    Route("GET", "/x/i/web/status/{post}", page),
)
