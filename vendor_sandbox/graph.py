"""What every Graph API under /graph shares: the wire form of errors, tokens, usage headers, pages of a list.

Lives here: also debug_token and the public page of a post. Not here: what a page (facebook.py), an Instagram account
(instagram.py) or a WhatsApp number (whatsapp.py) can be asked.
"""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from vendor_sandbox.social import Grant, SocialPost, page_of
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Route, json_answer

PLATFORMS = ("facebook", "instagram")
SCOPES = (
    *("pages_show_list", "pages_manage_posts", "pages_manage_engagement", "pages_read_engagement", "read_insights"),
    *("instagram_basic", "instagram_content_publish", "instagram_manage_comments", "instagram_manage_insights"),
)
PAGE_SIZE = 25
MAX_PAGE_SIZE = 100
DATA_ACCESS_SECONDS = 90 * 86_400
_FIELD = re.compile(r"[^,(]+(?:\([^)]*\)[^,(]*)*")
_STATUS_CODES = {401: 190, 403: 200, 429: 4}
Work = Callable[..., Answer]


class Refusal(Exception):
    """What a handler raises where the vendor says no; it becomes a Graph error."""

    def __init__(self, status: int, code: int, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details = status, code, message, details


def graph_error(
    status: int,
    code: int,
    message: str,
    *,
    subcode: int | None = None,
    details: str | None = None,
    is_transient: bool | None = None,
    error_type: str = "OAuthException",
) -> Answer:
    """An error as the Graph API words it."""
    trace = hashlib.sha256(f"{time.monotonic_ns()}".encode()).hexdigest()[:22]
    error: dict[str, Any] = {"message": message, "type": error_type, "code": code, "fbtrace_id": f"A{trace}"}
    if subcode is not None or code == 190:
        error["error_subcode"] = 463 if subcode is None else subcode
    if is_transient is not None:
        error["is_transient"] = is_transient
    if details:
        error["error_data"] = {"messaging_product": "whatsapp", "details": details}
    answer = json_answer(status, {"error": error})
    answer.headers["x-fb-trace-id"] = error["fbtrace_id"]
    return answer


def scripted_error(status: int, kind: str) -> Answer:
    """The error that a fault script asks for by its status, of a page or an Instagram account."""
    if status < 400:
        return json_answer(status, {})
    if kind == "expired_token":
        return graph_error(401, 190, "Error validating access token: Session has expired.")
    code = _STATUS_CODES.get(status, 1 if status >= 500 else 100)
    return graph_error(status, code, f"(#{code}) scripted status {status}")


def graph_route(method: str, path: str, work: Work) -> Route:
    """A route whose `work` answers or raises Refusal; the rest (script, latency, usage headers) is the same for all.

    The latency comes after the work: a client that is killed while it waits leaves something behind, as in life.
    """

    async def handle(call: Call, sandbox: Sandbox, **parts: str) -> Answer:
        try:
            _check_scripts(call, sandbox)
            answer = work(call, sandbox, **parts)
        except Refusal as refusal:
            answer = graph_error(refusal.status, refusal.code, refusal.message, **refusal.details)
        if sandbox.settings.social_latency_seconds and not call.is_part:
            await asyncio.sleep(sandbox.settings.social_latency_seconds)
        answer.headers["x-app-usage"] = _usage(sandbox.settings.facebook_app_percent)
        if call.fault and "minutes" in call.fault:
            percent, minutes = call.fault.get("percent", 100), call.fault["minutes"]
            use = {"type": "pages", "call_count": percent, "estimated_time_to_regain_access": minutes}
            answer.headers["x-business-use-case-usage"] = json.dumps({"100000000000001": [use]})
        return answer

    return Route(method, path, handle)


def granted(call: Call, sandbox: Sandbox, platform: str, account: str | None = None, scope: str = "") -> Grant:
    """Whom the caller's token speaks for.

    Raises:
        Refusal: the token is unknown, expired or revoked, is another account's, or lacks the right.
    """
    grant = sandbox.social.account_of(platform, token_of(call))
    if grant is None:
        raise Refusal(401, 190, "Invalid OAuth access token - Cannot parse access token", subcode=467)
    if grant.is_revoked:
        message = (
            "Error validating access token: The session has been invalidated because the user changed the password."
        )
        raise Refusal(401, 190, message, subcode=460)
    if grant.is_expired:
        raise Refusal(401, 190, "Error validating access token: Session has expired.", subcode=463)
    if account is not None and grant.account != account:
        raise Refusal(403, 200, f"(#200) The token does not speak for {account}")
    if scope and grant.scopes is not None and scope not in grant.scopes:
        raise Refusal(403, 200, f"(#200) Requires {scope} permission")
    return grant


def token_of(call: Call) -> str:
    """The bearer token; Graph also takes it as a parameter."""
    return call.headers.get("authorization", "").removeprefix("Bearer ").strip() or call.query.get("access_token", "")


def parameters(call: Call) -> dict[str, Any]:
    """The call's parameters: query, form and JSON body are the same to Graph."""
    if not call.body:
        return dict(call.query)
    if call.headers.get("content-type", "").startswith("application/json"):
        try:
            body = call.json
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Refusal(400, 100, "(#100) The request body is not a JSON object")
        return {**call.query, **body}
    return {**call.query, **dict(parse_qsl(call.body.decode("utf-8", "replace")))}


def post_of(sandbox: Sandbox, platform: str, post_id: str) -> SocialPost:
    """A post that stands and can be seen. Raises Refusal 100/33, as Graph says of what is gone."""
    post = sandbox.social.get(platform, post_id)
    if post is None or not post.is_visible:
        raise gone(post_id)
    return post


def gone(node: str) -> Refusal:
    message = (
        f"Unsupported request. Object with ID '{node}' does not exist, cannot be loaded due to missing permissions"
    )
    return Refusal(400, 100, message, subcode=33)


def chosen(values: dict[str, Any], fields: str | None) -> dict[str, Any]:
    """The fields that were asked for, and the id always.

    A field may be asked for with more, such as `comments.summary(total_count).limit(0)`; where its value is a function,
    that gets the whole of it.
    """
    found: dict[str, Any] = {"id": values["id"]}
    for asked in _FIELD.findall(fields or "id"):
        name = asked.partition(".")[0]
        if name not in values:
            raise Refusal(400, 100, f"(#100) Tried accessing nonexisting field ({name})")
        found[name] = values[name](asked) if callable(values[name]) else values[name]
    return {name: value for name, value in found.items() if value is not None}


def graph_time(post: SocialPost) -> str:
    return post.at.strftime("%Y-%m-%dT%H:%M:%S+0000")


def listed(
    call: Call,
    posts: Sequence[SocialPost],
    is_wanted: Callable[[SocialPost], bool],
    fields_of: Callable[[SocialPost], dict[str, Any]],
) -> Answer:
    """One page of a list, from its end backwards, with the cursor and the ready-made `next` address (with the token,
    as the vendor's has it)."""
    since = float(call.query.get("since") or 0)
    limit = min(int(call.query.get("limit") or PAGE_SIZE), MAX_PAGE_SIZE)
    position = int(call.query["after"]) if "after" in call.query else len(posts)
    data: list[dict[str, Any]] = []
    while position > 0 and len(data) < limit:
        post = posts[position - 1]
        if post.at.timestamp() < since:
            position = 0
            break
        position -= 1
        if post.is_visible and is_wanted(post):
            data.append(chosen(fields_of(post), call.query.get("fields")))
    if not data:
        return json_answer(200, {"data": data})
    paging: dict[str, Any] = {"cursors": {"before": call.query.get("after", ""), "after": str(position)}}
    if position > 0:
        query = call.query | {"after": str(position), "access_token": token_of(call)}
        paging["next"] = f"http://{call.headers.get('host')}{call.path}?{urlencode(query)}"
    return json_answer(200, {"data": data, "paging": paging})


def debug_token(call: Call, sandbox: Sandbox, version: str) -> Answer:
    """GET /{version}/debug_token: what a token is good for, asked with the app's own token `{id}|{secret}`."""
    app_id, _, secret = token_of(call).partition("|")
    if not app_id or not secret or secret.startswith("bad"):
        raise Refusal(400, 190, "Invalid OAuth access token signature.", subcode=467)
    token = call.query.get("input_token", "")
    found = (sandbox.social.account_of(platform, token) for platform in PLATFORMS)
    grant = next((grant for grant in found if grant is not None), None)
    data: dict[str, Any] = {"app_id": app_id, "type": "PAGE", "is_valid": False, "scopes": []}
    if grant is None:
        data["error"] = {"code": 190, "message": "Invalid OAuth access token - Cannot parse access token"}
        return json_answer(200, {"data": data})
    now = time.time()
    expires = 0 if grant.expires is None else int(now + grant.expires - time.monotonic())
    data |= {
        "profile_id": grant.account,
        "is_valid": not (grant.is_revoked or grant.is_expired),
        "expires_at": expires,
        "data_access_expires_at": 0 if grant.expires is None else int(now + DATA_ACCESS_SECONDS),
        "scopes": list(SCOPES) if grant.scopes is None else sorted(grant.scopes),
    }
    if grant.is_revoked:
        data["error"] = {"code": 190, "subcode": 460, "message": "The session has been invalidated."}
    elif grant.is_expired:
        data["error"] = {"code": 190, "subcode": 463, "message": "Session has expired."}
    return json_answer(200, {"data": data})


def show_post(call: Call, sandbox: Sandbox, post_id: str) -> Answer:
    """GET /graph/public/{id}: what anybody sees."""
    for platform in PLATFORMS:
        if post := sandbox.social.get(platform, post_id):
            page = page_of(post, sandbox.social.replies.get((platform, post_id), []))
            return Answer(200, page.encode(), {"content-type": "text/html; charset=utf-8"})
    return Answer(404, b"This content isn't available right now")


def _check_scripts(call: Call, sandbox: Sandbox) -> None:
    if sandbox.settings.facebook_app_percent >= 100:
        raise Refusal(400, 4, "(#4) Application request limit reached", is_transient=True)
    fault = call.fault
    if fault and fault["kind"] == "graph_error":
        code = int(fault.get("code", 1))
        message = str(fault.get("message", f"(#{code}) scripted"))
        transient = fault.get("is_transient")
        raise Refusal(
            int(fault.get("status", 400)), code, message, subcode=fault.get("subcode"), is_transient=transient
        )


def _usage(percent: float) -> str:
    return f'{{"call_count":{percent:.0f},"total_time":1,"total_cputime":1}}'
