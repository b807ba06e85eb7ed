"""The LinkedIn of the sandbox: versions, tokens, posts, pictures, comments, and how it refuses."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.sandbox_process import Sandbox

PNG = b"\x89PNG\r\n\x1a\nrest"
ORGANIZATION = "urn:li:organization:5551"


def ask(
    sandbox: Sandbox,
    method: str,
    path: str,
    body: Any = None,
    *,
    token: str = "sandbox-5551",
    content: bytes | None = None,
    **headers: str,
) -> httpx.Response:
    sent = {
        "authorization": f"Bearer {token}",
        "linkedin-version": "202607",
        "x-restli-protocol-version": "2.0.0",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    url = path if path.startswith("http") else f"{sandbox.url}/linkedin{path}"
    return httpx.request(method, url, json=body, content=content, headers={k: v for k, v in sent.items() if v})


def post_body(commentary: str = "Fresh coffee", **change: Any) -> dict[str, Any]:
    body = {
        "author": ORGANIZATION,
        "commentary": commentary,
        "visibility": "PUBLIC",
        "distribution": {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []},
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": False,
        **change,
    }
    return {name: value for name, value in body.items() if value is not None}


def publish(sandbox: Sandbox, commentary: str = "Fresh coffee", **change: Any) -> str:
    answer = ask(sandbox, "POST", "/rest/posts", post_body(commentary, **change))
    assert (answer.status_code, answer.content) == (201, b"")
    return answer.headers["x-restli-id"]


def find(sandbox: Sandbox, query: str = "") -> dict[str, Any]:
    return ask(sandbox, "GET", f"/rest/posts?author={quote(ORGANIZATION, safe='')}&q=author{query}").json()


def image(sandbox: Sandbox, content: bytes = PNG) -> str:
    request = {"initializeUploadRequest": {"owner": ORGANIZATION}}
    value = ask(sandbox, "POST", "/rest/images?action=initializeUpload", request).json()["value"]
    assert ask(sandbox, "PUT", value["uploadUrl"], content=content).status_code == 201
    return value["image"]


def test_a_post_is_public_with_the_text_that_people_read(sandbox: Sandbox):
    urn = publish(sandbox, "Open \\(again\\) {hashtag|\\#|coffee} #today")

    (public,) = sandbox.public("linkedin")
    read = ask(sandbox, "GET", f"/rest/posts/{quote(urn, safe='')}").json()
    page = httpx.get(public["url"])

    assert (public["id"], public["account"], public["text"]) == (urn, "5551", "Open (again) #coffee #today")
    assert (read["id"], read["author"]) == (urn, ORGANIZATION)
    assert read["commentary"] == "Open \\(again\\) {hashtag|\\#|coffee} {hashtag|\\#|today}"
    assert "Open (again) #coffee #today" in page.text


@pytest.mark.parametrize("mark", "\\|{}@[]()<>#*_~")
def test_a_text_is_cut_silently_at_a_reserved_character_that_stands_alone(sandbox: Sandbox, mark: str):
    publish(sandbox, f"Half of it {mark} and the rest")

    (public,) = sandbox.public("linkedin")
    assert public["text"] == "Half of it "


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"linkedin_version": ""}, 400, "VERSION_MISSING"),
        ({"linkedin_version": "202511"}, 426, "NONEXISTENT_VERSION"),
        ({"x_restli_protocol_version": ""}, 400, "ILLEGAL_ARGUMENT"),
        ({"token": "nobody"}, 401, "INVALID_ACCESS_TOKEN"),
        ({"token": "sandbox-77"}, 403, "ACCESS_DENIED"),
    ],
)
def test_version_token_and_author_are_checked_before_anything_is_public(
    sandbox: Sandbox, headers: dict[str, Any], status: int, code: str
):
    answer = ask(sandbox, "POST", "/rest/posts", post_body(), **headers)

    assert (answer.status_code, answer.json()["status"], answer.json()["code"]) == (status, status, code)
    assert sandbox.public("linkedin") == []


def test_a_retired_version_is_named_with_its_day(sandbox: Sandbox):
    answer = ask(sandbox, "GET", "/rest/posts", linkedin_version="202504")

    assert answer.json() == {
        "status": 426,
        "code": "NONEXISTENT_VERSION",
        "message": "Requested version 20250401 is not active",
    }


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"commentary": None}, 422, "MISSING_FIELD"),
        ({"visibility": "EVERYBODY"}, 422, "INVALID_VALUE"),
        ({"lifecycleState": None}, 422, "INVALID_VALUE"),
        ({"distribution": None}, 422, "MISSING_FIELD"),
        ({"commentary": "x" * 3001}, 422, "FIELD_LENGTH_TOO_LONG"),
        ({"content": {"media": {"id": "urn:li:image:none"}}}, 400, "INVALID_CONTENT_OWNERSHIP"),
        ({"content": {"multiImage": {"images": [{"id": "one"}]}}}, 400, "INVALID_CONTENT_OWNERSHIP"),
        ({"content": {"article": {}}}, 400, "INVALID_CONTENT_OWNERSHIP"),
    ],
)
def test_a_wrong_post_is_refused_with_the_field(sandbox: Sandbox, change: dict[str, Any], status: int, code: str):
    answer = ask(sandbox, "POST", "/rest/posts", post_body(**change))

    assert answer.status_code == status
    assert answer.json()["errorDetails"]["inputErrors"][0]["code"] == code
    assert sandbox.public("linkedin") == []


def test_the_same_text_twice_is_a_duplicate_that_names_the_first(sandbox: Sandbox):
    first = publish(sandbox, "Fresh coffee")

    again = ask(sandbox, "POST", "/rest/posts", post_body("Fresh coffee"))
    other_page = ask(sandbox, "POST", "/rest/posts", post_body(author="urn:li:organization:77"), token="sandbox-77")

    assert again.status_code == 422
    assert again.json()["message"].endswith(f"Content is a duplicate of {first}")
    assert again.json()["errorDetails"]["inputErrors"][0]["code"] == "DUPLICATE_POST"
    assert other_page.status_code == 201
    assert [post["account"] for post in sandbox.public("linkedin")] == ["5551", "77"]


def test_duplicates_are_taken_where_the_setting_says_so_and_after_a_delete(sandbox: Sandbox):
    urn = publish(sandbox)
    ask(sandbox, "DELETE", f"/rest/posts/{quote(urn, safe='')}")
    publish(sandbox)
    sandbox.settings(social_refuses_duplicates=False)
    publish(sandbox)

    assert [post["deleted"] for post in sandbox.public("linkedin")] == [True, False, False]


def test_a_ghost_duplicate_names_a_post_that_nobody_has(sandbox: Sandbox):
    sandbox.faults("POST /linkedin/rest/posts", {"kind": "ghost_duplicate"})

    answer = ask(sandbox, "POST", "/rest/posts", post_body())

    ghost = answer.json()["message"].rpartition(" ")[2]
    assert answer.status_code == 422
    assert ask(sandbox, "GET", f"/rest/posts/{quote(ghost, safe='')}").status_code == 404
    assert sandbox.public("linkedin") == []


def test_the_finder_shows_own_posts_newest_first_page_by_page(sandbox: Sandbox):
    urns = [publish(sandbox, f"Post {number}") for number in range(5)]
    ask(sandbox, "POST", "/rest/posts", post_body(author="urn:li:organization:77"), token="sandbox-77")
    ask(sandbox, "DELETE", f"/rest/posts/{quote(urns[1], safe='')}")

    first, second = find(sandbox, "&count=3"), find(sandbox, "&count=3&start=3")

    assert [post["id"] for post in first["elements"]] == [urns[4], urns[3], urns[2]]
    assert [link["rel"] for link in first["paging"]["links"]] == ["next"]
    assert [post["id"] for post in second["elements"]] == [urns[0]]
    assert second["paging"]["links"] == []


def test_read_backs_lag_as_long_as_set(sandbox: Sandbox):
    sandbox.settings(social_lag_seconds=60.0)
    urn = publish(sandbox)

    assert find(sandbox)["elements"] == []
    assert ask(sandbox, "GET", f"/rest/posts/{quote(urn, safe='')}").status_code == 404
    assert len(sandbox.public("linkedin")) == 1


def test_deleting_twice_is_as_good_as_once_and_only_the_owner_may(sandbox: Sandbox):
    path = f"/rest/posts/{quote(publish(sandbox), safe='')}"

    stranger = ask(sandbox, "DELETE", path, token="sandbox-77")
    answers = [ask(sandbox, "DELETE", path).status_code for _ in range(2)]

    assert (stranger.status_code, answers) == (403, [204, 204])
    assert [post["deleted"] for post in sandbox.public("linkedin")] == [True]


def test_pictures_are_uploaded_processed_and_shown_with_their_alt_text(sandbox: Sandbox):
    images = [{"id": image(sandbox), "altText": f"Cup {number}"} for number in range(2)]
    status = ask(sandbox, "GET", f"/rest/images/{quote(images[0]['id'], safe='')}").json()["status"]
    publish(sandbox, content={"multiImage": {"images": images}})

    (public,) = sandbox.public("linkedin")
    assert status == "AVAILABLE"
    assert [(one["id"], one["alt"]) for one in public["media"]] == [(one["id"], one["altText"]) for one in images]


def test_what_is_no_picture_fails_and_cannot_be_posted(sandbox: Sandbox):
    urn = image(sandbox, b"<html>")

    status = ask(sandbox, "GET", f"/rest/images/{quote(urn, safe='')}").json()["status"]
    refused = ask(sandbox, "POST", "/rest/posts", post_body(content={"media": {"id": urn}}))

    assert (status, refused.status_code) == ("PROCESSING_FAILED", 400)
    assert sandbox.public("linkedin") == []


def test_comments_are_plain_text_below_their_post(sandbox: Sandbox):
    post = publish(sandbox)
    comments = f"/rest/socialActions/{quote(post, safe='')}/comments"
    body = {"actor": ORGANIZATION, "object": post, "message": {"text": "More (here) #x"}}

    made = ask(sandbox, "POST", comments, body)
    listed = ask(sandbox, "GET", comments).json()["elements"]
    one = f"{comments}/{made.json()['id']}"
    gone = ask(sandbox, "DELETE", f"{one}?actor={quote(ORGANIZATION, safe='')}").status_code

    assert (made.status_code, made.headers["x-restli-id"]) == (201, made.json()["id"])
    assert [comment["commentUrn"] for comment in listed] == [made.json()["commentUrn"]]
    assert listed[0]["message"]["text"] == "More (here) #x"
    assert (gone, ask(sandbox, "GET", one).status_code) == (204, 404)
    assert find(sandbox)["elements"][0]["id"] == post


def test_a_daily_limit_has_no_headers(sandbox: Sandbox):
    sandbox.faults("POST /linkedin/rest/posts", {"kind": "daily_limit"})

    answer = ask(sandbox, "POST", "/rest/posts", post_body())

    assert (answer.status_code, answer.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    assert not [name for name in answer.headers if "limit" in name or name == "retry-after"]
    assert sandbox.public("linkedin") == []


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({}, 200, None),
        ({"refresh_token": "unknown"}, 400, "invalid_grant"),
        ({"client_secret": "bad"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_a_refresh_token_gives_a_token_and_stays(
    sandbox: Sandbox, change: dict[str, str], status: int, error: str | None
):
    form = {"grant_type": "refresh_token", "refresh_token": "sandbox-refresh-5551"}
    form |= {"client_id": "id", "client_secret": "secret", **change}

    answer = httpx.post(f"{sandbox.url}/linkedin/oauth/v2/accessToken", data=form)

    assert (answer.status_code, answer.json().get("error")) == (status, error)
    if status == 200:
        assert answer.json()["refresh_token"] == "sandbox-refresh-5551"
        assert ask(sandbox, "GET", "/rest/posts?q=author&author=5551", token=answer.json()["access_token"]).is_success


def test_tokens_expire_are_revoked_and_have_scopes(sandbox: Sandbox):
    sandbox.social_account("linkedin", "5551", "old", seconds=0)
    sandbox.social_account("linkedin", "5551", "gone")
    sandbox.social_revoke("linkedin", "gone")
    sandbox.social_account("linkedin", "5551", "reader", scopes=["r_organization_social"])

    codes = [
        ask(sandbox, "POST", "/rest/posts", post_body(), token=t).json()["code"] for t in ("old", "gone", "reader")
    ]

    assert codes == ["EXPIRED_ACCESS_TOKEN", "REVOKED_ACCESS_TOKEN", "ACCESS_DENIED"]
    assert ask(sandbox, "GET", "/rest/posts?q=author&author=5551", token="reader").is_success
    assert sandbox.public("linkedin") == []
