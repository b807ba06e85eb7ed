"""Instagram against the sandbox: published at most once, settled by the container's status, comments, undo."""

import asyncio
from typing import Any

import pytest

from draggonnb_pipelines.domain.publishing import Account, Limits, Part, Payload, Platform
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.instagram import Instagram
from tests.resources.instagram_work import (
    ACCOUNT,
    CREATE,
    PUBLISH,
    client,
    find,
    post,
    refused,
    refused_step,
    routes,
    steps_of,
)
from tests.sandbox_process import Sandbox


@pytest.fixture
def instagram(door: HttpDoor, sandbox: Sandbox) -> Instagram:
    return client(door, sandbox)


async def test_a_picture_is_created_looked_at_and_published_in_steps(instagram: Instagram, sandbox: Sandbox) -> None:
    payload = post(sandbox)
    assert instagram.needs_preparation(payload)

    created, ready = await steps_of(instagram, payload)
    assert sandbox.public("instagram") == []
    published = await instagram.publish(ACCOUNT, payload, ready.progress)

    [public] = sandbox.public("instagram")
    assert (public["id"], public["text"]) == (published.platform_post_id, "Fresh beans")
    confirmed = await instagram.confirm(ACCOUNT, published.platform_post_id)
    assert confirmed is not None
    assert (published.url, confirmed.url) == (None, public["url"])
    assert public["media"][0] | {"url": ""} == {"type": "image/jpeg", "url": "", "alt": "A cup"}
    assert published.limits == Limits(app_percent=1.0)
    assert created.progress["container"] == ready.progress["container"]
    assert routes(sandbox) == [
        "GET {account}/content_publishing_limit",
        "POST {account}/media",
        "GET {node}",
        "POST {account}/media_publish",
        "GET {node}",
    ]


async def test_a_reel_is_a_video_container(instagram: Instagram, sandbox: Sandbox) -> None:
    payload = post(sandbox, "media/reel.mp4")

    await instagram.publish(ACCOUNT, payload, (await steps_of(instagram, payload))[-1].progress)

    [create] = [entry for entry in sandbox.journal("instagram") if entry["route"].endswith("/media")]
    assert create["body"] == {
        "media_type": "REELS",
        "video_url": payload.media[0].url,
        "caption": "Fresh beans",
    }
    assert sandbox.public("instagram")[0]["media"][0]["type"] == "video/mp4"


async def test_a_carousel_waits_for_its_items_and_then_for_itself(instagram: Instagram, sandbox: Sandbox) -> None:
    sandbox.faults(CREATE, {"kind": "container_slow", "for_seconds": 0.3, "match": "portrait"})
    payload = post(sandbox, "media/square.jpg", "media/portrait.jpg", "media/reel.mp4")

    items = await instagram.prepare(ACCOUNT, payload, {})
    waiting = await instagram.prepare(ACCOUNT, payload, items.progress)
    assert (waiting.progress, waiting.look_again_seconds) == ({**items.progress, "polls": 1}, 1.0)
    await asyncio.sleep(0.35)
    waiting = await instagram.prepare(ACCOUNT, payload, waiting.progress)
    assert {**waiting.progress, "container": ""} == {**items.progress, "container": "", "polls": 0}
    ready = await instagram.prepare(ACCOUNT, payload, waiting.progress)
    published = await instagram.publish(ACCOUNT, payload, ready.progress)

    assert (len(items.progress["items"]), ready.is_ready) == (3, True)
    [public] = sandbox.public("instagram")
    assert (public["id"], public["text"]) == (published.platform_post_id, "Fresh beans")
    assert [item["type"] for item in public["media"]] == ["image/jpeg", "image/jpeg", "video/mp4"]
    assert [item["url"].rpartition("/")[2] for item in public["media"]] == ["square.jpg", "portrait.jpg", "reel.mp4"]


@pytest.mark.parametrize("fault", [{"kind": "accept_then_drop"}, {"kind": "accept_then_status"}, {"kind": "cut_body"}])
async def test_a_lost_answer_is_ambiguous_and_settled_by_the_container(
    instagram: Instagram, sandbox: Sandbox, fault: dict[str, Any]
) -> None:
    payload = post(sandbox)
    progress = (await steps_of(instagram, payload))[-1].progress
    sandbox.faults(PUBLISH, fault)

    error = await refused(instagram, payload, progress)

    assert error.error_class is ErrorClass.AMBIGUOUS
    [public] = sandbox.public("instagram")
    assert await find(instagram, payload, progress) == public["id"]


async def test_what_never_happened_is_surely_not_there_and_published_with_the_same_container(
    instagram: Instagram, sandbox: Sandbox
) -> None:
    payload = post(sandbox)
    progress = (await steps_of(instagram, payload))[-1].progress
    sandbox.faults(PUBLISH, {"kind": "drop_before_accept"})

    assert (await refused(instagram, payload, progress)).error_class is ErrorClass.AMBIGUOUS
    assert await find(instagram, payload, progress) is None
    await instagram.publish(ACCOUNT, payload, progress)

    assert len(sandbox.public("instagram")) == 1


