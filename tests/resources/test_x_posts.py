"""X read back: the post is recognised, the oldest counts, and what was not read whole is never absence."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from tests.resources.raw_server import answer, raw_server, replies
from tests.resources.x_account import ACCOUNT, TIMELINE, adapter, asked, find, post, reply
from tests.sandbox_process import Sandbox

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TEXTS = [
    "Plain words",
    "Bread & cake <fresh> &amp; more",
    "Book: https://kloof.example.com/a?b=1&c=2",
    "Twice kloofbooks.co.za and http://kloofbooks.co.za/menu.",
    "Two  spaces,\n\nlines and a tail  ",
    "Ünïcode in two forms: cafe\u0301 ☕️ 世界",
]


@pytest.mark.parametrize("text", TEXTS)
async def test_a_post_is_recognised_whatever_x_made_of_its_text(door: HttpDoor, sandbox: Sandbox, text: str):
    x = adapter(door, sandbox.url)
    await x.publish(ACCOUNT, post("Something else"), {})
    published = await x.publish(ACCOUNT, post(text), {})

    found = await find(x, post(text))

    assert found is not None
    assert (found.platform_post_id, found.url) == (published.platform_post_id, published.url)
    assert found.published_at is not None
    assert abs(datetime.now(UTC) - found.published_at) < timedelta(seconds=10)
    assert await find(x, post(text + " not")) is None


async def test_the_oldest_of_several_is_found_that_nobody_owns(door: HttpDoor, sandbox: Sandbox):
    sandbox.settings(social_refuses_duplicates=False)
    x = adapter(door, sandbox.url)
    ids = [(await x.publish(ACCOUNT, post(), {})).platform_post_id for _ in range(3)]

    async def found(**changes: Any) -> str | None:
        answer = await find(x, post(), **changes)
        return answer.platform_post_id if answer else None

    assert await found() == ids[0]
    assert await found(taken=frozenset(ids[:1])) == ids[1]
    assert await found(taken=frozenset(ids)) is None
    assert await found(since=datetime.now(UTC) + timedelta(seconds=1)) is None


async def test_a_reply_is_found_only_below_its_parent(door: HttpDoor, sandbox: Sandbox):
    x = adapter(door, sandbox.url)
    one, two = [(await x.publish(ACCOUNT, post(text), {})).platform_post_id for text in ("One", "Two")]
    answer = await x.publish(ACCOUNT, reply("More", one), {})

    found = await find(x, reply("More", one))

    assert found is not None
    assert found.platform_post_id == answer.platform_post_id
    assert await find(x, reply("More", two)) is None
    assert await find(x, post("More")) is None


async def test_the_whole_window_is_read_page_by_page(door: HttpDoor, sandbox: Sandbox):
    sandbox.settings(social_window_limit=1000)
    x = adapter(door, sandbox.url)
    first = await x.publish(ACCOUNT, post("The oldest"), {})
    for number in range(205):
        await x.publish(ACCOUNT, post(f"Post {number}"), {})

    found = await find(x, post("The oldest"))

    assert found is not None
    assert found.platform_post_id == first.platform_post_id
    assert asked(sandbox).count("GET /2/users/{user}/tweets 200") == 3


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        ({"kind": "partial_errors"}, ErrorClass.RETRY),
        ({"kind": "status", "status": 503, "times": 4}, ErrorClass.RETRY),
        ({"kind": "cut_body", "times": 4}, ErrorClass.RETRY),
        ({"kind": "expired_token"}, ErrorClass.AUTH),
        ({"kind": "rate_limit", "retry_after": 900}, ErrorClass.THROTTLED),
        ({"kind": "status", "status": 200, "body": {}}, ErrorClass.RETRY),
        ({"kind": "status", "status": 200, "body": "<html>hello</html>"}, ErrorClass.RETRY),
        ({"kind": "status", "status": 200, "body": {"meta": {"result_count": 1}}}, ErrorClass.RETRY),
        ({"kind": "status", "status": 200, "body": {"meta": {"result_count": 0}, "errors": [{}]}}, ErrorClass.RETRY),
    ],
)
async def test_a_timeline_that_was_not_read_whole_never_looks_like_absence(
    door: HttpDoor, sandbox: Sandbox, fault: dict[str, Any], error_class: ErrorClass
):
    x = adapter(door, sandbox.url)
    await x.publish(ACCOUNT, post(), {})
    sandbox.faults(TIMELINE, fault)

    with pytest.raises(VendorError) as raised:
        await find(x, post())

    assert raised.value.error_class is error_class
    assert raised.value.limits is None


async def test_a_page_that_fails_after_the_match_is_not_the_oldest_for_sure(door: HttpDoor, sandbox: Sandbox):
    sandbox.settings(social_window_limit=1000)
    x = adapter(door, sandbox.url)
    for number in range(101):
        await x.publish(ACCOUNT, post(f"Post {number}"), {})
    sandbox.faults(TIMELINE, {"kind": "latency", "seconds": 0}, {"kind": "partial_errors"})

    with pytest.raises(VendorError) as raised:
        await find(x, post("Post 100"))

    assert raised.value.error_class is ErrorClass.RETRY


async def test_old_field_names_and_mentions_that_x_put_first_are_understood(door: HttpDoor):
    shown = {
        "id": "77",
        "text": "@kloof_books @other See https://t.co/abcdefghij https://t.co/klmnopqrst",
        "created_at": "2026-11-23T12:00:01.000Z",
        "referenced_tweets": [{"type": "replied_to", "id": "70"}],
        "entities": {
            "urls": [
                {"url": "https://t.co/abcdefghij", "expanded_url": "http://kloof.co.za", "display_url": "kloof.co.za"},
                {"url": "https://t.co/klmnopqrst", "expanded_url": "https://x.com/1", "display_url": "pic.x.com/1"},
            ]
        },
    }
    body = json.dumps({"data": [shown], "meta": {"result_count": 1}}).encode()
    async with raw_server(replies(answer(200, body))) as server:
        x = adapter(door, server.url)

        found = await find(x, reply("See kloof.co.za", "70"), since=NOON)
        elsewhere = await find(x, reply("See kloof.co.za", "71"), since=NOON)
        too_early = await find(x, reply("See kloof.co.za", "70"), since=NOON + timedelta(seconds=2))

    assert found is not None
    assert (found.platform_post_id, found.published_at) == ("77", NOON + timedelta(seconds=1))
    assert (elsewhere, too_early) == (None, None)
    assert server.seen[0].target.startswith(
        "/x/2/users/1001/tweets?max_results=100&start_time=2026-11-23T12%3A00%3A00Z"
    )
