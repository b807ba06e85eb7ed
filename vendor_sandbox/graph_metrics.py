"""How often posts of pages and of Instagram accounts were seen and liked, as Graph tells it.

Lives here: the counts among a node's fields, and the insights edges with the names that Meta answers today. Not here:
the counts themselves (numbers.py), and several objects in one call (graph_batch.py). One name that is not among them
makes Graph refuse the whole request (100); what has no number yet is left out.
"""

import re
from typing import Any

from vendor_sandbox.graph import Refusal, granted, graph_route, post_of
from vendor_sandbox.numbers import numbers_of, told
from vendor_sandbox.social import SocialPost
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, json_answer

# Graph's names, and the number of ours behind each. Impressions and plays were retired in 2025 and 2026.
_PAGE_POST = {
    "post_media_view": "views",
    "post_total_media_view_unique": "reach",
    "post_clicks": "clicks",
    "post_video_views": "video_views",
    "post_reactions_by_type_total": "reactions",
}
_PAGE_VIDEO = {
    "fb_reels_total_plays": "views",
    "post_impressions_unique": "reach",
    "blue_reels_play_count": "video_views",
    "post_video_likes_by_reaction_type": "reactions",
    "post_video_social_actions": "shares",
}
_MEDIUM = {
    "views": "views",
    "reach": "reach",
    "saved": "saves",
    "likes": "reactions",
    "comments": "comments",
    "shares": "shares",
    "total_interactions": "interactions",
}
_METRICS = re.compile(r"\.metric\(([^)]*)\)")


def page_fields(call: Call, sandbox: Sandbox, post: SocialPost) -> dict[str, Any]:
    """What a page's post or video can be asked for beside its words."""
    counts = told(call, numbers_of(sandbox, post))
    fields: dict[str, Any] = {"comments": _summary(counts["comments"])}
    if post.extra.get("is_video"):
        fields["likes"] = _summary(counts["reactions"])
        fields["video_insights"] = lambda asked: _insights(call, sandbox, post, "video_insights", _names(asked))
        return fields
    fields["reactions"] = _summary(counts["reactions"])
    # Graph leaves the field out of a post that nobody shared.
    fields["shares"] = None if counts["shares"] == 0 else {"count": counts["shares"]}
    fields["insights"] = lambda asked: _insights(call, sandbox, post, "insights", _names(asked))
    return fields


def medium_fields(call: Call, sandbox: Sandbox, post: SocialPost) -> dict[str, Any]:
    """What an Instagram medium can be asked for beside its words."""
    counts = told(call, numbers_of(sandbox, post))
    return {
        "like_count": counts["reactions"],
        "comments_count": counts["comments"],
        "insights": lambda asked: _insights(call, sandbox, post, "insights", _names(asked)),
    }


def read_insights(call: Call, sandbox: Sandbox, version: str, node: str) -> Answer:
    """GET /{post or medium}/insights?metric=a,b."""
    return _edge(call, sandbox, node, "insights")


def read_video_insights(call: Call, sandbox: Sandbox, version: str, node: str) -> Answer:
    """GET /{video}/video_insights?metric=a,b."""
    return _edge(call, sandbox, node, "video_insights")


def _edge(call: Call, sandbox: Sandbox, node: str, edge: str) -> Answer:
    post = post_of(sandbox, "facebook" if sandbox.social.get("facebook", node) else "instagram", node)
    if edge != ("video_insights" if post.extra.get("is_video") else "insights"):
        raise Refusal(400, 100, f"(#100) Tried accessing nonexisting field ({edge})")
    names = [name for name in call.query.get("metric", "").split(",") if name]
    return json_answer(200, _insights(call, sandbox, post, edge, names))


def _insights(call: Call, sandbox: Sandbox, post: SocialPost, edge: str, names: list[str]) -> dict[str, Any]:
    if post.platform == "instagram":
        known = _MEDIUM
        _check_right(call, sandbox, post, "instagram_manage_insights")
    else:
        known = _PAGE_VIDEO if edge == "video_insights" else _PAGE_POST
        _check_right(call, sandbox, post, "read_insights")
    if not names:
        raise Refusal(400, 3001, "(#3001) No metric was specified to be fetched", subcode=1504028)
    for name in names:
        if name not in known:
            raise Refusal(400, 100, f"(#100) The value must be a valid insights metric: {name}")
    counts = numbers_of(sandbox, post)
    counts["interactions"] = sum(counts[name] for name in ("reactions", "comments", "shares", "saves"))
    if counts["views"] == 0:
        return {"data": []}
    counts = told(call, counts)
    return {"data": [_item(post, edge, name, counts, known[name]) for name in names]}


def _item(post: SocialPost, edge: str, name: str, counts: dict[str, Any], of: str) -> dict[str, Any]:
    number = counts[of]
    if name == "post_video_social_actions":
        # A kind of action that nobody took is left out.
        kinds = {"COMMENT": counts["comments"], "SHARE": counts["shares"]}
        number = {kind: count for kind, count in kinds.items() if count}
    elif name in ("post_video_likes_by_reaction_type", "post_reactions_by_type_total"):
        number = {"like": number, "love": 0}
    item = {"name": name, "period": "lifetime", "values": [{"value": number}], "title": name.replace("_", " ")}
    return item | {"id": f"{post.id}/{edge}/{name}/lifetime"}


def _check_right(call: Call, sandbox: Sandbox, post: SocialPost, right: str) -> None:
    grant = granted(call, sandbox, post.platform, post.account)
    if grant.scopes is not None and right not in grant.scopes:
        raise Refusal(400, 10, f"(#10) Application does not have permission for this action: {right}")


def _names(asked: str) -> list[str]:
    """Of `insights.metric(a,b)` the names."""
    found = _METRICS.search(asked)
    return [name for name in found[1].split(",") if name] if found else []


def _summary(count: Any) -> dict[str, Any]:
    return {"data": [], "summary": {"total_count": count}}


def _on_post(call: Call, sandbox: Sandbox, version: str, page: str, number: str) -> Answer:
    return read_insights(call, sandbox, version, f"{page}_{number}")


ROUTES = (
    graph_route("GET", "/graph/{version}/{page}_{number}/insights", _on_post),
    graph_route("GET", "/graph/{version}/{node}/insights", read_insights),
    graph_route("GET", "/graph/{version}/{node}/video_insights", read_video_insights),
)
