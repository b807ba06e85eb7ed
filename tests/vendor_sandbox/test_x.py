"""The X API of the sandbox: posts, timelines, media, tokens, limits, in the vendor's own words."""

import time
from typing import Any

import httpx
import pytest

from tests.sandbox_process import Sandbox

TOKEN = "sandbox-1001"
CLIENT = ("our-app", "our-secret")


def call(sandbox: Sandbox, method: str, path: str, token: str = TOKEN, **arguments: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.request(method, f"{sandbox.url}/x{path}", headers=headers, **arguments)


def post(sandbox: Sandbox, text: str, token: str = TOKEN, **fields: Any) -> httpx.Response:
    return call(sandbox, "POST", "/2/tweets", token, json={"text": text, **fields})


def refresh(sandbox: Sandbox, token: str, client: tuple[str, str] = CLIENT) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return httpx.post(f"{sandbox.url}/x/2/oauth2/token", data=form, auth=client)


def upload(sandbox: Sandbox, content: bytes, kind: str = "image/png", category: str = "tweet_image") -> str:
    begin = {"media_type": kind, "media_category": category, "total_bytes": len(content)}
    media = call(sandbox, "POST", "/2/media/upload/initialize", json=begin).json()["data"]["id"]
    half = len(content) // 2
    for number, part in enumerate((content[:half], content[half:])):
        form = {"data": {"segment_index": str(number)}, "files": {"media": ("part", part)}}
        assert call(sandbox, "POST", f"/2/media/upload/{media}/append", **form).status_code == 200
    return media


def test_a_post_is_public_at_once_and_has_a_page(sandbox: Sandbox) -> None:
    answer = post(sandbox, "Fresh coffee & cake", made_with_ai=True)

    (public,) = sandbox.public("x")
    assert answer.status_code == 201
    assert answer.json()["data"]["id"] == public["id"]
    assert answer.json()["data"]["text"] == "Fresh coffee &amp; cake"
    assert (public["account"], public["text"], public["parent"]) == ("1001", "Fresh coffee & cake", None)
    page = httpx.get(public["url"])
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "Fresh coffee &amp; cake" in page.text


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"text": "Hello", "sparkle": True}, 400, "[sparkle] is not one of the allowed parameters"),
        ({"text": "  "}, 400, "text is missing or empty"),
        ({"text": "a" * 281}, 403, "Your Tweet text is too long"),
        ({"text": "世" * 141}, 403, "Your Tweet text is too long"),
        ({"text": "a" * 260 + " https://kloof.example/a"}, 403, "Your Tweet text is too long"),
        ({"text": "Hello", "media": {"media_ids": ["1"]}}, 400, "Your media IDs are invalid."),
        ({"text": "Hello", "reply": {"in_reply_to_tweet_id": "7"}}, 403, "deleted or not visible to you"),
    ],
)
def test_a_wrong_post_is_refused_and_nothing_is_public(
    sandbox: Sandbox, body: dict[str, Any], status: int, words: str
) -> None:
    answer = call(sandbox, "POST", "/2/tweets", json=body)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert {"title", "detail", "type", "status"} <= set(answer.json())
    assert words in answer.text
    assert sandbox.public("x") == []


@pytest.mark.parametrize(
    "text", ["a" * 280, "世" * 140, "👩‍👩‍👧‍👦" * 140, "a" * 256 + " https://kloof.example/" + "b" * 90]
)
def test_a_text_of_full_length_is_taken(sandbox: Sandbox, text: str) -> None:
    assert post(sandbox, text).status_code == 201


def test_the_same_text_is_refused_until_the_first_is_deleted(sandbox: Sandbox) -> None:
    first = post(sandbox, "Open on Sunday").json()["data"]["id"]

    again = post(sandbox, "Open  on Sunday")
    assert (again.status_code, again.json()["type"]) == (403, "about:blank")
    assert again.json()["detail"] == "You are not allowed to create a Tweet with duplicate content."
    assert post(sandbox, "Open on Sunday", token="sandbox-1002").status_code == 201
    assert post(sandbox, "Open on Sunday", reply={"in_reply_to_tweet_id": first}).status_code == 201
    assert call(sandbox, "DELETE", f"/2/tweets/{first}").json() == {"data": {"deleted": True}}
    assert call(sandbox, "DELETE", f"/2/tweets/{first}").status_code == 404
    assert post(sandbox, "Open on Sunday").status_code == 201


def test_duplicates_are_taken_where_the_sandbox_is_told_so(sandbox: Sandbox) -> None:
    sandbox.settings(social_refuses_duplicates=False)

    assert [post(sandbox, "Open on Sunday").status_code for _ in range(2)] == [201, 201]
    assert len(sandbox.public("x")) == 2


def test_nobody_deletes_the_post_of_another(sandbox: Sandbox) -> None:
    first = post(sandbox, "Ours").json()["data"]["id"]

    assert call(sandbox, "DELETE", f"/2/tweets/{first}", "sandbox-1002").status_code == 403
    assert [item["deleted"] for item in sandbox.public("x")] == [False]


