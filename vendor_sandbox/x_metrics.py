"""X's `public_metrics` of the sandbox: the counts of a post by X's names, of this year or of last.

Does not live here: how large the counts are (`numbers.py`), the lookup that shows them (`x.py`).
"""

from typing import Any

from vendor_sandbox.numbers import numbers_of, told
from vendor_sandbox.social import SocialPost
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call
from vendor_sandbox.x_access import invalid

_NAMES = {
    "views": "impression_count",
    "reactions": "like_count",
    "comments": "reply_count",
    "shares": "repost_count",
    "quotes": "quote_count",
    "saves": "bookmark_count",
}
_LAST_YEAR = {"repost_count": "retweet_count"}


def public_metrics(call: Call, sandbox: Sandbox, post: SocialPost) -> dict[str, Any]:
    """The object of that name; with the fault `counts_last_year` as X told it before it renamed its fields."""
    counts = numbers_of(sandbox, post)
    named = told(call, {name: counts[ours] for ours, name in _NAMES.items()})
    if call.fault_kind == "counts_last_year":
        named = {_LAST_YEAR.get(name, name): count for name, count in named.items()}
    return named


def refused_fields(call: Call) -> Answer | None:
    """Last year's X did not know `post.fields`, and X refuses what it does not know."""
    if call.fault_kind == "counts_last_year" and "post.fields" in call.query:
        return invalid("post.fields", "The query parameter [post.fields] is not one of [ids,expansions,tweet.fields]")
    return None
