"""Facebook pages of the sandbox: wire forms, refusals, lists, the public page."""

from typing import Any

import httpx
import pytest

from tests.sandbox_process import Sandbox

PAGE = "page-1"


def call(
    sandbox: Sandbox,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    token: str = "sandbox-page-1",
    **query: Any,
) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    url = f"{sandbox.url}/graph/v25.0/{path}"
    return httpx.request(method, url, json=body, params=query or None, headers=headers, timeout=5)


def post(sandbox: Sandbox, message: str = "Hello") -> str:
    return call(sandbox, "POST", f"{PAGE}/feed", {"message": message}).json()["id"]


def test_a_post_has_the_pages_id_in_its_own_and_usage_is_told(sandbox: Sandbox) -> None:
    sandbox.settings(facebook_app_percent=42.0)

    answer = call(sandbox, "POST", f"{PAGE}/feed", {"message": "Hello", "link": "https://kloof.example/"})

    [public] = sandbox.public("facebook")
    assert (answer.status_code, answer.json()) == (200, {"id": public["id"]})
    assert public["id"].startswith(f"{PAGE}_")
    assert answer.headers["x-app-usage"] == '{"call_count":42,"total_time":1,"total_cputime":1}'
    assert "x-business-use-case-usage" not in answer.headers
    assert (public["account"], public["parent"], public["deleted"]) == (PAGE, None, False)


def test_json_forms_and_the_query_are_the_same_to_graph(sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/graph/v25.0/{PAGE}/feed"

    form = httpx.post(url, data={"message": "By form"}, params={"access_token": "sandbox-page-1"})
    query = httpx.post(url, params={"message": "By query", "access_token": "sandbox-page-1"})

    assert [form.status_code, query.status_code] == [200, 200]
    assert [item["text"] for item in sandbox.public("facebook")] == ["By form", "By query"]


@pytest.mark.parametrize(
    ("path", "body", "token", "status", "code", "subcode"),
    [
        ("page-1/feed", {"message": "x"}, "", 401, 190, 467),
        ("page-1/feed", {"message": "x"}, "never-given", 401, 190, 467),
        ("page-1/feed", {"message": "x"}, "old", 401, 190, 463),
        ("page-1/feed", {"message": "x"}, "revoked", 401, 190, 460),
        ("page-1/feed", {"message": "x"}, "reader", 403, 200, None),
        ("page-1/feed", {"message": "x"}, "sandbox-page-2", 403, 200, None),
        ("page-1/feed", {}, "sandbox-page-1", 400, 100, None),
        ("page-1/feed", {"message": "x" * 63_207}, "sandbox-page-1", 400, 100, None),
        ("page-1/feed", {"attached_media": [{"media_fbid": "1"}]}, "sandbox-page-1", 400, 100, None),
        ("page-1/photos", {"url": "https://elsewhere.example/a.jpg"}, "sandbox-page-1", 400, 324, None),
        ("page-1/videos", {"file_url": "https://elsewhere.example/a.mp4"}, "sandbox-page-1", 400, 389, None),
        ("page-1_7/comments", {"message": "x"}, "sandbox-page-1", 400, 100, 33),
    ],
)
def test_a_wrong_post_is_refused_with_the_graph_error(
    sandbox: Sandbox, path: str, body: dict[str, Any], token: str, status: int, code: int, subcode: int | None
) -> None:
    sandbox.social_account("facebook", PAGE, "old", seconds=-1)
    sandbox.social_account("facebook", PAGE, "reader", scopes=["pages_read_engagement"])
    sandbox.social_account("facebook", PAGE, "revoked")
    sandbox.social_revoke("facebook", "revoked")

    answer = call(sandbox, "POST", path, body, token=token)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error.get("error_subcode")) == (status, code, subcode)
    assert {"message", "type", "fbtrace_id"} <= set(error)
    assert sandbox.public("facebook") == []
    assert sandbox.journal("facebook")[0]["accepted"] is False


def test_the_same_text_is_refused_in_a_row_only(sandbox: Sandbox) -> None:
    texts = ["Hello", "Hello", "Other", "Hello"]

    answers = [call(sandbox, "POST", f"{PAGE}/feed", {"message": text}) for text in texts]

    assert [answer.status_code for answer in answers] == [200, 400, 200, 200]
    assert answers[1].json()["error"]["code"] == 506
    assert call(sandbox, "POST", "page-2/feed", {"message": "Hello"}, token="sandbox-page-2").status_code == 200
    sandbox.settings(social_refuses_duplicates=False)
    assert call(sandbox, "POST", f"{PAGE}/feed", {"message": "Hello"}).status_code == 200