async def test_a_published_container_is_a_duplicate_and_never_published_again(
    instagram: Instagram, sandbox: Sandbox
) -> None:
    payload = post(sandbox)
    progress = (await steps_of(instagram, payload))[-1].progress
    published = await instagram.publish(ACCOUNT, payload, progress)

    assert (await refused(instagram, payload, progress)).error_class is ErrorClass.DUPLICATE
    assert (await refused_step(instagram, payload, progress)).error_class is ErrorClass.DUPLICATE
    assert await find(instagram, payload, progress) == published.platform_post_id
    assert len(sandbox.public("instagram")) == 1


async def test_a_refusal_whose_container_cannot_be_looked_at_is_ambiguous(
    instagram: Instagram, sandbox: Sandbox
) -> None:
    payload = post(sandbox)
    progress = (await steps_of(instagram, payload))[-1].progress
    sandbox.faults(PUBLISH, {"kind": "graph_error", "code": 24, "subcode": 2207008})
    sandbox.faults("GET /graph/v25.0/{node}", {"kind": "status", "status": 500}, repeat=True)

    assert (await refused(instagram, payload, progress)).error_class is ErrorClass.AMBIGUOUS


async def test_a_container_that_is_not_ready_is_waited_for(instagram: Instagram, sandbox: Sandbox) -> None:
    sandbox.settings(instagram_container_seconds=600.0)
    payload = post(sandbox)
    created = await instagram.prepare(ACCOUNT, payload, {})

    error = await refused(instagram, payload, created.progress)

    assert (error.error_class, error.code) == (ErrorClass.RETRY, "9007/2207027")
    assert (await refused(instagram, payload, {})).error_class is ErrorClass.RETRY
    assert sandbox.public("instagram") == []


async def test_a_published_container_that_is_not_listed_yet_is_an_error_and_no_absence(
    instagram: Instagram, sandbox: Sandbox
) -> None:
    sandbox.settings(social_lag_seconds=30.0)
    payload = post(sandbox)
    progress = (await steps_of(instagram, payload))[-1].progress
    await instagram.publish(ACCOUNT, payload, progress)

    with pytest.raises(VendorError, match="published, but not listed yet") as raised:
        await find(instagram, payload, progress)

    assert raised.value.error_class is ErrorClass.RETRY
    assert len(sandbox.public("instagram")) == 1


async def test_of_posts_with_one_caption_the_oldest_that_nobody_owns_is_found(
    instagram: Instagram, sandbox: Sandbox
) -> None:
    published, progress = [], {}
    for _ in range(2):
        progress = (await steps_of(instagram, post(sandbox)))[-1].progress
        published.append((await instagram.publish(ACCOUNT, post(sandbox), progress)).platform_post_id)

    assert await find(instagram, post(sandbox), progress) == published[0]
    assert await find(instagram, post(sandbox), progress, taken=frozenset(published[:1])) == published[1]
    assert await find(instagram, post(sandbox, caption="Other"), {}) is None


async def test_a_first_comment_stands_below_its_post_and_is_found_there(instagram: Instagram, sandbox: Sandbox) -> None:
    payload = post(sandbox)
    progress = (await steps_of(instagram, payload))[-1].progress
    parent = (await instagram.publish(ACCOUNT, payload, progress)).platform_post_id
    comment = Payload(Part.COMMENT, "#coffee #capetown", parent_id=parent)
    assert not instagram.needs_preparation(comment)
    sandbox.faults("POST /graph/v25.0/{node}/comments", {"kind": "accept_then_drop"})

    error = await refused(instagram, comment, {})

    assert error.error_class is ErrorClass.AMBIGUOUS
    [_, public] = sandbox.public("instagram")
    assert (public["parent"], public["text"]) == (parent, "#coffee #capetown")
    assert await find(instagram, comment, {}) == public["id"]
    assert await find(instagram, Payload(Part.COMMENT, "Other", parent_id=parent), {}) is None


async def test_a_post_is_deleted_by_a_person_who_is_told_where(instagram: Instagram, sandbox: Sandbox) -> None:
    payload = post(sandbox)
    progress = (await steps_of(instagram, payload))[-1].progress
    published = await instagram.publish(ACCOUNT, payload, progress)

    with pytest.raises(VendorError) as raised:
        await instagram.delete(ACCOUNT, published.platform_post_id)
    await instagram.delete(ACCOUNT, "18000000000000000")

    assert raised.value.error_class is ErrorClass.INPUT
    [public] = sandbox.public("instagram")
    assert raised.value.message == f"Instagram has no call to delete a post; delete it in the app: {public['url']}"
    assert not public["deleted"]


async def test_a_token_of_another_account_is_refused(instagram: Instagram, sandbox: Sandbox) -> None:
    foreign = Account(Platform.INSTAGRAM, "ig-1", "sandbox-ig-2")

    with pytest.raises(VendorError) as raised:
        await instagram.prepare(foreign, post(sandbox), {})

    assert raised.value.error_class is ErrorClass.PERMISSION
    assert (await instagram.check(ACCOUNT)).is_valid
