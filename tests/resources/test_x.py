"""X: publishing, reading back, taking away, against the sandbox; odd answers byte for byte."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from draggonnb_pipelines.domain.publishing import Account, Limits, Part, Payload, Platform
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from tests.resources.raw_server import answer, raw_server, replies
from tests.resources.x_account import ACCOUNT, CREATE, adapter, find, post, reply
from tests.sandbox_process import Sandbox

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


async def test_a_post_is_published_once_with_its_link_and_its_price(door: HttpDoor, sandbox: Sandbox):
    x = adapter(door, sandbox.url)
    assert not x.needs_preparation(post())

    published = await x.publish(ACCOUNT, post("Fresh bread & cake", made_with_ai=True), {})

    (public,) = sandbox.public("x")
    (entry,) = sandbox.journal("x")
    assert entry["body"] == {"text": "Fresh bread & cake", "made_with_ai": True}
    assert (public["id"], public["text"], public["account"]) == (
        published.platform_post_id,
        "Fresh bread & cake",
        "1001",
    )
    assert published.url == public["url"] == f"{sandbox.url}/x/i/web/status/{public['id']}"
    assert published.cost_usd == Decimal("0.015")
    assert published.limits is not None
    assert (published.limits.account_remaining, published.limits.app_remaining) == (99, 9999)
    assert published.limits.resume_at is None


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("Book at https://kloof.example.com/book", "0.20"),
        ("Book at kloofbooks.co.za today", "0.20"),
        ("Open 7.30 to 16.00, see you", "0.015"),
        ("Write to us: info@kloofbooks.co.za", "0.015"),
    ],
)
async def test_a_link_makes_a_post_dearer(door: HttpDoor, sandbox: Sandbox, text: str, cost: str):
    published = await adapter(door, sandbox.url).publish(ACCOUNT, post(text), {})

    assert published.cost_usd == Decimal(cost)


async def test_a_thread_goes_on_below_its_first_post(door: HttpDoor, sandbox: Sandbox):
    x = adapter(door, sandbox.url)

    first = await x.publish(ACCOUNT, post("One of two"), {})
    second = await x.publish(ACCOUNT, reply("Two of two", first.platform_post_id), {})
    comment = await x.publish(ACCOUNT, Payload(Part.COMMENT, "Also", parent_id=first.platform_post_id), {})

    parents = {one["id"]: one["parent"] for one in sandbox.public("x")}
    assert parents == {
        first.platform_post_id: None,
        second.platform_post_id: first.platform_post_id,
        comment.platform_post_id: first.platform_post_id,
    }


async def test_a_reply_without_a_parent_is_never_sent(door: HttpDoor, sandbox: Sandbox):
    with pytest.raises(VendorError) as raised:
        await adapter(door, sandbox.url).publish(ACCOUNT, Payload(Part.REPLY, "To whom?"), {})

    assert raised.value.error_class is ErrorClass.INPUT
    assert sandbox.journal("x") == []


@pytest.mark.parametrize(
    ("fault", "error_class", "public"),
    [
        ({"kind": "accept_then_drop"}, ErrorClass.AMBIGUOUS, 1),
        ({"kind": "accept_then_status", "status": 503}, ErrorClass.AMBIGUOUS, 1),
        ({"kind": "cut_body"}, ErrorClass.AMBIGUOUS, 1),
        ({"kind": "drop_before_accept"}, ErrorClass.AMBIGUOUS, 0),
        ({"kind": "status", "status": 500}, ErrorClass.AMBIGUOUS, 0),
        ({"kind": "rate_limit", "retry_after": 30}, ErrorClass.THROTTLED, 0),
        ({"kind": "expired_token"}, ErrorClass.AUTH, 0),
        ({"kind": "duplicate_content"}, ErrorClass.DUPLICATE, 0),
        ({"kind": "user_suspended"}, ErrorClass.BLOCKED, 0),
        ({"kind": "usage_capped"}, ErrorClass.BLOCKED, 0),
    ],
)
async def test_a_publish_that_fails_is_sorted_and_never_sent_twice(
    door: HttpDoor, sandbox: Sandbox, fault: dict[str, Any], error_class: ErrorClass, public: int
):
    sandbox.faults(CREATE, fault)

    with pytest.raises(VendorError) as raised:
        await adapter(door, sandbox.url).publish(ACCOUNT, post(), {})

    assert raised.value.error_class is error_class
    assert len(sandbox.journal("x")) == 1
    assert len(sandbox.public("x")) == public


async def test_a_second_identical_post_is_a_duplicate_and_find_names_the_first(door: HttpDoor, sandbox: Sandbox):
    x = adapter(door, sandbox.url)
    first = await x.publish(ACCOUNT, post(), {})

    with pytest.raises(VendorError) as raised:
        await x.publish(ACCOUNT, post(), {})

    assert (raised.value.error_class, raised.value.code) == (ErrorClass.DUPLICATE, "duplicate-content")
    assert raised.value.existing_id is None
    found = await find(x, post())
    assert found is not None
    assert (found.platform_post_id, found.url) == (first.platform_post_id, first.url)
    assert len(sandbox.public("x")) == 1


async def test_the_end_of_the_window_says_when_calls_may_go_on(door: HttpDoor, sandbox: Sandbox):
    sandbox.settings(social_window_limit=1, social_window_seconds=600.0)
    x = adapter(door, sandbox.url)
    await x.publish(ACCOUNT, post("One"), {})
    before = datetime.now(UTC)

    with pytest.raises(VendorError) as raised:
        await x.publish(ACCOUNT, post("Two"), {})

    error = raised.value
    assert error.error_class is ErrorClass.THROTTLED
    assert error.retry_after_seconds is not None
    assert 590 <= error.retry_after_seconds <= 602
    assert isinstance(error.limits, Limits)
    assert error.limits.account_remaining == 0
    assert error.limits.resume_at is not None
    assert error.limits.resume_at == error.limits.account_resets_at
    assert timedelta(seconds=590) <= error.limits.resume_at - before <= timedelta(seconds=602)
    assert len(sandbox.public("x")) == 1


@pytest.mark.parametrize("body", [b"{}", b"[]", b"not json", b'{"data": {}}', b'{"data": {"id": 7}}'])
async def test_an_acceptance_without_an_id_is_ambiguous(door: HttpDoor, body: bytes):
    async with raw_server(replies(answer(201, body))) as server:
        with pytest.raises(VendorError) as raised:
            await adapter(door, server.url).publish(ACCOUNT, post(), {})

    assert raised.value.error_class is ErrorClass.AMBIGUOUS
    assert len(server.seen) == 1
    assert server.seen[0].headers["authorization"] == "Bearer sandbox-1001"
    assert "sandbox-1001" not in server.seen[0].target


async def test_a_post_is_confirmed_deleted_and_then_unknown(door: HttpDoor, sandbox: Sandbox):
    x = adapter(door, sandbox.url)
    published = await x.publish(ACCOUNT, post(), {})

    found = await x.confirm(ACCOUNT, published.platform_post_id)
    assert found is not None
    assert (found.platform_post_id, found.url) == (published.platform_post_id, published.url)
    await x.delete(ACCOUNT, published.platform_post_id)
    await x.delete(ACCOUNT, published.platform_post_id)

    assert await x.confirm(ACCOUNT, published.platform_post_id) is None
    assert [one["deleted"] for one in sandbox.public("x")] == [True]


async def test_an_unclear_answer_about_a_post_is_no_absence(door: HttpDoor):
    odd = json.dumps({"errors": [{"type": "https://api.x.com/2/problems/internal-error"}]}).encode()
    async with raw_server(replies(answer(200, odd))) as server:
        with pytest.raises(VendorError) as raised:
            await adapter(door, server.url).confirm(ACCOUNT, "77")

    assert raised.value.error_class is ErrorClass.RETRY


async def test_somebody_elses_post_is_not_deleted(door: HttpDoor, sandbox: Sandbox):
    x = adapter(door, sandbox.url)
    other = await x.publish(Account(Platform.X, "1002", "sandbox-1002"), post(), {})

    with pytest.raises(VendorError) as raised:
        await x.delete(ACCOUNT, other.platform_post_id)

    assert raised.value.error_class is ErrorClass.PERMISSION
    assert [one["deleted"] for one in sandbox.public("x")] == [False]
