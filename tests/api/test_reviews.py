"""The review page: what it shows of a post, and what it keeps to itself."""

import asyncio
import base64
import hashlib
import logging

import httpx
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from tests.api.conftest import Api, ServeApi
from tests.api.post_reviews import PostReviews

APPROVE = {"decision": "approve"}


@pytest.fixture
def posts(agency: Organization, master: MasterDb, tenants: Tenants) -> PostReviews:
    return PostReviews(agency, master, tenants)


async def test_the_page_shows_the_post_on_each_platform_with_its_time_files_and_findings(
    api: Api, http: httpx.AsyncClient, posts: PostReviews
) -> None:
    token = await posts.add()

    page = await http.get(f"/reviews/{token}")

    assert page.status_code == 200
    for text in (
        "Facebook",
        "Fresh beans on Friday.\nCome and smell them.",
        "43 of 63206 characters",
        "First comment",
        "Which roast is yours?",
        "Part 3 of 3",
        "46 of 280 characters, as X counts them",
        "21 of 280 characters, as X counts them",
        "Tuesday, 1 December 2026, 09:00",
        "Africa/Johannesburg, which is 2026-12-01 07:00 UTC",
        "roast-log.jpg",
        "Picture, JPEG, 1080 × 1350 pixels, 482 kB",
        "Video, MP4, 1080 × 1920 pixels, 12.5 seconds, 8.4 MB",
        "A hand-written roast log beside a tray of dark beans",
        "No description for people who cannot see it",
        "Warn · Instagram",
        "2 hashtags; 3 to 5 work best for you.",
    ):
        assert text in page.text
    assert page.text.count('class="preview"') == 4
    assert f'action="/reviews/{token}#decision"' in page.text
    assert api.rows("select viewed_at is not null as viewed from review_links") == [{"viewed": True}]
    assert await posts.statuses() == ["in_review"]


async def test_the_page_lets_nothing_run_or_load_and_nobody_keep_or_frame_it(
    http: httpx.AsyncClient, posts: PostReviews
) -> None:
    page = await http.get(f"/reviews/{await posts.add()}")

    style = page.text.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert page.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    for loader in ("<script", "<link", "<img", "<iframe", "@import", "url(", " style=", " onclick="):
        assert loader not in page.text


async def test_text_from_strangers_stays_text(http: httpx.AsyncClient, posts: PostReviews) -> None:
    evil = "</style><script>alert(1)</script>"
    token = await posts.add(
        title=evil,
        variants={"facebook": {"text": evil, "first_comment": evil, "thread": [evil]}},
        media=[{"path": f"a/{evil}", "alt": evil, "content_type": evil, "size_bytes": 1}],
        findings=[{"rule": "r", "severity": f'"{evil}', "platform": evil, "reason": evil}],
        platform_ids=["facebook"],
    )

    answers = [
        await http.get(f"/reviews/{token}"),
        await http.post(f"/reviews/{token}", data={"decision": "x", "comment": evil}),
        await http.post(f"/reviews/{token}", data={"decision": "reject", "comment": evil}, follow_redirects=True),
    ]

    assert [answer.status_code for answer in answers] == [200, 422, 200]
    assert all("&lt;script&gt;" in answer.text and "<script" not in answer.text for answer in answers)


async def test_a_text_that_is_too_long_says_so(http: httpx.AsyncClient, posts: PostReviews) -> None:
    token = await posts.add(platform_ids=["x"], variants={"x": {"text": "a" * 281}}, media=[], findings=[])

    page = await http.get(f"/reviews/{token}")

    assert "281 of 280 characters, as X counts them: too long" in page.text
    assert "Pictures and videos" not in page.text
    assert "What our checks found" not in page.text


async def test_a_head_request_is_answered_but_is_not_a_view(
    api: Api, http: httpx.AsyncClient, posts: PostReviews
) -> None:
    answer = await http.head(f"/reviews/{await posts.add()}")

    assert answer.status_code == 200
    assert api.rows("select viewed_at from review_links") == [{"viewed_at": None}]


async def test_an_unknown_token_gets_a_friendly_404(http: httpx.AsyncClient, posts: PostReviews) -> None:
    await posts.add()

    page, answer = await http.get("/reviews/unknown"), await http.post("/reviews/unknown", data=APPROVE)

    assert (page.status_code, answer.status_code) == (404, 404)
    assert "We cannot find this post" in page.text
    assert await posts.statuses() == ["in_review"]


async def test_a_time_that_has_passed_is_said(api: Api, http: httpx.AsyncClient, posts: PostReviews) -> None:
    token = await posts.add(scheduled_for="2026-11-01T07:00:00Z")

    assert "The time at which it was to go out has passed." in (await http.get(f"/reviews/{token}")).text


async def test_a_post_without_a_wall_time_goes_out_as_soon_as_it_is_approved(
    http: httpx.AsyncClient, posts: PostReviews
) -> None:
    token = await posts.add(scheduled_for="2026-11-01T07:00:00Z", scheduled_local=None, time_zone=None)

    page = await http.get(f"/reviews/{token}")

    assert "As soon as it is approved" in page.text
    assert "has passed" not in page.text
    assert "1 November" not in page.text


async def test_findings_about_an_earlier_text_are_marked_as_such(http: httpx.AsyncClient, posts: PostReviews) -> None:
    token = await posts.add()
    assert "edited since" not in (await http.get(f"/reviews/{token}")).text

    await posts.tenant("update social_posts set revision = 2")

    assert "edited since" in (await http.get(f"/reviews/{token}")).text


async def test_a_tenant_that_is_down_is_a_friendly_503(api: Api, http: httpx.AsyncClient, posts: PostReviews) -> None:
    token = await posts.add()
    api.execute("update organizations set database_name = 'nowhere_at_all'")

    page, answer = await http.get(f"/reviews/{token}"), await http.post(f"/reviews/{token}", data=APPROVE)

    assert (page.status_code, answer.status_code) == (503, 503)
    assert "We will be back in a moment" in page.text
    assert page.headers["retry-after"] == "30"


async def test_a_clients_page_is_gone_with_its_key(api: Api, http: httpx.AsyncClient, posts: PostReviews) -> None:
    token = await posts.add()
    api.execute("update organizations set data_key_wrapped = null")

    assert (await http.get(f"/reviews/{token}")).status_code == 404


async def test_too_many_requests_are_429_with_a_page(serve_api: ServeApi, posts: PostReviews) -> None:
    token = await posts.add()
    with serve_api(api_rate_per_minute=2) as api:
        async with httpx.AsyncClient(base_url=api.url) as http:
            pages = [await http.get(f"/reviews/{token}") for _ in range(3)]

    assert [page.status_code for page in pages] == [200, 200, 429]
    assert "One moment, please" in pages[2].text


async def test_no_log_line_shows_the_token_or_who_decided(
    http: httpx.AsyncClient, posts: PostReviews, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = await posts.add()

    await http.post(f"/reviews/{token}", data={"decision": "reject", "comment": "Unmistakable words"})

    def lines_so_far() -> str:
        return "\n".join(r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore")))

    for _ in range(100):  # the server writes its line after the answer has left
        if "POST /reviews/{token} 303" in lines_so_far():
            break
        await asyncio.sleep(0.02)
    lines = lines_so_far()
    assert "POST /reviews/{token} 303" in lines
    assert token not in lines
    assert "Unmistakable" not in lines
    assert "approver@" not in lines
