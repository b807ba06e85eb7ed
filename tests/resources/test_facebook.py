"""Facebook pages against the sandbox: what becomes public, once, and how a lost answer is settled."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.publishing import Account, Limits, Part, Payload, Platform
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.facebook import FacebookPages
from draggonnb_pipelines.resources.http import HttpDoor
from tests.resources.facebook_work import FEED, PAGE, client, find, refused, text
from tests.sandbox_process import Sandbox


@pytest.fixture
def pages(door: HttpDoor, sandbox: Sandbox) -> FacebookPages:
    return client(door, sandbox)


async def test_a_text_is_public_once_at_the_address_that_is_told(pages: FacebookPages, sandbox: Sandbox) -> None:
    assert not pages.needs_preparation(text())

    published = await pages.publish(PAGE, text(), {})

    [public] = sandbox.public("facebook")
    assert (public["id"], public["text"], public["media"]) == (published.platform_post_id, "Fresh beans today", [])
    assert published.url == public["url"]
    assert published.limits == Limits(app_percent=1.0)
    [entry] = sandbox.journal()
    assert (entry["vendor"], entry["route"], entry["body"]) == (
        "facebook",
        "POST /graph/{version}/{page}/feed",
        {"message": "Fresh beans today"},
    )


async def test_the_first_link_of_a_text_gets_its_preview(pages: FacebookPages, sandbox: Sandbox) -> None:
    await pages.publish(PAGE, text("Order (https://kloof.example/beans?a=1). Or https://kloof.example/b"), {})

    assert sandbox.journal()[0]["body"]["link"] == "https://kloof.example/beans?a=1"
    assert (
        sandbox.public("facebook")[0]["text"] == "Order (https://kloof.example/beans?a=1). Or https://kloof.example/b"
    )


async def test_a_first_comment_stands_below_its_post(pages: FacebookPages, sandbox: Sandbox) -> None:
    post = await pages.publish(PAGE, text(), {})
    comment = Payload(Part.COMMENT, "Order here", parent_id=post.platform_post_id)

    said = await pages.publish(PAGE, comment, {})

    [_, public] = sandbox.public("facebook")
    assert (public["id"], public["parent"]) == (said.platform_post_id, post.platform_post_id)
    assert await find(pages, comment) == said.platform_post_id
    assert await find(pages, Payload(Part.COMMENT, "Other", parent_id=post.platform_post_id)) is None


async def test_a_comment_of_somebody_else_is_not_ours(pages: FacebookPages, sandbox: Sandbox) -> None:
    post = await pages.publish(PAGE, text(), {})
    comment = Payload(Part.COMMENT, "First!", parent_id=post.platform_post_id)
    stranger = Account(Platform.FACEBOOK, "page-2", "sandbox-page-2")
    await pages.publish(stranger, comment, {})

    assert await find(pages, comment) is None


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "accept_then_drop"},
        {"kind": "accept_then_status"},
        {"kind": "accept_then_status", "status": 503, "body": "gone fishing"},
        {"kind": "cut_body"},
    ],
)
async def test_a_lost_answer_is_ambiguous_and_the_post_is_found(
    pages: FacebookPages, sandbox: Sandbox, fault: dict[str, Any]
) -> None:
    sandbox.faults(FEED, fault)

    error = await refused(pages, text("Zoë’s\n\nbeans "))

    assert error.error_class is ErrorClass.AMBIGUOUS
    [public] = sandbox.public("facebook")
    assert len(sandbox.journal()) == 1
    assert await find(pages, text("Zoë’s\n\nbeans ")) == public["id"]


@pytest.mark.parametrize("fault", [{"kind": "drop_before_accept"}, {"kind": "status", "status": 500}])
async def test_what_never_happened_is_ambiguous_too_and_surely_not_there(
    pages: FacebookPages, sandbox: Sandbox, fault: dict[str, Any]
) -> None:
    sandbox.faults(FEED, fault)

    assert (await refused(pages, text())).error_class is ErrorClass.AMBIGUOUS
    assert await find(pages, text()) is None


async def test_the_oldest_post_of_the_window_that_nobody_owns_is_found_on_any_page(
    pages: FacebookPages, sandbox: Sandbox
) -> None:
    sandbox.settings(social_refuses_duplicates=False)
    twins = [(await pages.publish(PAGE, text("Twin"), {})).platform_post_id for _ in range(3)]
    for number in range(110):
        await pages.publish(PAGE, text(f"Filler {number}"), {})

    assert await find(pages, text("Twin")) == twins[0]
    assert await find(pages, text("Twin"), taken=frozenset(twins[:1])) == twins[1]
    assert await find(pages, text("Twin"), taken=frozenset(twins)) is None
    assert await find(pages, text("Twin"), since=datetime.now(UTC) + timedelta(seconds=2)) is None
    reads = [entry for entry in sandbox.journal() if entry["method"] == "GET"]
    assert [entry["status"] for entry in reads] == [200] * (2 + 2 + 2 + 1)


async def test_a_post_that_is_not_listed_yet_appears_after_the_lag(pages: FacebookPages, sandbox: Sandbox) -> None:
    sandbox.settings(social_lag_seconds=30.0)
    await pages.publish(PAGE, text(), {})

    assert await find(pages, text()) is None
    assert len(sandbox.public("facebook")) == 1


async def test_a_failed_read_is_an_error_and_never_an_absence(pages: FacebookPages, sandbox: Sandbox) -> None:
    sandbox.faults("GET /graph/v25.0/page-1/published_posts", {"kind": "status", "status": 500}, repeat=True)

    with pytest.raises(VendorError) as raised:
        await find(pages, text())

    assert raised.value.error_class is ErrorClass.RETRY


async def test_the_same_text_twice_in_a_row_is_a_duplicate(pages: FacebookPages, sandbox: Sandbox) -> None:
    await pages.publish(PAGE, text(), {})

    error = await refused(pages, text())

    assert (error.error_class, error.code) == (ErrorClass.DUPLICATE, "506/1455006")
    assert len(sandbox.public("facebook")) == 1


@pytest.mark.parametrize(
    ("account", "error_class", "code"),
    [
        (Account(Platform.FACEBOOK, "page-1", "sandbox-page-2"), ErrorClass.PERMISSION, "200"),
        (Account(Platform.FACEBOOK, "page-1", "unknown"), ErrorClass.AUTH, "190/467"),
        (Account(Platform.FACEBOOK, "page-1", "reader"), ErrorClass.PERMISSION, "200"),
    ],
)
async def test_a_token_publishes_only_for_its_page_and_with_the_right_to(
    pages: FacebookPages, sandbox: Sandbox, account: Account, error_class: ErrorClass, code: str
) -> None:
    sandbox.social_account("facebook", "page-1", "reader", scopes=["pages_read_engagement"])

    error = await refused(pages, text(), account)

    assert (error.error_class, error.code) == (error_class, code)
    assert sandbox.public("facebook") == []


async def test_a_quota_is_told_and_not_waited_for(pages: FacebookPages, sandbox: Sandbox, waits: list[float]) -> None:
    sandbox.settings(facebook_app_percent=97.0)
    sandbox.faults(FEED, {"kind": "graph_error", "code": 32, "minutes": 5})

    error = await refused(pages, text())

    assert error.error_class is ErrorClass.THROTTLED
    assert error.retry_after_seconds == pytest.approx(300.0, abs=1.0)
    assert isinstance(error.limits, Limits)
    assert error.limits.app_percent == 97.0
    assert (waits, sandbox.public("facebook")) == ([], [])


async def test_undo_takes_the_post_away_and_a_second_time_is_no_error(pages: FacebookPages, sandbox: Sandbox) -> None:
    post = await pages.publish(PAGE, text(), {})
    found = await pages.confirm(PAGE, post.platform_post_id)

    await pages.delete(PAGE, post.platform_post_id)
    await pages.delete(PAGE, post.platform_post_id)

    assert found is not None
    assert found.url == post.url
    assert found.published_at is not None
    assert abs(found.published_at - datetime.now(UTC)) < timedelta(seconds=10)
    assert [item["deleted"] for item in sandbox.public("facebook")] == [True]
    assert await pages.confirm(PAGE, post.platform_post_id) is None
    assert await find(pages, text()) is None


async def test_the_token_check_asks_with_the_apps_own_token(pages: FacebookPages, sandbox: Sandbox) -> None:
    state = await pages.check(PAGE)

    assert (state.is_valid, state.reason) == (True, None)
    assert [entry["route"] for entry in sandbox.journal()] == ["GET /graph/{version}/debug_token"]
