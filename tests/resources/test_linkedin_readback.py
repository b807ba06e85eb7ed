"""Reading LinkedIn back: what is there is found, and absence is only said when everything was read."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from tests.resources.linkedin_client import ACCOUNT, LONG_AGO, OUTSIDER, comment, linkedin, post
from tests.resources.raw_server import answer, raw_server, replies
from tests.sandbox_process import Sandbox

NOBODY: frozenset[str] = frozenset()
SINCE = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def element(number: int, *, minutes: int = 0, text: str = "Fresh coffee", **change: Any) -> dict[str, Any]:
    at = int((SINCE + timedelta(minutes=minutes)).timestamp() * 1000)
    return {
        "id": f"urn:li:share:{number}",
        "commentary": text,
        "createdAt": at,
        "lastModifiedAt": at,
        "lifecycleState": "PUBLISHED",
        **change,
    }


def page(elements: list[Any], *, more: bool = False) -> bytes:
    links = [{"rel": "next", "href": "/next"}] if more else []
    return answer(200, json.dumps({"elements": elements, "paging": {"links": links}}).encode())


async def test_a_post_whose_answer_was_lost_is_found(door: HttpDoor, sandbox: Sandbox):
    client = linkedin(door, sandbox.url)
    text = "Open (again) #coffee & <more>\n\nat https://kloof.example/a_b#menu"
    sandbox.faults("POST /linkedin/rest/posts", {"kind": "accept_then_drop"})
    with pytest.raises(VendorError):
        await client.publish(ACCOUNT, post(text), {})
    await client.publish(ACCOUNT, post("Another"), {})

    found = await client.find(ACCOUNT, post(text), {}, since=LONG_AGO, taken=NOBODY)

    lost = sandbox.public("linkedin")[0]
    assert found is not None
    assert (found.platform_post_id, found.url) == (lost["id"], lost["url"])
    assert found.published_at is not None
    assert abs(found.published_at - datetime.fromisoformat(lost["at"])) < timedelta(milliseconds=2)


async def test_what_was_never_published_is_not_found_nor_what_others_did(door: HttpDoor, sandbox: Sandbox):
    client = linkedin(door, sandbox.url)
    await client.publish(OUTSIDER, post(), {})
    gone = await client.publish(ACCOUNT, post(), {})
    await client.delete(ACCOUNT, gone.platform_post_id)

    assert await client.find(ACCOUNT, post(), {}, since=LONG_AGO, taken=NOBODY) is None


async def test_of_equal_posts_the_oldest_that_no_row_owns_is_found(door: HttpDoor, sandbox: Sandbox):
    sandbox.settings(social_refuses_duplicates=False)
    client = linkedin(door, sandbox.url)
    urns = [(await client.publish(ACCOUNT, post(), {})).platform_post_id for _ in range(3)]

    found = await client.find(ACCOUNT, post(), {}, since=LONG_AGO, taken=frozenset(urns[:1]))
    none = await client.find(ACCOUNT, post(), {}, since=LONG_AGO, taken=frozenset(urns))
    later = await client.find(ACCOUNT, post(), {}, since=datetime.now(UTC) + timedelta(minutes=1), taken=NOBODY)

    assert found is not None
    assert found.platform_post_id == urns[1]
    assert (none, later) == (None, None)


async def test_a_window_of_more_than_one_page_is_read_to_its_end(door: HttpDoor, sandbox: Sandbox):
    client = linkedin(door, sandbox.url)
    first = await client.publish(ACCOUNT, post(), {})
    for number in range(230):
        await client.publish(ACCOUNT, post(f"Post {number}"), {})
    before = len(sandbox.journal("linkedin"))

    found = await client.find(ACCOUNT, post(), {}, since=LONG_AGO, taken=NOBODY)

    assert found is not None
    assert found.platform_post_id == first.platform_post_id
    assert len(sandbox.journal("linkedin")) == before + 3


async def test_a_comment_is_found_below_its_post_only(door: HttpDoor, sandbox: Sandbox):
    client = linkedin(door, sandbox.url)
    first = (await client.publish(ACCOUNT, post("One"), {})).platform_post_id
    second = (await client.publish(ACCOUNT, post("Two"), {})).platform_post_id
    await client.publish(OUTSIDER, comment("Link (below)", first), {})
    made = await client.publish(ACCOUNT, comment("Link (below)", first), {})

    found = await client.find(ACCOUNT, comment("Link (below)", first), {}, since=LONG_AGO, taken=NOBODY)
    elsewhere = await client.find(ACCOUNT, comment("Link (below)", second), {}, since=LONG_AGO, taken=NOBODY)
    taken = frozenset({made.platform_post_id})
    owned = await client.find(ACCOUNT, comment("Link (below)", first), {}, since=LONG_AGO, taken=taken)

    assert found is not None
    assert (found.platform_post_id, found.url) == (made.platform_post_id, made.url)
    assert (elsewhere, owned) == (None, None)


async def test_reading_ends_at_the_first_post_last_changed_before_the_window(door: HttpDoor):
    edited_since = element(2, minutes=-60, lastModifiedAt=int((SINCE + timedelta(minutes=5)).timestamp() * 1000))
    pages = [page([element(4, minutes=9, text="Other"), edited_since, element(1, minutes=-1)], more=True)]
    async with raw_server(replies(*pages)) as server:
        found = await linkedin(door, server.url).find(ACCOUNT, post(), {}, since=SINCE, taken=NOBODY)

    assert found is None
    assert [seen.target for seen in server.seen] == [
        "/linkedin/rest/posts?author=urn%3Ali%3Aorganization%3A5551&q=author&sortBy=LAST_MODIFIED&start=0&count=100"
    ]
    assert server.seen[0].headers["x-restli-method"] == "FINDER"


async def test_a_short_page_with_more_behind_it_is_not_the_end(door: HttpDoor):
    async with raw_server(replies(page([], more=True), page([element(1)]))) as server:
        found = await linkedin(door, server.url).find(ACCOUNT, post(), {}, since=SINCE, taken=NOBODY)

    assert found is not None
    assert found.platform_post_id == "urn:li:share:1"
    assert [seen.target.partition("&start=")[2] for seen in server.seen] == ["0&count=100", "100&count=100"]


async def test_an_old_post_that_was_edited_does_not_end_the_reading(door: HttpDoor):
    edited = element(1, minutes=-60, lastModifiedAt=int((SINCE + timedelta(minutes=9)).timestamp() * 1000))
    async with raw_server(replies(page([edited, element(2, minutes=5)]))) as server:
        found = await linkedin(door, server.url).find(ACCOUNT, post(), {}, since=SINCE, taken=NOBODY)

    assert found is not None
    assert found.platform_post_id == "urn:li:share:2"


async def test_a_full_page_is_never_the_end_whatever_its_links_say(door: HttpDoor):
    full = [element(number, minutes=9, text="Other") for number in range(100)]
    async with raw_server(replies(page(full), page([full[-1], element(200)]))) as server:
        found = await linkedin(door, server.url).find(ACCOUNT, post(), {}, since=SINCE, taken=NOBODY)

    assert found is not None
    assert found.platform_post_id == "urn:li:share:200"
    assert len(server.seen) == 2


@pytest.mark.parametrize("state", ["DRAFT", "PUBLISH_FAILED"])
async def test_what_never_became_public_is_not_found(door: HttpDoor, state: str):
    async with raw_server(replies(page([element(1, lifecycleState=state)]))) as server:
        assert await linkedin(door, server.url).find(ACCOUNT, post(), {}, since=SINCE, taken=NOBODY) is None


async def test_a_list_that_shrank_between_two_pages_is_not_trusted(door: HttpDoor):
    full = [element(number, text="Other") for number in range(100)]
    async with raw_server(replies(page(full, more=True), page([element(200, text="Other")]))) as server:
        with pytest.raises(VendorError) as raised:
            await linkedin(door, server.url).find(ACCOUNT, post(), {}, since=SINCE, taken=NOBODY)

    assert raised.value.error_class is ErrorClass.RETRY
    assert server.seen[1].target.endswith("start=99&count=100")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"<html>",
        b'{"elements": []}',
        b'{"elements": null, "paging": {"links": []}}',
        b'{"elements": [7], "paging": {"links": []}}',
        b'{"elements": [{"id": "urn:li:share:1"}], "paging": {"links": []}}',
        b'{"elements": [{"id": "1", "createdAt": 1e99, "lastModifiedAt": true}], "paging": {"links": []}}',
    ],
)
async def test_an_unreadable_answer_never_looks_like_absence(door: HttpDoor, body: bytes):
    async with raw_server(replies(answer(200, body))) as server:
        with pytest.raises(VendorError) as raised:
            await linkedin(door, server.url).find(ACCOUNT, post(), {}, since=SINCE, taken=NOBODY)

    assert raised.value.error_class is ErrorClass.RETRY


@pytest.mark.parametrize("route", ["GET /linkedin/rest/posts", "GET /linkedin/rest/socialActions/{urn}/comments"])
@pytest.mark.parametrize("status", [500, 401, 403, 426])
async def test_a_refused_read_never_looks_like_absence(door: HttpDoor, sandbox: Sandbox, route: str, status: int):
    sandbox.faults(route, {"kind": "status", "status": status, "times": 4})
    payload = comment("Hi", "urn:li:share:1") if "comments" in route else post()

    with pytest.raises(VendorError) as raised:
        await linkedin(door, sandbox.url).find(ACCOUNT, payload, {}, since=LONG_AGO, taken=NOBODY)

    assert raised.value.status == status


async def test_an_own_comment_without_a_text_is_not_passed_over_but_strangers_pictures_are(door: HttpDoor):
    stranger = {"actor": "urn:li:person:x", "commentUrn": "urn:li:comment:(urn:li:activity:2,1)"}
    own = {"actor": "urn:li:organization:5551", "commentUrn": "urn:li:comment:(urn:li:activity:2,2)"}
    async with raw_server(replies(page([stranger]), page([own]))) as server:
        client = linkedin(door, server.url)
        payload = comment("Hi", "urn:li:share:1")

        assert await client.find(ACCOUNT, payload, {}, since=SINCE, taken=NOBODY) is None
        with pytest.raises(VendorError):
            await client.find(ACCOUNT, payload, {}, since=SINCE, taken=NOBODY)
