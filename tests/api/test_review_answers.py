"""Answers given on the review page: who may decide, and that a decision counts once."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from tests.api.conftest import Api
from tests.api.post_reviews import REVIEWER, VARIANTS, PostReviews

APPROVE = {"decision": "approve"}


@pytest.fixture
def posts(agency: Organization, master: MasterDb, tenants: Tenants) -> PostReviews:
    return PostReviews(agency, master, tenants)


async def test_an_approval_is_recorded_and_the_page_says_what_comes_next(
    api: Api, http: httpx.AsyncClient, posts: PostReviews, outsider: Organization, tenants: Tenants
) -> None:
    token = await posts.add()

    answer = await http.post(f"/reviews/{token}", data={"decision": "approve", "comment": "Lovely."})
    page = await http.get(f"/reviews/{token}")

    assert (answer.status_code, answer.headers["location"]) == (303, f"/reviews/{token}#decision")
    assert "Approved on" in page.text
    assert "It goes out on Tuesday, 1 December 2026, 09:00 (Africa/Johannesburg)." in page.text
    assert f"Decided by {REVIEWER}." in page.text
    assert "<form" not in page.text
    [post] = await posts.tenant("select status, approved_hash = content_hash as is_exact from social_posts")
    assert post == {"status": "approved", "is_exact": True}
    assert await posts.decisions() == [("approved", "Lovely.", REVIEWER, "link")]
    assert api.rows("select next_due_at <= now() as is_due from publishing_agenda") == [{"is_due": True}]
    assert await posts.tenant("select * from verify_audit()") == []
    async with tenants.open(outsider) as tenant:
        cursor = await tenant.conn.execute("select * from review_decisions")
        assert await cursor.fetchall() == []


@pytest.mark.parametrize(
    ("decision", "status", "heading"),
    [("changes", "changes_requested", "Changes were asked for"), ("reject", "rejected", "Rejected on")],
)
async def test_a_change_or_a_rejection_needs_words(
    http: httpx.AsyncClient, posts: PostReviews, decision: str, status: str, heading: str
) -> None:
    token = await posts.add()

    silent = await http.post(f"/reviews/{token}", data={"decision": decision, "comment": " \n "})
    assert silent.status_code == 422
    assert "Nothing was recorded yet" in silent.text
    assert 'aria-invalid="true"' in silent.text
    assert (await posts.statuses(), await posts.decisions()) == (["in_review"], [])
    spoken = await http.post(
        f"/reviews/{token}", data={"decision": decision, "comment": "Which beans?"}, follow_redirects=True
    )

    assert spoken.status_code == 200
    assert heading in spoken.text
    assert "Which beans?" in spoken.text
    assert await posts.statuses() == [status]
    assert await posts.decisions() == [(status, "Which beans?", REVIEWER, "link")]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"comment": "Lovely."}, 422),
        ({"decision": "approved"}, 422),
        ({"decision": ["approve", "reject"], "comment": "x"}, 422),
        ({"decision": "approve", "comment": "x" * 4001}, 422),
        ({"decision": "approve", "comment": "a\x00b"}, 422),
        ({"decision": "approve", "comment": "x" * 20_000}, 413),
    ],
)
async def test_an_answer_that_cannot_be_read_decides_nothing(
    http: httpx.AsyncClient, posts: PostReviews, data: dict[str, str], status: int
) -> None:
    answer = await http.post(f"/reviews/{await posts.add()}", data=data)

    assert answer.status_code == status
    assert (await posts.statuses(), await posts.decisions()) == (["in_review"], [])


async def test_twenty_clicks_at_once_are_one_approval(api: Api, http: httpx.AsyncClient, posts: PostReviews) -> None:
    token = await posts.add()

    answers = await asyncio.gather(*(http.post(f"/reviews/{token}", data=APPROVE) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {303}
    assert len(await posts.decisions()) == 1
    count = "select count(*) as n from audit_log where action = 'post.approved'"
    assert await posts.tenant(count) == [{"n": 1}]


async def test_who_decides_second_is_told_what_was_decided_first(http: httpx.AsyncClient, posts: PostReviews) -> None:
    token = await posts.add()
    await http.post(f"/reviews/{token}", data={"decision": "reject", "comment": "No."})

    answer = await http.post(f"/reviews/{token}", data=APPROVE)

    assert answer.status_code == 409
    assert "Rejected on" in answer.text
    assert await posts.statuses() == ["rejected"]
    assert await posts.decisions() == [("rejected", "No.", REVIEWER, "link")]


async def test_after_an_edit_the_old_link_shows_nothing_and_decides_nothing(
    http: httpx.AsyncClient, posts: PostReviews
) -> None:
    token = await posts.add()
    await posts.tenant("update social_posts set content = 'Stale beans on Monday'")

    page, answer = await http.get(f"/reviews/{token}"), await http.post(f"/reviews/{token}", data=APPROVE)

    assert (page.status_code, answer.status_code) == (410, 409)
    assert "The post was changed" in page.text
    assert VARIANTS["x"]["thread"][0] not in page.text
    assert (await posts.statuses(), await posts.decisions()) == (["in_review"], [])


async def test_an_approved_post_that_is_edited_is_not_approved_by_the_old_link(
    http: httpx.AsyncClient, posts: PostReviews
) -> None:
    token = await posts.add()
    await http.post(f"/reviews/{token}", data=APPROVE)
    await posts.tenant("update social_posts set variants = '{}'")

    answer = await http.post(f"/reviews/{token}", data=APPROVE)

    assert answer.status_code == 409
    assert await posts.statuses() == ["in_review"]
    assert len(await posts.decisions()) == 1


async def test_an_expired_link_is_410_and_decides_nothing(
    api: Api, http: httpx.AsyncClient, posts: PostReviews
) -> None:
    token = await posts.add()
    api.clock.moment = datetime.now(UTC) + timedelta(days=31)

    page, answer = await http.get(f"/reviews/{token}"), await http.post(f"/reviews/{token}", data=APPROVE)

    assert (page.status_code, answer.status_code) == (410, 410)
    assert "no longer valid" in page.text
    assert (await posts.statuses(), await posts.decisions()) == (["in_review"], [])


@pytest.mark.parametrize("change", ["is_active = false", "role = 'editor'"])
async def test_who_is_no_reviewer_any_more_sees_and_decides_nothing(
    http: httpx.AsyncClient, posts: PostReviews, tenants: Tenants, change: str
) -> None:
    token = await posts.add()
    async with tenants.open(posts.organization) as tenant:
        await tenant.conn.execute(f"update users set {change} where email = %s".encode(), (REVIEWER,))

    page, answer = await http.get(f"/reviews/{token}"), await http.post(f"/reviews/{token}", data=APPROVE)

    assert (page.status_code, answer.status_code) == (403, 403)
    assert VARIANTS["x"]["thread"][0] not in page.text
    assert (await posts.statuses(), await posts.decisions()) == (["in_review"], [])


async def test_a_post_taken_out_of_review_can_be_read_but_not_decided(
    http: httpx.AsyncClient, posts: PostReviews
) -> None:
    token = await posts.add()
    await posts.tenant("update social_posts set status = 'archived'")

    page, answer = await http.get(f"/reviews/{token}"), await http.post(f"/reviews/{token}", data=APPROVE)

    assert (page.status_code, answer.status_code) == (200, 409)
    assert "No longer in review" in page.text
    assert "<form" not in page.text
    assert (await posts.statuses(), await posts.decisions()) == (["archived"], [])
