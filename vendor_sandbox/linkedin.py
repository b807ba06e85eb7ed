"""LinkedIn's Posts API of the sandbox, under /linkedin, and the list of all routes.

Lives here: creating, finding and deleting posts of organizations, the public page of one. Does not live here: version
and token checks (`linkedin_access.py`), images (`linkedin_images.py`), comments (`linkedin_comments.py`), statistics
(`linkedin_statistics.py`), how LinkedIn reads a text (`linkedin_text.py`).
"""

import itertools
from typing import Any

from vendor_sandbox import linkedin_comments, linkedin_images, linkedin_statistics
from vendor_sandbox.linkedin_access import (
    READ,
    WRITE,
    bare,
    error,
    guarded,
    input_error,
    is_account,
    scripted_error,
    token,
)
from vendor_sandbox.linkedin_statistics import urns_of
from vendor_sandbox.linkedin_text import parse
from vendor_sandbox.social import SocialPost, next_number, page_of
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Route, json_answer

__all__ = ["ROUTES", "scripted_error"]

MAX_TEXT = 3000
MAX_PAGE = 100
_FIXED = {"lifecycleState": ("PUBLISHED", "DRAFT"), "visibility": ("PUBLIC", "LOGGED_IN")}


def create(call: Call, sandbox: Sandbox, account: str) -> Answer:
    """POST /rest/posts: 201, no body, the URN in `x-restli-id`."""
    try:
        body = call.json
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return error(400, "ILLEGAL_ARGUMENT", "The request body is not a JSON object")
    refused = _refusal(body, account)
    if refused:
        return refused
    images = _images(body.get("content"))
    if images is None or not all(linkedin_images.is_usable(sandbox, account, image["id"]) for image in images):
        return input_error(400, "INVALID_CONTENT_OWNERSHIP", "An image is not owned or not available", "/content")
    if call.fault_kind == "ghost_duplicate":
        return _duplicate(_new_urn())
    text, little = parse(body["commentary"])
    urn, known = _new_urn(), sandbox.social.limits.setdefault(("linkedin:texts", account), {})
    earlier = known.get(text)
    if earlier and sandbox.settings.social_refuses_duplicates and sandbox.social.get("linkedin", earlier):
        return _duplicate(earlier)
    known[text] = urn
    sandbox.social.add(
        "linkedin",
        urn,
        account,
        text,
        f"http://{call.headers['host']}/linkedin/feed/update/{urn}",
        media=[{"type": "image", "id": image["id"], "alt": image.get("altText", "")} for image in images],
        lag_seconds=sandbox.settings.social_lag_seconds,
        commentary=little,
        content=body.get("content"),
    )
    return Answer(201, b"", {"x-restli-id": urn, "x-linkedin-id": urn, "location": f"/posts/{urn}"})


def find(call: Call, sandbox: Sandbox, account: str) -> Answer:
    """GET /rest/posts?q=author&author=, newest first; with `ids` a BATCH_GET."""
    if "ids" in call.query:
        return _several(call, sandbox, account)
    if call.query.get("q") != "author" or not is_account(call.query.get("author"), account):
        return error(403, "ACCESS_DENIED", "Not enough permissions to access: posts.FINDER-author", 100)
    start, count = int(call.query.get("start", 0)), int(call.query.get("count", 10))
    if not 1 <= count <= MAX_PAGE:
        return error(400, "ILLEGAL_ARGUMENT", f"count is 1 to {MAX_PAGE}")
    newest_first = reversed(sandbox.social.timelines["linkedin", account])
    posts = (post for post in newest_first if post.parent is None and post.is_visible)
    page = list(itertools.islice(posts, start, start + count + 1))
    paging: dict[str, Any] = {"start": start, "count": count, "links": []}
    if len(page) > count:
        paging["links"].append(
            {"type": "application/json", "rel": "next", "href": f"/rest/posts?start={start + count}"}
        )
    return json_answer(200, {"elements": [_shown(post) for post in page[:count]], "paging": paging})


def show(call: Call, sandbox: Sandbox, account: str, urn: str) -> Answer:
    """GET /rest/posts/{urn}."""
    post = sandbox.social.get("linkedin", urn)
    if post is None or post.parent is not None or not post.is_visible:
        return error(404, "NOT_FOUND", "Post is not found", 0)
    if post.account != account:
        return error(403, "ACCESS_DENIED", "Not enough permissions to access: posts.GET", 100)
    return json_answer(200, _shown(post))


def delete(call: Call, sandbox: Sandbox, account: str, urn: str) -> Answer:
    """DELETE /rest/posts/{urn}: 204, also where it is gone already."""
    post = sandbox.social.get("linkedin", urn)
    if post is not None and post.account != account:
        return error(403, "ACCESS_DENIED", "Not enough permissions to access: posts.DELETE", 100)
    sandbox.social.delete("linkedin", urn)
    return Answer(204)


