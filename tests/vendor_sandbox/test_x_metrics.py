"""X's public metrics of the sandbox: shown where they are asked for, by the names of this year or of last."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.sandbox_process import Sandbox

COUNTS = {
    "impression_count": 120,
    "like_count": 9,
    "reply_count": 2,
    "repost_count": 3,
    "quote_count": 1,
    "bookmark_count": 0,
}


def lookup(sandbox: Sandbox, **query: str) -> httpx.Response:
    headers = {"authorization": "Bearer sandbox-1001"}
    query = {name.replace("_fields", ".fields"): value for name, value in query.items()}
    return httpx.get(f"{sandbox.url}/x/2/tweets", params=query, headers=headers)


def counts(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200
    return [post["public_metrics"] for post in answer.json()["data"]]


def posted(sandbox: Sandbox, *ids: str, hours: float = 48) -> None:
    for one in ids:
        sandbox.social_post("x", one, "1001", datetime.now(UTC) - timedelta(hours=hours))


def fixed(sandbox: Sandbox, *ids: str) -> None:
    posted(sandbox, *ids)
    for one in ids:
        sandbox.social_numbers(one, views=120, reactions=9, comments=2, shares=3, quotes=1, saves=0)


def test_counts_are_shown_where_they_are_asked_for(sandbox: Sandbox):
    fixed(sandbox, "11")

    shown = counts(lookup(sandbox, ids="11", post_fields="created_at,public_metrics"))

    assert shown == [COUNTS | {"sparkle_count": 7}]
    assert counts(lookup(sandbox, ids="11", tweet_fields="public_metrics")) == shown
    assert "public_metrics" not in lookup(sandbox, ids="11", post_fields="created_at").json()["data"][0]


def test_counts_grow_with_the_clock_and_never_fall(sandbox: Sandbox):
    posted(sandbox, "11", hours=0)

    def views(days: float) -> int:
        sandbox.settings(social_clock_ahead_seconds=days * 86_400)
        return counts(lookup(sandbox, ids="11", post_fields="public_metrics"))[0]["impression_count"]

    seen = [views(days) for days in (0, 0.25, 1, 7, 90)]

    assert seen[0] == 0
    assert seen == sorted(seen)
    assert 300 <= seen[-1] < 4000
    assert views(1) == seen[2]


def test_faults_spoil_the_counts_once(sandbox: Sandbox):
    fixed(sandbox, "11", "12", "13")
    sandbox.faults("GET /x/2/tweets", *({"kind": kind} for kind in ("counts_null", "counts_text", "counts_half")))

    def asked() -> list[dict[str, Any]]:
        return counts(lookup(sandbox, ids="11,12,13", post_fields="public_metrics"))

    assert asked() == [dict.fromkeys(COUNTS, None)] * 3
    assert asked() == [{name: str(count) for name, count in COUNTS.items()}] * 3
    assert len(asked()) == 2
    assert asked() == [COUNTS | {"sparkle_count": 7}] * 3


def test_an_x_of_last_year_knows_only_its_own_names(sandbox: Sandbox):
    fixed(sandbox, "11")
    sandbox.faults("GET /x/2/tweets", {"kind": "counts_last_year", "times": 2})

    refused = lookup(sandbox, ids="11", post_fields="public_metrics")
    (shown,) = counts(lookup(sandbox, ids="11", tweet_fields="public_metrics"))

    assert refused.status_code == 400
    assert refused.json()["type"].endswith("/invalid-request")
    assert (shown["retweet_count"], "repost_count" in shown) == (3, False)
