"""LinkedIn's organizationalEntityShareStatistics of the sandbox: the counts of an organization's posts, by list.

Lives here: the finder by lists of shares or ugcPosts, and how Rest.li wants a list in a query. Does not live here: how
large the counts are (`numbers.py`), version and token checks (`linkedin_access.py`).
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from vendor_sandbox.linkedin_access import ADMIN, bare, error, guarded, is_account
from vendor_sandbox.numbers import numbers_of, told
from vendor_sandbox.social import SocialPost
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Route, json_answer

WINDOW = timedelta(days=365)
_KINDS = {"shares": "share", "ugcPosts": "ugcPost"}
_NAMES = {
    "views": "impressionCount",
    "reach": "uniqueImpressionsCount",
    "reactions": "likeCount",
    "comments": "commentCount",
    "shares": "shareCount",
    "clicks": "clickCount",
}
_LAST_YEAR = {"uniqueImpressionsCount": "uniqueImpressionsCounts"}


def urns_of(call: Call, parameter: str) -> list[str] | None:
    """The URNs of `parameter=List(urn,...)`; None unless parentheses and commas came bare and the URNs encoded."""
    match = re.search(rf"(?:^|&){parameter}=List\(([^()&]*)\)(?:&|$)", call.raw_query)
    if match is None:
        return None
    items = [item for item in match[1].split(",") if item]
    return None if any(":" in item for item in items) else [unquote(item) for item in items]


def statistics(call: Call, sandbox: Sandbox, account: str) -> Answer:
    """GET /rest/organizationalEntityShareStatistics: an element for each post that was seen in the last 12 months."""
    parameters = [name for name in _KINDS if name in call.query]
    if call.query.get("q") != "organizationalEntity" or len(parameters) != 1:
        return error(400, "ILLEGAL_ARGUMENT", "Invalid query parameters passed to request")
    if not is_account(call.query.get("organizationalEntity"), account):
        return error(403, "ACCESS_DENIED", "Member does not have permission to access the organization", 100)
    kind, urns = _KINDS[parameters[0]], urns_of(call, parameters[0])
    if not urns or not all(re.fullmatch(rf"urn:li:{kind}:\d+", urn) for urn in urns):
        return error(
            400, "ILLEGAL_ARGUMENT", f"Invalid value for param; wrong type or other syntax error: {parameters}"
        )
    posts: list[SocialPost] = []
    for index, urn in enumerate(urns):
        post = sandbox.social.get("linkedin", urn)
        if post is not None and post.account != account:
            place = f"[/{parameters[0]}[{index}]]"
            message = (
                f"Unpermitted fields present in PARAMETER: Data Processing Exception while processing fields {place}"
            )
            return error(403, "ACCESS_DENIED", message, 100)
        if post is not None and post.is_visible and datetime.now(UTC) - post.at < WINDOW:
            posts.append(post)
    elements = [element for post in posts if (element := _element(call, sandbox, post, kind))]
    if call.fault_kind == "counts_half":
        elements = elements[::2]
    start, count = int(call.query.get("start", 0)), int(call.query.get("count", 10))
    paging = {"start": start, "count": count, "links": []}
    return json_answer(200, {"paging": paging, "elements": elements[start : start + count]})


def _element(call: Call, sandbox: Sandbox, post: SocialPost, kind: str) -> dict[str, Any] | None:
    counts = numbers_of(sandbox, post)
    if not counts["views"]:
        return None
    named = told(call, {name: counts[ours] for ours, name in _NAMES.items()})
    if call.fault_kind == "counts_last_year":
        named = {_LAST_YEAR.get(name, name): count for name, count in named.items()}
    engaged = sum(counts[name] for name in ("reactions", "comments", "shares", "clicks"))
    return {
        "organizationalEntity": f"urn:li:organization:{bare(post.account)}",
        kind: post.id,
        "totalShareStatistics": named | {"engagement": engaged / counts["views"]},
    }


ROUTES = (Route("GET", "/linkedin/rest/organizationalEntityShareStatistics", guarded(ADMIN, statistics)),)
