"""The sandbox's numbers of posts on pages and Instagram: fields, insights, batches, and their refusals."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.sandbox_process import Sandbox

POST, MEDIUM = "page-1_1001", "18000000000000001"
NUMBERS = {"views": 900, "reach": 500, "reactions": 31, "comments": 4, "shares": 2, "saves": 3, "clicks": 12}


@pytest.fixture(autouse=True)
def posts(sandbox: Sandbox) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    sandbox.social_post("facebook", POST, "page-1", yesterday)
    sandbox.social_post("instagram", MEDIUM, "ig-1", yesterday)
    for post_id in (POST, MEDIUM):
        sandbox.social_numbers(post_id, **NUMBERS, video_views=0)


def get(sandbox: Sandbox, path: str, *, token: str = "sandbox-page-1", **query: str) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {token}"}
    return httpx.get(f"{sandbox.url}/graph/v25.0/{path}", params=query, headers=headers).json()


def batch(sandbox: Sandbox, *urls: str, token: str = "sandbox-page-1", **more: Any) -> httpx.Response:
    parts = [{"method": "GET", "relative_url": url} for url in urls]
    headers = {"authorization": f"Bearer {token}"}
    return httpx.post(f"{sandbox.url}/graph/v25.0/", json={"batch": parts, **more}, headers=headers)


def values(answer: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item["values"][0]["value"] for item in answer["data"]}


def test_counts_come_with_the_fields_of_a_post(sandbox: Sandbox) -> None:
    fields = "shares,reactions.summary(total_count).limit(0),insights.metric(post_media_view,post_clicks)"

    answer = get(sandbox, POST, fields=fields)

    assert list(answer) == ["id", "shares", "reactions", "insights"]
    assert (answer["shares"], answer["reactions"]["summary"]) == ({"count": 2}, {"total_count": 31})
    assert values(answer["insights"]) == {"post_media_view": 900, "post_clicks": 12}


def test_shares_are_left_out_of_a_post_that_nobody_shared(sandbox: Sandbox) -> None:
    sandbox.social_numbers(POST, **(NUMBERS | {"shares": 0}))

    assert get(sandbox, POST, fields="shares") == {"id": POST}


def test_a_medium_tells_its_insights_on_their_edge(sandbox: Sandbox) -> None:
    answer = get(sandbox, f"{MEDIUM}/insights", token="sandbox-ig-1", metric="views,reach,saved,total_interactions")

    assert values(answer) == {"views": 900, "reach": 500, "saved": 3, "total_interactions": 40}
    assert answer["data"][0] == {
        "name": "views",
        "period": "lifetime",
        "values": [{"value": 900}],
        "title": "views",
        "id": f"{MEDIUM}/insights/views/lifetime",
    }


@pytest.mark.parametrize(
    ("path", "metric", "code"),
    [
        (f"{POST}/insights", "post_media_view,post_impressions", 100),
        (f"{POST}/insights", "post_impressions_unique", 100),
        (f"{POST}/insights", "", 3001),
        (f"{POST}/video_insights", "blue_reels_play_count", 100),
        ("page-1_9/insights", "post_media_view", 100),
        (f"{MEDIUM}/insights", "views,impressions", 100),
        (f"{MEDIUM}/insights", "plays", 100),
        (f"{MEDIUM}/insights", "views", 200),
    ],
)
def test_one_wrong_name_refuses_the_whole_request(sandbox: Sandbox, path: str, metric: str, code: int) -> None:
    token = "sandbox-page-1" if code == 200 or path.startswith("page") else "sandbox-ig-1"

    answer = get(sandbox, path, token=token, metric=metric)

    assert list(answer) == ["error"]
    assert answer["error"]["code"] == code


def test_insights_need_a_right_of_their_own_and_the_rest_does_not(sandbox: Sandbox) -> None:
    sandbox.social_account("facebook", "page-1", "no-insights", scopes=["pages_read_engagement"])

    assert get(sandbox, f"{POST}/insights", token="no-insights", metric="post_clicks")["error"]["code"] == 10
    assert get(sandbox, POST, token="no-insights", fields="shares") == {"id": POST, "shares": {"count": 2}}


def test_a_post_that_nobody_saw_yet_has_an_empty_set(sandbox: Sandbox) -> None:
    sandbox.social_numbers(MEDIUM, views=0)

    assert get(sandbox, f"{MEDIUM}/insights", token="sandbox-ig-1", metric="views,reach") == {"data": []}


def test_the_parts_of_a_batch_are_answered_each_for_itself(sandbox: Sandbox) -> None:
    urls = (f"v25.0/{POST}?fields=shares", f"{POST}/insights?metric=post_impressions", "page-1_9", "a/b/c")

    answer = batch(sandbox, *urls, include_headers=False)

    assert [part["code"] for part in answer.json()] == [200, 400, 400, 400]
    bodies = [json.loads(part["body"]) for part in answer.json()]
    assert bodies[0] == {"id": POST, "shares": {"count": 2}}
    assert [body["error"]["code"] for body in bodies[1:]] == [100, 100, 2500]
    assert bodies[2]["error"]["error_subcode"] == 33
    assert all(set(part) == {"code", "body"} for part in answer.json())
    [entry] = sandbox.journal()
    assert (entry["vendor"], entry["route"]) == ("facebook", "POST /graph/{version}/")


def test_a_part_of_a_batch_fails_by_its_own_script(sandbox: Sandbox) -> None:
    sandbox.faults(f"GET /graph/v25.0/{POST}", {"kind": "drop_before_accept"}, {"kind": "rate_limit"})
    sandbox.faults("GET /graph/*", {"kind": "status", "status": 200, "body": {"id": "?"}, "match": "fields=from"})

    parts = batch(sandbox, POST, POST, POST, f"{POST}?fields=from").json()

    assert parts[0] is None
    assert [part["code"] for part in parts[1:]] == [429, 200, 200]
    assert [json.loads(part["body"]) for part in parts[2:]] == [{"id": POST}, {"id": "?"}]
    assert {"headers"} <= set(parts[2])


def test_half_a_batch_may_stay_unanswered(sandbox: Sandbox) -> None:
    sandbox.faults("POST /graph/v25.0/", {"kind": "counts_half"})

    parts = batch(sandbox, *[POST] * 3).json()

    assert [part and part["code"] for part in parts] == [200, None, 200]


@pytest.mark.parametrize(
    ("body", "token", "code"),
    [
        ({"batch": []}, "sandbox-page-1", 100),
        ({"batch": "no list"}, "sandbox-page-1", 100),
        ({"batch": [{"method": "GET", "relative_url": POST}] * 51}, "sandbox-page-1", 100),
        ({"batch": [{"method": "DELETE", "relative_url": POST}]}, "sandbox-page-1", 100),
        ({"batch": [{"method": "GET", "relative_url": POST}]}, "never-given", 190),
    ],
)
def test_a_wrong_batch_is_refused_as_a_whole(sandbox: Sandbox, body: dict[str, Any], token: str, code: int) -> None:
    headers = {"authorization": f"Bearer {token}"}

    answer = httpx.post(f"{sandbox.url}/graph/v25.0/", json=body, headers=headers)

    assert answer.json()["error"]["code"] == code


def test_an_account_is_told_to_its_own_login_only(sandbox: Sandbox) -> None:
    assert get(sandbox, "page-1", fields="id") == {"id": "page-1"}
    assert get(sandbox, "page-1", token="sandbox-page-2", fields="id")["error"]["error_subcode"] == 33