def test_a_list_goes_from_new_to_old_page_by_page(sandbox: Sandbox) -> None:
    ids = [post(sandbox, f"Post {number}") for number in range(5)]
    call(sandbox, "DELETE", ids[3])
    call(sandbox, "POST", f"{ids[0]}/comments", {"message": "No post"})

    first = call(sandbox, "GET", f"{PAGE}/published_posts", limit=2, fields="id,message,created_time").json()
    second = httpx.get(first["paging"]["next"]).json()

    assert [item["id"] for item in first["data"]] == [ids[4], ids[2]]
    assert [item["message"] for item in second["data"]] == ["Post 1", "Post 0"]
    assert first["data"][0]["created_time"].endswith("+0000")
    assert "next" not in second["paging"]
    assert call(sandbox, "GET", f"{PAGE}/published_posts", since=4_000_000_000).json() == {"data": []}
    assert call(sandbox, "GET", f"{PAGE}/published_posts", fields="likes").json()["error"]["code"] == 100


def test_comments_go_from_old_to_new_unless_asked_otherwise(sandbox: Sandbox) -> None:
    parent = post(sandbox)
    ids = [call(sandbox, "POST", f"{parent}/comments", {"message": words}).json()["id"] for words in ("a", "b")]

    queries: list[dict[str, Any]] = [{}, {"order": "reverse_chronological"}]
    listed = [
        [item["id"] for item in call(sandbox, "GET", f"{parent}/comments", **query).json()["data"]] for query in queries
    ]

    assert listed == [ids, ids[::-1]]
    assert {entry["vendor"] for entry in sandbox.journal()} == {"facebook"}


def test_what_is_deleted_is_gone_for_everybody(sandbox: Sandbox) -> None:
    post_id = post(sandbox)
    public_url = sandbox.public("facebook")[0]["url"]
    assert "Hello" in httpx.get(public_url).text

    answers = [call(sandbox, "DELETE", post_id, token=token) for token in ("sandbox-page-2", *["sandbox-page-1"] * 2)]

    assert [answer.status_code for answer in answers] == [403, 200, 400]
    assert answers[1].json() == {"success": True}
    assert answers[2].json()["error"]["error_subcode"] == 33
    assert call(sandbox, "GET", post_id).json()["error"]["error_subcode"] == 33
    assert httpx.get(public_url).status_code == 404


def test_a_lag_hides_a_post_from_lists_and_not_from_the_public(sandbox: Sandbox) -> None:
    sandbox.settings(social_lag_seconds=30.0)
    post_id = post(sandbox)

    assert call(sandbox, "GET", f"{PAGE}/published_posts").json() == {"data": []}
    assert call(sandbox, "GET", post_id).status_code == 400
    assert [item["id"] for item in sandbox.public("facebook")] == [post_id]


def test_a_scripted_graph_error_says_what_the_script_says_and_nothing_happens(sandbox: Sandbox) -> None:
    fault = {"kind": "graph_error", "code": 368, "subcode": 1390008, "status": 403, "is_transient": False, "minutes": 9}
    sandbox.faults("POST /graph/v25.0/page-1/feed", fault)

    answer = call(sandbox, "POST", f"{PAGE}/feed", {"message": "Hello"})

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["error_subcode"], error["is_transient"]) == (
        403,
        368,
        1390008,
        False,
    )
    [use] = next(iter(httpx.Response(200, text=answer.headers["x-business-use-case-usage"]).json().values()))
    assert use["estimated_time_to_regain_access"] == 9
    assert sandbox.public("facebook") == []


def test_an_app_that_used_up_its_quota_is_refused_everything(sandbox: Sandbox) -> None:
    sandbox.settings(facebook_app_percent=100.0)

    answer = call(sandbox, "GET", f"{PAGE}/published_posts")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 4)


@pytest.mark.parametrize("account", [{}, {"platform": "facebook"}, {"platform": "facebook", "id": 7, "token": "x"}])
def test_an_account_without_what_it_needs_is_not_registered(sandbox: Sandbox, account: dict[str, Any]) -> None:
    answer = httpx.post(f"{sandbox.url}/_sandbox/social_accounts", json=account)

    assert answer.status_code == 400


def test_a_token_that_nobody_gave_out_cannot_be_taken_back(sandbox: Sandbox) -> None:
    answer = httpx.post(f"{sandbox.url}/_sandbox/social_revoke", json={"platform": "facebook", "token": "x"})

    assert (answer.status_code, answer.json()) == (400, {"error": "nobody gave out this token"})