async def page(call: Call, sandbox: Sandbox, urn: str) -> Answer:
    """GET /feed/update/{urn}: what a visitor sees."""
    post = sandbox.social.get("linkedin", urn)
    headers = {"content-type": "text/html; charset=utf-8"}
    if post is None:
        return Answer(
            404, b"<!doctype html><title>LinkedIn (sandbox)</title><p>This post cannot be displayed.", headers
        )
    return Answer(200, page_of(post, sandbox.social.replies["linkedin", urn]).encode(), headers)


def _several(call: Call, sandbox: Sandbox, account: str) -> Answer:
    """GET /rest/posts?ids=List(...): what is there, and a status for each that is not."""
    urns = urns_of(call, "ids")
    if not urns or call.headers.get("x-restli-method") != "BATCH_GET":
        return error(400, "ILLEGAL_ARGUMENT", "Invalid query parameters passed to request")
    results: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for urn in urns:
        post = sandbox.social.get("linkedin", urn)
        if post is None or post.parent is not None or not post.is_visible:
            errors[urn] = {"status": 404, "code": "NOT_FOUND", "message": "Post is not found"}
        elif post.account != account:
            errors[urn] = {"status": 403, "code": "ACCESS_DENIED", "message": "Not enough permissions to access"}
        else:
            results[urn] = _shown(post)
    statuses = {urn: fault["status"] for urn, fault in errors.items()}
    return json_answer(200, {"results": results, "statuses": statuses, "errors": errors})


def _refusal(body: dict[str, Any], account: str) -> Answer | None:
    """What is wrong with the fields of a post."""
    if not is_account(body.get("author"), account):
        return error(
            403, "ACCESS_DENIED", "Organization permissions must be used when using organization as author", 100
        )
    commentary = body.get("commentary")
    if not isinstance(commentary, str):
        return input_error(422, "MISSING_FIELD", "/commentary :: field is required but not found", "/commentary")
    for field, values in _FIXED.items():
        if body.get(field) not in values:
            return input_error(422, "INVALID_VALUE", f"/{field} :: value is not an allowed value", f"/{field}")
    distribution = body.get("distribution")
    if not isinstance(distribution, dict) or distribution.get("feedDistribution") not in ("MAIN_FEED", "NONE"):
        return input_error(422, "MISSING_FIELD", "/distribution :: field is required but not found", "/distribution")
    length = len(parse(commentary)[0])
    if length > MAX_TEXT:
        message = f"ShareCommentary text length ({length} characters) exceeded the maximum allowed (3000 characters)"
        return input_error(422, "FIELD_LENGTH_TOO_LONG", message, "/commentary")
    return None


def _images(content: Any) -> list[dict[str, Any]] | None:
    """The images of a post's content; None where the content is not one that LinkedIn takes."""
    if content is None:
        return []
    if not isinstance(content, dict):
        return None
    if isinstance(content.get("media"), dict):
        images = [content["media"]]
    else:
        images = (content.get("multiImage") or {}).get("images")
        if not isinstance(images, list) or not 2 <= len(images) <= 20:
            return None
    return images if all(isinstance(image, dict) and image.get("id") for image in images) else None


def _duplicate(urn: str) -> Answer:
    name = "com.linkedin.content.common.exception.BadRequestResponseException"
    return input_error(422, "DUPLICATE_POST", f"{name}: Content is a duplicate of {urn}")


def _new_urn() -> str:
    # In steps: a post's activity has the number after its own.
    return f"urn:li:share:{7_300_000_000_000_000_000 + next_number() * 16}"


def _shown(post: SocialPost) -> dict[str, Any]:
    at = int(post.at.timestamp() * 1000)
    content = {
        "id": post.id,
        "author": f"urn:li:organization:{bare(post.account)}",
        "commentary": post.extra.get("commentary", post.text),
        "visibility": "PUBLIC",
        "lifecycleState": "PUBLISHED",
        "createdAt": at,
        "publishedAt": at,
        "lastModifiedAt": at,
        "distribution": {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []},
        "isReshareDisabledByAuthor": False,
    }
    return content | ({"content": post.extra["content"]} if post.extra.get("content") else {})


ROUTES = (
    Route("POST", "/linkedin/rest/posts", guarded(WRITE, create)),
    Route("GET", "/linkedin/rest/posts", guarded(READ, find)),
    Route("GET", "/linkedin/rest/posts/{urn}", guarded(READ, show)),
    Route("DELETE", "/linkedin/rest/posts/{urn}", guarded(WRITE, delete)),
    *linkedin_images.ROUTES,
    *linkedin_comments.ROUTES,
    *linkedin_statistics.ROUTES,
    Route("POST", "/linkedin/oauth/v2/accessToken", token),
    Route("GET", "/linkedin/feed/update/{urn}", page),
)
