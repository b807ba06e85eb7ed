"""LinkedIn's comments under /rest/socialActions: plain text, named by the activity of the post that they are on."""

import re
from typing import Any

from vendor_sandbox.linkedin_access import READ, WRITE, bare, error, guarded, input_error, is_account
from vendor_sandbox.social import SocialPost, next_number
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Route, json_answer

MAX_TEXT = 1250
_COMMENT = re.compile(r"^urn:li:comment:\(urn:li:activity:(\d+),(\d+)\)$")


def activity_of(post: SocialPost) -> str:
    """The other name of a post, which comments go by."""
    return f"urn:li:activity:{int(post.id.rpartition(':')[2]) + 1}"


def create(call: Call, sandbox: Sandbox, account: str, urn: str) -> Answer:
    """POST /rest/socialActions/{post or comment}/comments."""
    post = _post(sandbox, urn)
    if post is None:
        return error(404, "NOT_FOUND", f"Social action on {urn} is not found", 0)
    try:
        body = call.json
        text, actor, target = body["message"]["text"], body["actor"], body["object"]
    except (ValueError, KeyError, TypeError):
        return input_error(400, "MISSING_FIELD", "actor, object and message.text are required")
    if not is_account(actor, account):
        return error(403, "ACCESS_DENIED", "Actor does not match the viewer's organization", 100)
    if _post(sandbox, target) is not post:
        return input_error(400, "INVALID_VALUE", "object is not the post of this social action", "/object")
    if not isinstance(text, str) or not text.strip() or len(text) > MAX_TEXT:
        return input_error(400, "INVALID_VALUE", f"message.text has 1 to {MAX_TEXT} characters", "/message/text")
    number = str(7_400_000_000_000_000_000 + next_number() * 16)
    name = f"urn:li:comment:({activity_of(post)},{number})"
    parent_comment = urn if _COMMENT.match(urn) else None
    comment = sandbox.social.add(
        "linkedin",
        name,
        account,
        text,
        post.url,
        parent=post.id,
        lag_seconds=sandbox.settings.social_lag_seconds,
        parent_comment=parent_comment,
        number=number,
        activity=activity_of(post),
    )
    return json_answer(201, _shown(comment), {"x-restli-id": number})


def listing(call: Call, sandbox: Sandbox, account: str, urn: str) -> Answer:
    """GET /rest/socialActions/{post or comment}/comments?start=&count=."""
    post = _post(sandbox, urn)
    if post is None:
        return error(404, "NOT_FOUND", f"Social action on {urn} is not found", 0)
    start, count = int(call.query.get("start", 0)), int(call.query.get("count", 10))
    wanted = urn if _COMMENT.match(urn) else None
    replies = [
        reply
        for reply in sandbox.social.replies["linkedin", post.id]
        if reply.is_visible and reply.extra["parent_comment"] == wanted
    ]
    page = replies[start : start + count]
    paging: dict[str, Any] = {"start": start, "count": count, "links": [], "total": len(replies)}
    if start + count < len(replies):
        paging["links"].append(
            {"type": "application/json", "rel": "next", "href": f"{call.path}?start={start + count}"}
        )
    return json_answer(200, {"elements": [_shown(reply) for reply in page], "paging": paging})


def show(call: Call, sandbox: Sandbox, account: str, urn: str, number: str) -> Answer:
    """GET /rest/socialActions/{post}/comments/{comment id}."""
    comment = _comment(sandbox, urn, number)
    if comment is None or not comment.is_visible:
        return error(404, "NOT_FOUND", "Comment not found", 0)
    return json_answer(200, _shown(comment))


def delete(call: Call, sandbox: Sandbox, account: str, urn: str, number: str) -> Answer:
    """DELETE /rest/socialActions/{post}/comments/{comment id}?actor={organization}."""
    comment = _comment(sandbox, urn, number)
    if comment is None:
        return error(404, "NOT_FOUND", "Comment not found", 0)
    if comment.account != account or not is_account(call.query.get("actor"), account):
        return error(403, "ACCESS_DENIED", "Not enough permissions to delete this comment", 100)
    sandbox.social.delete("linkedin", comment.id)
    return Answer(204)


def _post(sandbox: Sandbox, urn: object) -> SocialPost | None:
    """The post that a URN of any kind (share, activity, comment on it) means."""
    name = str(urn)
    if on_comment := _COMMENT.match(name):
        name = f"urn:li:activity:{on_comment[1]}"
    if name.startswith("urn:li:activity:") and name[16:].isdigit():
        name = f"urn:li:share:{int(name[16:]) - 1}"
    return sandbox.social.get("linkedin", name)


def _comment(sandbox: Sandbox, urn: str, number: str) -> SocialPost | None:
    post = _post(sandbox, urn)
    return post and sandbox.social.get("linkedin", f"urn:li:comment:({activity_of(post)},{number})")


def _shown(comment: SocialPost) -> dict[str, Any]:
    actor, at = f"urn:li:organization:{bare(comment.account)}", int(comment.at.timestamp() * 1000)
    content = {
        "actor": actor,
        "commentUrn": comment.id,
        "created": {"actor": actor, "time": at},
        "id": comment.extra["number"],
        "lastModified": {"actor": actor, "time": at},
        "message": {"attributes": [], "text": comment.text},
        "object": comment.extra["activity"],
    }
    parent = comment.extra["parent_comment"]
    return content | ({"parentComment": parent} if parent else {})


_COMMENTS = "/linkedin/rest/socialActions/{urn}/comments"
ROUTES = (
    Route("POST", _COMMENTS, guarded(WRITE, create)),
    Route("GET", _COMMENTS, guarded(READ, listing)),
    Route("GET", f"{_COMMENTS}/{{number}}", guarded(READ, show)),
    Route("DELETE", f"{_COMMENTS}/{{number}}", guarded(WRITE, delete)),
)