def test_the_timeline_is_read_in_pages_newest_first(sandbox: Sandbox) -> None:
    ids = [post(sandbox, f"Post {number}").json()["data"]["id"] for number in range(7)]
    post(sandbox, "Another account", token="sandbox-1002")

    first = call(sandbox, "GET", "/2/users/1001/tweets", params={"max_results": "5"}).json()
    token = {"max_results": "5", "pagination_token": first["meta"]["next_token"]}
    second = call(sandbox, "GET", "/2/users/1001/tweets", params=token).json()

    assert ids == sorted(ids, key=int)
    assert [one["id"] for one in first["data"]] == ids[:1:-1]
    assert [one["id"] for one in second["data"]] == ids[1::-1]
    assert second["meta"] == {"result_count": 2, "newest_id": ids[1], "oldest_id": ids[0]}
    assert set(first["data"][0]) == {"id", "text", "edit_history_post_ids"}


def test_the_timeline_keeps_to_its_window_and_leaves_out_replies_if_asked(sandbox: Sandbox) -> None:
    first = post(sandbox, "Before").json()["data"]["id"]
    time.sleep(0.05)
    middle = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{int(time.time() % 1 * 1000):03d}Z"
    time.sleep(0.01)
    reply = post(sandbox, "After", reply={"in_reply_to_tweet_id": first}).json()["data"]["id"]

    def ids(**params: str) -> list[str]:
        answer = call(sandbox, "GET", "/2/users/1001/tweets", params=params).json()
        return [one["id"] for one in answer.get("data", [])]

    assert ids() == [reply, first]
    assert ids(start_time=middle) == [reply]
    assert ids(end_time=middle) == [first]
    assert ids(exclude="replies") == [first]
    assert call(sandbox, "GET", "/2/users/1001/tweets", params={"max_results": "4"}).status_code == 400


@pytest.mark.parametrize("parameter", ["post.fields", "tweet.fields"])
def test_links_come_back_as_t_co_with_what_they_stand_for(sandbox: Sandbox, parameter: str) -> None:
    post(sandbox, "Book at https://kloof.example/a?b=1&c=2 or kloofbooks.co.za <now>")

    params = {parameter: "created_at,entities"}
    (shown,) = call(sandbox, "GET", "/2/users/1001/tweets", params=params).json()["data"]

    urls = shown["entities"]["urls"]
    assert [one["expanded_url"] for one in urls] == ["https://kloof.example/a?b=1&c=2", "http://kloofbooks.co.za"]
    assert shown["text"] == f"Book at {urls[0]['url']} or {urls[1]['url']} &lt;now&gt;"
    assert all(one["url"].startswith("https://t.co/") and len(one["url"]) == 23 for one in urls)


def test_read_backs_lag_behind_acceptance_if_asked(sandbox: Sandbox) -> None:
    sandbox.settings(social_lag_seconds=0.3)
    first = post(sandbox, "Slow").json()["data"]["id"]

    missing = call(sandbox, "GET", "/2/tweets", params={"ids": first}).json()
    assert (missing["errors"][0]["value"], "data" in missing) == (first, False)
    assert call(sandbox, "GET", "/2/users/1001/tweets").json() == {"meta": {"result_count": 0}}
    time.sleep(0.35)
    assert call(sandbox, "GET", "/2/tweets", params={"ids": first}).json()["data"][0]["id"] == first


def test_media_are_uploaded_in_segments_and_shown_with_their_alt_text(sandbox: Sandbox) -> None:
    media = upload(sandbox, b"png" * 1000)
    assert post(sandbox, "Too early", media={"media_ids": [media]}).status_code == 400
    assert "processing_info" not in call(sandbox, "POST", f"/2/media/upload/{media}/finalize").json()["data"]
    alt = {"id": media, "metadata": {"alt_text": {"text": "A cup of coffee"}}}
    assert call(sandbox, "POST", "/2/media/metadata", json=alt).status_code == 200

    assert post(sandbox, "Not theirs", "sandbox-1002", media={"media_ids": [media]}).status_code == 400
    assert post(sandbox, "Look", media={"media_ids": [media]}).status_code == 201

    (public,) = sandbox.public("x")
    assert public["media"] == [{"type": "photo", "media_key": f"3_{media}", "alt": "A cup of coffee"}]


def test_a_video_is_processed_for_a_while(sandbox: Sandbox) -> None:
    sandbox.settings(x_processing_seconds=0.3)
    media = upload(sandbox, b"mp4!" * 500, "video/mp4", "tweet_video")

    done = call(sandbox, "POST", f"/2/media/upload/{media}/finalize").json()["data"]
    assert done["processing_info"] == {"state": "in_progress", "check_after_secs": 1}
    assert post(sandbox, "Too early", media={"media_ids": [media]}).status_code == 400
    time.sleep(0.35)
    status = call(sandbox, "GET", "/2/media/upload", params={"media_id": media}).json()["data"]
    assert status["processing_info"] == {"state": "succeeded", "progress_percent": 100}
    assert post(sandbox, "Now", media={"media_ids": [media]}).status_code == 201


def test_an_upload_that_is_not_whole_cannot_be_finalized(sandbox: Sandbox) -> None:
    begin = {"media_type": "image/png", "media_category": "tweet_image", "total_bytes": 10}
    media = call(sandbox, "POST", "/2/media/upload/initialize", json=begin).json()["data"]["id"]

    answer = call(sandbox, "POST", f"/2/media/upload/{media}/finalize")

    assert (answer.status_code, answer.json()["type"]) == (400, "https://api.x.com/2/problems/invalid-request")


def test_every_answer_counts_down_the_window_and_its_end_is_429(sandbox: Sandbox) -> None:
    sandbox.settings(social_window_limit=2, social_window_seconds=60.0, x_app_daily_limit=3)

    answers = [post(sandbox, f"Post {number}") for number in range(3)]
    other = [post(sandbox, f"Post {number}", token="sandbox-1002") for number in range(2)]

    assert [one.status_code for one in answers] == [201, 201, 429]
    assert [one.headers["x-rate-limit-remaining"] for one in answers] == ["1", "0", "0"]
    assert {one.headers["x-rate-limit-limit"] for one in answers} == {"2"}
    assert 50 <= int(answers[2].headers["x-rate-limit-reset"]) - time.time() <= 61
    assert answers[2].json()["title"] == "Too Many Requests"
    # The app's day is shared, and the refused call counts there too.
    assert [one.status_code for one in other] == [429, 429]
    assert other[0].headers["x-app-limit-24hour-remaining"] == "0"
    assert len(sandbox.public("x")) == 2
    assert call(sandbox, "GET", "/2/users/me").headers["x-rate-limit-limit"] == "75"


@pytest.mark.parametrize("token", ["", "unknown", "x-access-unknown"])
def test_an_unknown_token_is_refused(sandbox: Sandbox, token: str) -> None:
    answer = post(sandbox, "Hello", token)

    assert (answer.status_code, answer.json()["title"]) == (401, "Unauthorized")
    assert sandbox.public("x") == []


def test_a_token_without_the_right_may_read_but_not_post(sandbox: Sandbox) -> None:
    sandbox.social_account("x", "1001", "reader", scopes=["users.read", "tweet.read"])

    assert call(sandbox, "GET", "/2/users/me", "reader").json()["data"]["id"] == "1001"
    assert post(sandbox, "Hello", "reader").status_code == 403
    assert sandbox.public("x") == []


def test_an_access_token_expires_and_the_refresh_token_gives_another(sandbox: Sandbox) -> None:
    sandbox.settings(x_token_seconds=1.0)
    pair = refresh(sandbox, "sandbox-refresh-1001").json()

    assert call(sandbox, "GET", "/2/users/me", pair["access_token"]).json()["data"]["id"] == "1001"
    time.sleep(1.1)
    assert call(sandbox, "GET", "/2/users/me", pair["access_token"]).status_code == 401
    sandbox.settings(x_token_seconds=60.0)
    second = refresh(sandbox, pair["refresh_token"]).json()
    assert second["expires_in"] == 60
    assert call(sandbox, "GET", "/2/users/me", second["access_token"]).status_code == 200


def test_using_a_refresh_token_twice_revokes_the_whole_family(sandbox: Sandbox) -> None:
    sandbox.social_account("x", "1001", "first", refresh_token="refresh-1")
    one = refresh(sandbox, "refresh-1").json()
    two = refresh(sandbox, one["refresh_token"]).json()
    other = refresh(sandbox, "sandbox-refresh-1002").json()

    again = refresh(sandbox, "refresh-1")

    assert again.json() == {
        "error": "invalid_request",
        "error_description": "Value passed for the token was invalid.",
    }
    assert again.status_code == 400
    assert refresh(sandbox, two["refresh_token"]).status_code == 400
    assert call(sandbox, "GET", "/2/users/me", two["access_token"]).status_code == 401
    assert call(sandbox, "GET", "/2/users/me", other["access_token"]).status_code == 200


@pytest.mark.parametrize(
    ("token", "client", "status"),
    [
        ("sandbox-refresh-1001", ("our-app", "bad-secret"), 401),
        ("sandbox-refresh-1001", ("", ""), 401),
        ("unknown", CLIENT, 400),
    ],
)
def test_a_wrong_refresh_gives_no_token(sandbox: Sandbox, token: str, client: tuple[str, str], status: int) -> None:
    answer = refresh(sandbox, token, client)

    assert answer.status_code == status
    assert "access_token" not in answer.json()
    assert refresh(sandbox, "sandbox-refresh-1001").status_code == 200
